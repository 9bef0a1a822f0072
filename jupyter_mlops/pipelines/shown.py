"""What a step printed and displayed: it is kept, and shown again when the step isn't computed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..client.runs.execution.channel import Display, Shown
from ..client.runs.view import View
from ..core.run import Entry, RunState

#: Bytes that are kept at most; what comes after that is left out.
MOST = 20_000_000


class ListeningView:
    """A view that keeps what it shows.

    Parameters
    ----------
    view : who shows it.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._entries: list[Shown] = []

    def show(self, state: RunState | None, entries: Sequence[Shown]) -> None:
        """As `View.show`."""
        self._entries += [each for each in entries if isinstance(each, Display) or _is_print(each)]
        self._view.show(state, entries)

    def end(self, state: RunState) -> None:
        """As `View.end`."""
        self._view.end(state)

    def heard(self) -> list[dict[str, Any]]:
        """What was shown, as plain data: what took the place of something stands there, and of a line that was written
        several times, like a bar of progress, its end."""
        told = list[dict[str, Any]]()
        places = dict[str | None, int]()
        for each in self._entries:
            if isinstance(each, Entry):
                if told and told[-1].get("stream") == each.stream:
                    told[-1]["text"] += each.text
                else:
                    told.append({"stream": each.stream, "text": each.text})
            elif each.update and each.id in places:
                told[places[each.id]] = {"bundle": each.bundle}
            else:
                places[each.id] = len(told)
                told.append({"bundle": each.bundle})
        for each_told in told:
            if "text" in each_told:
                each_told["text"] = _as_it_ended(each_told["text"])
        return _within(told)


def shown_again(heard: Iterable[dict[str, Any]]) -> list[Shown]:
    """The same, to be shown again."""
    return [
        Display(each["bundle"], None, update=False)
        if "bundle" in each
        else Entry(seq=0, time=0, kind="print", text=each["text"], stream=each["stream"])
        for each in heard
    ]


def _is_print(entry: Entry) -> bool:
    """Whether the code printed it: lines of our own have no number."""
    return entry.kind == "print" and entry.seq > 0


def _as_it_ended(text: str) -> str:
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)


def _within(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kept, size = list[dict[str, Any]](), 0
    for each in told:
        size += sum(map(_size, each.get("bundle", each).values()))
        if size > MOST:
            break
        kept.append(each)
    return kept


def _size(value: Any) -> int:
    return len(value if isinstance(value, (str, bytes)) else repr(value))

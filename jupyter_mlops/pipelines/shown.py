"""What a step printed and displayed: it is kept, and shown again when the step isn't computed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..client.runs.execution.channel import Display, Shown
from ..client.runs.view import View
from ..core.run import Entry, RunState

#: Letters and bytes that are kept, about; what is more is left out.
MOST = 20_000_000


class ListeningView:
    """A view that keeps what it shows.

    Parameters
    ----------
    view : who shows it.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._told = list[dict[str, Any]]()
        self._places = dict[str, int]()
        self._size = 0

    def show(self, state: RunState | None, entries: Sequence[Shown]) -> None:
        """As `View.show`."""
        for each in entries:
            if self._size < MOST:
                self._take(each)
        self._view.show(state, entries)

    def end(self, state: RunState) -> None:
        """As `View.end`."""
        self._view.end(state)

    def heard(self) -> list[dict[str, Any]]:
        """What was shown, as plain data: what took the place of something stands there, and of a line that was written
        several times, like a bar of progress, its end."""
        return [
            {**each, "text": _as_it_ended("".join(each["text"]))} if "text" in each else each for each in self._told
        ]

    def _take(self, entry: Shown) -> None:
        if isinstance(entry, Display):
            self._take_display(entry)
        elif entry.kind == "print" and entry.seq > 0:  # lines of our own have no number
            self._size += len(entry.text)
            if not self._told or self._told[-1].get("stream") != entry.stream:
                self._told.append({"stream": entry.stream, "text": []})
            self._told[-1]["text"].append(entry.text)

    def _take_display(self, shown: Display) -> None:
        size, told = sum(map(_size, shown.bundle.values())), {"bundle": shown.bundle}
        if self._size + size > MOST:
            return
        if shown.update and shown.id in self._places:
            self._told[self._places[shown.id]] = told
            return
        self._size += size
        if shown.id is not None:
            self._places[shown.id] = len(self._told)
        self._told.append(told)


def shown_again(heard: Iterable[dict[str, Any]]) -> list[Shown]:
    """The same, to be shown again."""
    return [
        Display(each["bundle"], None, update=False)
        if "bundle" in each
        else Entry(seq=0, time=0, kind="print", text=each["text"], stream=each["stream"])
        for each in heard
    ]


def _as_it_ended(text: str) -> str:
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)


def _size(value: Any) -> int:
    return len(value if isinstance(value, (str, bytes)) else repr(value))

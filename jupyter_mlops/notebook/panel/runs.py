"""The panel's runs: a form that sends a function of the notebook to the cluster, and how far each run is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import ipywidgets as w

from ...core.base import Time
from ...core.run import FINAL, RunState
from . import words
from .looks import QUIET, field, show

MAP, CALL = "Map over items", "Call once"


@dataclass(frozen=True)
class RunRequest:
    """What the form asks for: names and expressions, to be looked up in the notebook."""

    kind: str
    function: str
    #: Of a map: an expression for the items. Of a call: the arguments, as they stand between the brackets.
    given: str
    #: The variable that the result will be in.
    result: str


class FormPart:
    """Asks for a preprocessing map or a training function, and hands the request to `submit`."""

    def __init__(self, submit: Callable[[RunRequest], None]) -> None:
        self._submit = submit
        self.kind = w.ToggleButtons(options=[MAP, CALL], tooltips=[_MAP_HELP, _CALL_HELP])
        self.function = w.Combobox(description="Function", placeholder="a function of this notebook", layout=field())
        self.given = w.Text(description="Items", layout=field())
        self.result = w.Text(description="Result in", value="result", layout=field())
        self.send = w.Button(description="Send", icon="paper-plane", button_style="primary")
        self.help = w.HTML()
        fields = [self.kind, self.function, self.given, self.result, self.send, self.help]
        self.box = w.Accordion([w.VBox(fields)], titles=("Run something",))
        self.kind.observe(self._kind_chosen, "value")
        self.send.on_click(lambda _: self._clicked())
        self._kind_chosen(None)

    def show_functions(self, names: Sequence[str]) -> None:
        """Suggest these functions."""
        if self.function.options != tuple(names):
            self.function.options = tuple(names)

    def allow_send(self) -> None:
        """Let another request be sent: the last one was answered."""
        self.send.disabled = False

    def _kind_chosen(self, _: Any) -> None:
        mapped = self.kind.value == MAP
        self.given.description = "Items" if mapped else "Arguments"
        self.given.placeholder = "files, range(100), a DataFrame …" if mapped else "X, y, depth=3"
        self.help.value = f"<span style='{QUIET}'>{_MAP_HELP if mapped else _CALL_HELP}</span>"

    def _clicked(self) -> None:
        self.send.disabled = True
        values = (self.function.value, self.given.value, self.result.value)
        self._submit(RunRequest(self.kind.value, *(value.strip() for value in values)))


_MAP_HELP = "The function is called for each item, on all workers; the result is the list of what it returned."
_CALL_HELP = "The function is called once, on a worker: a training that uses the cluster from there, for example."


class RunsPart:
    """A line per run: name, progress, cost, and a button that cancels it."""

    def __init__(self, cancel: Callable[[str], None]) -> None:
        self._cancel = cancel
        self.lines: dict[str, Line] = {}
        self.box = w.VBox()

    def show(self, runs: Sequence[RunState], now: Time | None = None) -> None:
        """Show these runs, newest first, as they are at `now`."""
        gone = self.lines.keys() - {run.id for run in runs}
        for run in runs:
            line = self.lines.get(run.id) or self.lines.setdefault(run.id, Line(run.id, self._cancel))
            line.show(run, time.time() if now is None else now)
        children = tuple(self.lines[run.id].box for run in runs)
        if self.box.children != children:
            self.box.children = children
        for name in gone:
            self.lines.pop(name).close()


class Line:
    """One run."""

    def __init__(self, name: str, cancel: Callable[[str], None]) -> None:
        self.text = w.HTML(layout=w.Layout(min_width="240px"))
        self.bar = w.FloatProgress(min=0, max=1, layout=w.Layout(width="160px"))
        self.cancel = w.Button(description="Cancel", icon="times", layout=w.Layout(width="90px"))
        self.box = w.HBox([self.bar, self.text, self.cancel])
        self.cancel.on_click(lambda _: self._clicked(cancel, name))

    def show(self, run: RunState, now: Time) -> None:
        """Show the run as it is at `now`."""
        over = run.phase in FINAL
        lines = run.error.strip().splitlines() if run.phase == "failed" else []
        error = f"<br>{escape(lines[-1])}" if lines else ""
        self.text.value = f"<b>{escape(run.name)}</b> {escape(words.progress(run, now))}{error}"
        if run.total:
            self.bar.value = min(1.0, run.tried / run.total)
        elif over:
            self.bar.value = 1.0
        self.bar.bar_style = _style(run)
        show(self.cancel, not over)

    def close(self) -> None:
        """Let go of the widgets."""
        for widget in (self.text, self.bar, self.cancel, self.box):
            widget.close()

    def _clicked(self, cancel: Callable[[str], None], name: str) -> None:
        self.cancel.disabled = True
        cancel(name)


def _style(run: RunState) -> str:
    """How the bar looks: not green where items failed."""
    if run.phase in ("failed", "lost"):
        return "danger"
    if run.failed or run.phase == "cancelled":
        return "warning"
    return "success" if run.phase == "done" else ""

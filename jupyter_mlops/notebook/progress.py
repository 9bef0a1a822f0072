"""What is seen under a cell while its run goes on: prints as they come, and a bar that moves."""

from __future__ import annotations

import sys
import time
from typing import Any

from ..client.runs.view import View, write
from ..client.words import known_cost, progress, sentence, speed
from ..core.run import FINAL, Entry, RunState
from ..core.words import left, span

#: Seconds between two changes of what is shown.
INTERVAL = 0.1

#: Seconds before a run shows progress: one that is quicker shows nothing.
PATIENT = 0.5

#: Seconds between two lines of plain text.
LINES = 5.0


def view_for(quiet: bool) -> View:
    """How a run is shown here: not at all, by widgets, or by text."""
    if quiet:
        return Quiet()
    return Bar() if _has_widgets() else Lines()


def _has_widgets() -> bool:
    try:
        import ipywidgets  # noqa: F401 - only whether it is there
        from IPython import get_ipython
    except ImportError:
        return False
    return getattr(get_ipython(), "kernel", None) is not None


def caption(state: RunState, now: float) -> str:
    """The words beside the bar."""
    parts: list[str] = [state.phase]
    if state.kind == "map":
        parts = [text for text in (progress(state), speed(state, now)) if text]
    parts.append(span((state.ended or now) - state.created))
    if state.left is not None:
        parts.append(f"{left(state.left)} left")
    parts += [text for text in (known_cost(state.cost),) if text]
    return " · ".join(parts)


class Quiet:
    """Shows nothing."""

    def show(self, state: RunState | None, entries: list[Entry]) -> None:
        """As `View.show`."""

    def end(self, state: RunState) -> None:
        """As `View.end`."""


class Lines:
    """Prints, and now and then a line of progress."""

    def __init__(self) -> None:
        self._next = time.monotonic() + LINES

    def show(self, state: RunState | None, entries: list[Entry]) -> None:
        """As `View.show`."""
        write(entries)
        if state is not None and state.phase not in FINAL and time.monotonic() > self._next:
            self._next = time.monotonic() + LINES
            print(f"{state.name}: {caption(state, time.time())}", file=sys.stderr)

    def end(self, state: RunState) -> None:
        """As `View.end`."""
        if state.kind == "map" and state.phase == "done":
            print(f"{state.name}: {sentence(state)}", file=sys.stderr)


class Bar:
    """Prints, and a real progress bar. Changes at most ten times a second."""

    def __init__(self) -> None:
        self._began = self._shown = time.monotonic()
        self._box: Any = None
        self._state: RunState | None = None

    def show(self, state: RunState | None, entries: list[Entry]) -> None:
        """As `View.show`."""
        write(entries)
        self._state = state or self._state
        now = time.monotonic()
        if self._state is None or now - self._shown < INTERVAL:
            return
        if self._box is None and now - self._began < PATIENT:
            return
        self._shown = now
        self._draw(self._state)

    def end(self, state: RunState) -> None:
        """As `View.end`."""
        if self._box is None and state.kind != "map" and state.phase == "done":
            return
        self._draw(state)

    def _draw(self, state: RunState) -> None:
        if self._box is None:
            self._make()
        bar, label = self._box.children
        done = state.done + state.failed
        if state.phase == "done":
            bar.bar_style, bar.value = "success", 1.0
        elif state.phase in FINAL:
            bar.bar_style = "danger"
        elif state.total and state.kind == "map":
            bar.value = min(1.0, done / state.total)
        else:  # nobody knows how far it is
            bar.bar_style, bar.value = "info", 1.0
        if state.failed and state.phase not in FINAL:
            bar.bar_style = "warning"
        label.value = caption(state, time.time())

    def _make(self) -> None:
        import ipywidgets
        from IPython.display import display

        bar = ipywidgets.FloatProgress(value=0.0, min=0.0, max=1.0, layout={"width": "240px"})
        label = ipywidgets.Label()
        self._box = ipywidgets.HBox([bar, label])
        display(self._box)

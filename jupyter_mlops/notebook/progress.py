"""What is seen under a cell: prints as they come, a bar that moves while the run goes on, and a line that stays."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from ..client.runs.execution.channel import Shown
from ..client.runs.view import Quiet, View, write
from ..client.words import known_cost, progress, sentence, speed
from ..core.run import FINAL, RunState
from ..core.words import left, span
from .curve import SmallCurve, last_value
from .widgets import close

#: Seconds between two changes of what is shown.
INTERVAL = 0.1

#: Seconds before a run shows progress: one that is quicker shows only its line.
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
        from IPython.core.getipython import get_ipython
    except ImportError:
        return False
    return getattr(get_ipython(), "kernel", None) is not None


def caption(state: RunState, now: float) -> str:
    """The words beside the bar."""
    parts: list[str] = [state.phase]
    if state.kind == "gang":
        parts.append(progress(state))
    if state.kind == "map":
        parts = [text for text in (progress(state), speed(state, now)) if text]
    parts.append(span((state.ended or now) - state.created))
    if state.left is not None:
        parts.append(f"{left(state.left)} left")
    if state.ladder is not None and state.ladder.phase == "climbing":
        parts.append(state.ladder.sentence)
    parts += [text for text in (known_cost(state.cost), last_value(state.metrics)) if text]
    return " · ".join(parts)


class Lines:
    """Prints, and now and then a line of progress."""

    def __init__(self) -> None:
        self._next = time.monotonic() + LINES

    def show(self, state: RunState | None, entries: Sequence[Shown]) -> None:
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
    """Prints, and a real progress bar, which changes at most ten times a second. At the end one line of text is in its
    place: a saved notebook has no kernel that a widget could ask."""

    def __init__(self) -> None:
        self._began = self._shown = time.monotonic()
        self._box: Any = None
        self._place: Any = None
        self._state: RunState | None = None
        self._curve = SmallCurve()

    def show(self, state: RunState | None, entries: Sequence[Shown]) -> None:
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
        from IPython.display import display

        line = {"text/plain": sentence(state)}
        if self._place is None:
            display(line, raw=True)
            return
        self._place.update(line, raw=True)
        close(self._box)

    def _draw(self, state: RunState) -> None:
        if self._box is None:
            self._make(state)
        bar, label, curve = self._box.children
        if state.total and state.kind == "map":
            bar.value = min(1.0, (state.done + state.failed) / state.total)
        else:  # nobody knows how far it is
            bar.bar_style, bar.value = "info", 1.0
        if state.failed:
            bar.bar_style = "warning"
        label.value = caption(state, time.time())
        self._curve.look(state.metrics)
        curve.value = self._curve.svg()

    def _make(self, state: RunState) -> None:
        import ipywidgets
        from IPython.display import display

        bar = ipywidgets.FloatProgress(value=0.0, min=0.0, max=1.0, layout={"width": "240px"})
        self._box = ipywidgets.HBox([bar, ipywidgets.Label(), ipywidgets.HTML()], layout={"flex_flow": "row wrap"})
        looks = {**self._box._repr_mimebundle_(), "text/plain": sentence(state)}
        self._place = display(looks, raw=True, display_id=True)

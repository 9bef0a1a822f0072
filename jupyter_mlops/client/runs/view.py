"""Shows a run while somebody waits for it."""

from __future__ import annotations

import base64
import sys
from collections.abc import Sequence
from typing import Any, Protocol

from ...core.run import RunState
from ..words import put, tell
from .execution.channel import Display, Shown


class View(Protocol):
    """Shows a run while somebody waits for it."""

    def show(self, state: RunState | None, entries: Sequence[Shown]) -> None:
        """The run is now this, and said that."""

    def end(self, state: RunState) -> None:
        """The run is over."""


class Plain:
    """Shows prints and nothing else."""

    def show(self, state: RunState | None, entries: Sequence[Shown]) -> None:
        """As `View.show`."""
        write(entries)

    def end(self, state: RunState) -> None:
        """As `View.end`."""


class Quiet:
    """Shows what the code displays, and nothing else."""

    def show(self, state: RunState | None, entries: Sequence[Shown]) -> None:
        """As `View.show`."""
        write([entry for entry in entries if isinstance(entry, Display)])

    def end(self, state: RunState) -> None:
        """As `View.end`."""


def write(entries: Sequence[Shown]) -> None:
    """Write what a run printed to this process's own streams, and display what it displayed."""
    for entry in entries:
        if isinstance(entry, Display):
            display(entry)
        elif entry.kind == "print":
            put(entry.text, sys.stderr if entry.stream == "stderr" else sys.stdout)


def display(shown: Display) -> None:
    """Display in a notebook what a run's code displayed; elsewhere its text."""
    ipython: Any = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        tell(str(shown.bundle.get("text/plain", "")))
        return
    data = {
        mime: base64.b64encode(each).decode() if isinstance(each, bytes) else each
        for mime, each in shown.bundle.items()
    }
    ipython.display.display(data, raw=True, display_id=shown.id, update=shown.update)

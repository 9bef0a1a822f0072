"""Shows a run while somebody waits for it."""

from __future__ import annotations

import sys
from typing import Protocol

from ...core.run import Entry, RunState


class View(Protocol):
    """Shows a run while somebody waits for it."""

    def show(self, state: RunState | None, entries: list[Entry]) -> None:
        """The run is now this, and said that."""

    def end(self, state: RunState) -> None:
        """The run is over."""


class Plain:
    """Shows prints and nothing else."""

    def show(self, state: RunState | None, entries: list[Entry]) -> None:
        """As `View.show`."""
        write(entries)

    def end(self, state: RunState) -> None:
        """As `View.end`."""


def write(entries: list[Entry]) -> None:
    """Write what a run printed to this process's own streams."""
    for entry in entries:
        if entry.kind == "print":
            stream = sys.stderr if entry.stream == "stderr" else sys.stdout
            stream.write(entry.text)
            stream.flush()

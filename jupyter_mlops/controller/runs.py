"""The book of runs, as the controller sees it: which runs live, what became of them, and their file in the folder."""

from __future__ import annotations

from typing import Any, Protocol

from ..core.run import FINAL, RunState
from .changes import Changes
from .disk import Disk

RUNS = "runs.jsonl"


class BookOfRuns(Protocol):
    """What the controller needs of the book of runs."""

    @property
    def handlers(self) -> dict[str, Any]:
        """Handlers by name."""

    @property
    def live(self) -> list[str]:
        """Ids of runs that are not over."""

    def states(self) -> list[RunState]:
        """All runs."""

    async def start(self) -> None:
        """Begin."""

    async def close(self, why: str) -> None:
        """Mark live runs as lost."""


class Runs:
    """The latest state of each run. `runs.jsonl` gets a line when a run begins, and when its phase changes."""

    def __init__(self, disk: Disk, changes: Changes) -> None:
        self.book: BookOfRuns | None = None
        self.states: dict[str, RunState] = {}
        self._disk, self._changes = disk, changes
        self._written: dict[str, str] = {}

    @property
    def live(self) -> list[str]:
        """Ids of runs that are not over."""
        return list(self.book.live) if self.book is not None else []

    def changed(self, run: RunState) -> None:
        """The book says that a run is now `run`."""
        self.states[run.id] = run
        self._changes.changed("run", run.id)
        if self._written.get(run.id) != run.phase or run.phase in FINAL:
            self._written[run.id] = run.phase
            self._disk.append(RUNS, run.model_dump_json(exclude_defaults=True))

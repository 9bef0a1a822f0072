"""The book of runs, as the controller sees it: which runs live, what became of them, and their file in the folder."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from ...core.run import FINAL, RunState
from ..changes import ChangeTracker
from ..disk import Disk

RUNS = "runs.jsonl"


#: Runs that are over and still told to who asks for everything.
REMEMBERED = 200


class BookOfRuns(Protocol):
    """What the controller asks the book of runs."""

    @property
    def live(self) -> list[str]:
        """Ids of runs that are not over."""

    def states(self) -> list[RunState]:
        """All runs, as they are at this moment."""


class Runs:
    """The latest state of each run. `runs.jsonl` gets a line when a run begins, and when its phase changes."""

    def __init__(self, disk: Disk, changes: ChangeTracker) -> None:
        self.book: BookOfRuns | None = None
        self.states: dict[str, RunState] = {}
        self._disk, self._changes = disk, changes
        self._written: dict[str, str] = {}

    @property
    def live(self) -> list[str]:
        """Ids of runs that are not over."""
        return list(self.book.live) if self.book is not None else []

    @property
    def detached(self) -> list[str]:
        """Those of them that nobody's kernel drives."""
        return [run for run in self.live if run in self.states and self.states[run].detached]

    def now(self) -> list[RunState]:
        """Runs that are not over, with what they cost at this moment."""
        return [run for run in self.book.states() if run.phase not in FINAL] if self.book is not None else []

    def restore(self, runs: Iterable[RunState]) -> None:
        """These are in the file already."""
        for run in list(runs)[-REMEMBERED:]:
            self.states[run.id] = run
            self._written[run.id] = run.phase

    def changed(self, run: RunState) -> None:
        """The book says that a run is now `run`."""
        self.states[run.id] = run
        self._changes.changed("run", run.id)
        if len(self.states) > REMEMBERED:
            self._forget_oldest()
        if self._written.get(run.id) != run.phase or run.phase in FINAL:
            self._written[run.id] = run.phase
            self._disk.append(RUNS, run.model_dump_json(exclude_defaults=True))

    def _forget_oldest(self) -> None:
        over = next((run.id for run in self.states.values() if run.phase in FINAL), None)
        if over is not None:
            del self.states[over]
            self._written.pop(over, None)
            self._changes.dropped("run", over)

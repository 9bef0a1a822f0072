"""The latest state of each run, for watchers, and the file in the cluster's folder that outlives the scheduler."""

from __future__ import annotations

from collections.abc import Iterable

from ...core.run import FINAL, RunState
from ...home.clusters import RUNS
from ..changes import ChangeTracker
from ..disk import Disk

#: Runs that are over and that are still listed for those who ask for everything.
REMEMBERED = 200


class RunStates:
    """The latest state of each run. `runs.jsonl` gets a line when a run begins, and when its phase changes."""

    def __init__(self, disk: Disk, changes: ChangeTracker) -> None:
        self._states: dict[str, RunState] = {}
        self._disk, self._changes = disk, changes
        self._written: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._states)

    def all(self) -> list[RunState]:
        """Every run that is remembered."""
        return list(self._states.values())

    def after(self, seq: int) -> list[RunState]:
        """The runs that changed after the change `seq`, the oldest change first."""
        return [self._states[run] for run in self._changes.after("run", seq) if run in self._states]

    def restore(self, runs: Iterable[RunState]) -> None:
        """Remember runs that are in the file already."""
        for run in list(runs)[-REMEMBERED:]:
            self._states[run.id] = run
            self._written[run.id] = run.phase

    def changed(self, run: RunState) -> None:
        """Take the new state of a run."""
        self._states[run.id] = run
        self._changes.changed("run", run.id)
        if len(self._states) > REMEMBERED:
            self._forget_oldest()
        if self._written.get(run.id) != run.phase or run.phase in FINAL:
            self._written[run.id] = run.phase
            self._disk.append(RUNS, run.model_dump_json(exclude_defaults=True))

    def _forget_oldest(self) -> None:
        over = next((run.id for run in self._states.values() if run.phase in FINAL), None)
        if over is not None:
            del self._states[over]
            self._written.pop(over, None)
            self._changes.dropped("run", over)

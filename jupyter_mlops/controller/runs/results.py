"""Results of detached runs on clusters that are far from their user's home.

They lie in the workers' memory, and `parts` says which there are. What is small is written down besides, into a file
of the cluster's folder: where a place keeps that folder, a small result outlives its cluster.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...core.base import Record
from ...core.lines import read_lines
from ...home.clusters import RESULTS
from ..disk import Disk
from .liverun import LiveRun

if TYPE_CHECKING:
    from distributed import Scheduler

#: Bytes of a whole result up to which it is written down; a place has about a megabyte for all that it keeps.
SMALL = 200_000


class KeptResult(Record):
    """A line of the file `RESULTS` in a cluster's folder: a run's result, its parts in base64."""

    run: str
    parts: list[str]


@dataclass
class _Small:
    """The parts of a run's result that have come, by the number of their task; None once they were too much."""

    parts: dict[int, bytes] | None = field(default_factory=dict)

    def add(self, index: int, data: bytes) -> None:
        if self.parts is not None:
            self.parts[index] = data
            if sum(map(len, self.parts.values())) > SMALL:
                self.parts = None


class DetachedResults:
    """What can be had of the results of detached runs.

    Parameters
    ----------
    disk : of the cluster's folder.
    """

    def __init__(self, scheduler: Scheduler, disk: Disk) -> None:
        self._scheduler, self._disk = scheduler, disk
        self._small: dict[str, _Small] = {}

    def add_part(self, run_id: str, index: int, data: bytes) -> None:
        """A worker sends what the task number `index` of `run_id` gave, since it is small."""
        self._small.setdefault(run_id, _Small()).add(index, data)

    def finish(self, run: LiveRun) -> None:
        """The run is over: its result is written down, if it is done and all of it has come."""
        small = self._small.pop(run.state.id, None)
        if small is None or not small.parts or run.state.phase != "done" or run.planned is None:
            return
        if len(small.parts) == len(run.planned):
            parts = [base64.b64encode(small.parts[index]).decode() for index in sorted(small.parts)]
            self._disk.append(RESULTS, KeptResult(run=run.state.id, parts=parts).model_dump_json())

    def parts(self, run: LiveRun) -> dict[str, int]:
        """The tasks whose results are in the workers' memory: key → bytes, as Dask counts them."""
        tasks = (self._scheduler.tasks.get(key) for key in run.planned or ())
        return {str(task.key): max(0, task.nbytes) for task in tasks if task is not None and task.state == "memory"}


def kept_parts(text: str, run_id: str) -> list[bytes]:
    """The parts of a run's result out of the text of `RESULTS`; empty when it isn't there."""
    kept = (line.parts for line in read_lines(KeptResult, text) if line.run == run_id)
    return [base64.b64decode(part) for part in next(kept, [])]

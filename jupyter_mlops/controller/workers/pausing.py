"""Workers that get no more tasks, since the money ends: what they run may end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import dask
from .entry import WorkerEntry
from .registry import WorkerRegistry

if TYPE_CHECKING:
    from distributed import Scheduler


class Pausing:
    """Keeps tasks from all workers, or gives them tasks again. Those that leave anyway are left alone."""

    def __init__(self, scheduler: Scheduler, workers: WorkerRegistry) -> None:
        self._scheduler, self._workers = scheduler, workers
        self._paused: set[WorkerEntry] = set()

    def pause(self, paused: bool) -> None:
        """Pause all workers, those that have come since the last call too; or let all go on."""
        if not paused and not self._paused:
            return
        for entry in list(self._workers.entries.values()):
            if entry.dask is not None and not entry.expected and paused != (entry in self._paused):
                dask.drain(self._scheduler, entry.dask, going=paused)
                self._paused.add(entry)
        if not paused:
            self._paused.clear()

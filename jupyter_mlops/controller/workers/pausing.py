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
        for entry in self._workers.entries.values():
            if entry.dask is None or entry.expected:
                continue
            if paused and entry.dask in self._scheduler.running:  # a gang keeps tasks from its workers itself
                dask.drain(self._scheduler, entry.dask)
                self._paused.add(entry)
            elif not paused and entry in self._paused:
                dask.drain(self._scheduler, entry.dask, going=False)
        if not paused:
            self._paused.clear()

"""What the controller hears from Dask: workers that come and go, tasks that end, and that the scheduler closes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from distributed import Scheduler
from distributed.diagnostics.plugin import SchedulerPlugin

from ..core.cluster import Work
from .workers.registry import WorkerRegistry


class ClusterPlugin(SchedulerPlugin):
    """Passes on to `workers` which of Dask's workers come and go, and counts tasks.

    Parameters
    ----------
    closing : awaited before the scheduler closes, whoever closes it.
    earlier : tasks that an earlier scheduler of the cluster had done.
    """

    name = "mlops-controller"

    def __init__(self, workers: WorkerRegistry, closing: Callable[[], Awaitable[None]], earlier: Work) -> None:
        self._workers, self._closing = workers, closing
        self.done, self.erred = earlier.done, earlier.erred

    def add_worker(self, scheduler: Scheduler, worker: str) -> None:
        """A worker connected."""
        self._workers.joined(scheduler.workers[worker])

    def remove_worker(self, scheduler: Scheduler, worker: str, *, stimulus_id: str, **kwargs: Any) -> None:
        """A worker's connection is gone; retired ones are meant to go, whoever retired them."""
        self._workers.left(worker, expected=stimulus_id.startswith("retire-workers"))

    def restart(self, scheduler: Scheduler) -> None:
        """Somebody restarts all workers through Dask: those without a nanny end, and are replaced."""
        entries = [self._workers.at(ws.address) for ws in scheduler.workers.values() if ws.nanny is None]
        self._workers.expect([entry for entry in entries if entry is not None])

    def transition(self, key: Any, start: str, finish: str, *args: Any, **kwargs: Any) -> None:
        """A task changed its state. Called for each task several times: nothing here may cost anything."""
        if start != "processing":
            return
        if finish == "memory":
            self.done += 1
            entry = self._workers.at(kwargs.get("worker", ""))
            if entry is not None:
                entry.done += 1
        elif finish == "erred":
            self.erred += 1

    async def before_close(self) -> None:
        """The scheduler is about to close."""
        await self._closing()

"""What Dask tells the controller: workers that come and go, tasks that end, and that the scheduler closes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from distributed import Scheduler
from distributed.diagnostics.plugin import SchedulerPlugin

from .workers.roster import Roster


class Watcher(SchedulerPlugin):
    """Tells `roster` of Dask's workers and counts tasks.

    Parameters
    ----------
    closing : awaited before the scheduler closes, whoever closes it.
    """

    name = "mlops-controller"

    def __init__(self, roster: Roster, closing: Callable[[], Awaitable[None]]) -> None:
        self._roster, self._closing = roster, closing
        self.done = self.erred = 0

    def add_worker(self, scheduler: Scheduler, worker: str) -> None:
        """A worker connected."""
        self._roster.joined(scheduler.workers[worker])

    def remove_worker(self, scheduler: Scheduler, worker: str, *, stimulus_id: str, **kwargs: Any) -> None:
        """A worker's connection is gone; retired ones are meant to go, whoever retired them."""
        self._roster.left(worker, expected=stimulus_id.startswith("retire-workers"))

    def restart(self, scheduler: Scheduler) -> None:
        """Somebody restarts all workers through Dask: those without a nanny end, and are replaced."""
        members = [self._roster.at(ws.address) for ws in scheduler.workers.values() if ws.nanny is None]
        self._roster.expect([member for member in members if member is not None])

    def transition(self, key: Any, start: str, finish: str, *args: Any, **kwargs: Any) -> None:
        """A task changed its state. Called for each task several times: nothing here may cost anything."""
        if start != "processing":
            return
        if finish == "memory":
            self.done += 1
            member = self._roster.at(kwargs.get("worker", ""))
            if member is not None:
                member.done += 1
        elif finish == "erred":
            self.erred += 1

    async def before_close(self) -> None:
        """The scheduler is about to close."""
        await self._closing()

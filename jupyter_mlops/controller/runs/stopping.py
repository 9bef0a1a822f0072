"""Stopping the code of a run on its workers; a worker whose code doesn't stop is ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from ...core.base import Seconds
from ...core.cluster import Problem
from ..background import Background
from .liverun import LiveRun

if TYPE_CHECKING:
    from distributed import Scheduler

#: Takes what happened to a run: text, its id, problem.
RunEvent = Callable[[str, str, Problem | None], None]

#: Seconds that workers get to stop a run's code before their processes are ended.
PATIENCE: Seconds = 8.0


class Stopping:
    """Asks workers to stop, and waits for each to say that it did.

    Parameters
    ----------
    event : gets the workers that had to be ended.
    replace : ends the worker at an address at once; another takes its place. Without it the worker is told to exit.
    background : where workers are ended.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        event: RunEvent,
        replace: Callable[[str], Awaitable[None]] | None,
        background: Background,
    ) -> None:
        self._scheduler, self._event, self._replace, self._background = scheduler, event, replace, background
        self._timers: dict[str, dict[str, asyncio.TimerHandle]] = {}

    def stop(self, run: LiveRun, busy: set[str]) -> None:
        """Tell the workers, all of them: one may just be starting a task. Those in `busy` have to answer."""
        loop = asyncio.get_running_loop()
        timers = self._timers.setdefault(run.state.id, {})
        for address in list(self._scheduler.workers):
            self._scheduler.worker_send(address, {"op": "mlops-stop", "run": run.state.id})
            if address in busy:
                timers[address] = loop.call_later(PATIENCE, self.stopped, run, address, 1)

    def over(self, run: LiveRun) -> None:
        """Tell the workers that a run has ended, and needs nothing of them any more."""
        for address in list(self._scheduler.workers):
            self._scheduler.worker_send(address, {"op": "mlops-over", "run": run.state.id})

    def stopped(self, run: LiveRun, worker: str, left: int) -> None:
        """A worker has stopped a run's code, or couldn't: so many threads are `left` in it."""
        timer = self._timers.get(run.state.id, {}).pop(worker, None)
        if timer is None:
            return
        timer.cancel()
        if not self._timers[run.state.id]:
            del self._timers[run.state.id]
        if left and worker in self._scheduler.workers:
            name = self._scheduler.workers[worker].name
            text = f"{run.state.name} didn't stop, so worker {name} was ended"
            self._event(text, run.state.id, Problem(what=text, why="its code didn't return to Python within seconds"))
            run.log(time.time(), kind="print", text=text + "\n", stream="stderr")
            self._background.spawn(self._end_worker(worker))

    def close(self) -> None:
        """Wait for nobody any more."""
        for timers in self._timers.values():
            for timer in timers.values():
                timer.cancel()

    async def _end_worker(self, address: str) -> None:
        if self._replace is not None:
            await self._replace(address)
        else:
            self._scheduler.worker_send(address, {"op": "mlops-exit"})

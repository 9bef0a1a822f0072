"""Asks for pods, many at a time; slowly while the API refuses, so that a full quota isn't hammered."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any

from ....core.cluster import Problem
from ....core.waiting import end_tasks
from .client import Answer, Unreachable

#: Requests under way at once. Measured: more doesn't make 500 pods come sooner, and the API's fairness counts them.
AT_ONCE = 50
#: Seconds between tries after a refusal: the first, doubling to the last.
SHORTEST, LONGEST = 0.5, 10.0


@dataclass(frozen=True)
class PodOrder:
    """A pod that is wanted. `body` makes it: only when its turn has come, since a thousand of them take a while."""

    worker: str
    body: Callable[[], dict[str, Any]]


class PodQueue:
    """Hands orders of pods of one form to `make`, `AT_ONCE` at a time and in their order.

    After a refusal only one is tried at a time, with growing pauses, until one succeeds: what is said of one holds for
    all. Pods of another form may be let in all the same, and have a queue of their own.

    Parameters
    ----------
    make : asks the API for one pod; raises `Answer` or `Unreachable` when it is refused.
    refused : called with each worker whose order waits, and why.
    """

    def __init__(self, make: Callable[[PodOrder], Awaitable[None]], refused: Callable[[str, Problem], None]) -> None:
        self._make, self._refused = make, refused
        self._orders: deque[PodOrder] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._problem: Problem | None = None
        self._pause = 0.0
        self._trying: asyncio.Task[None] | None = None
        self._busy = 0
        #: Workers whose request the API has, without an answer so far.
        self.under_way: set[str] = set()

    def ask(self, orders: Iterable[PodOrder]) -> None:
        """Ask for these, as soon as it is their turn."""
        new = list(orders)
        self._orders.extend(new)
        if self._problem is not None:
            for order in new:
                self._refused(order.worker, self._problem)
        elif not self._pause:
            self._fill()

    def withdraw(self, workers: Collection[str]) -> list[str]:
        """Forget the orders of these workers that the API has not been asked for; returns whose they were."""
        names = set(workers)
        gone = [order.worker for order in self._orders if order.worker in names]
        if gone:
            self._orders = deque(order for order in self._orders if order.worker not in names)
        if not self._orders and self._trying is not None and not self.under_way:
            self._trying.cancel()  # what is asked for next may be let in at once
            self._trying, self._pause, self._problem = None, 0.0, None
        return gone

    async def close(self) -> None:
        """Ask for nothing more."""
        self._orders.clear()
        await end_tasks(*self._tasks)

    def _fill(self) -> None:
        for _ in range(min(len(self._orders), AT_ONCE - self._busy)):
            self._busy += 1
            self._spawn(self._work())

    async def _work(self) -> None:
        try:
            while self._orders and not self._pause:
                await self._one()
        finally:
            self._busy -= 1

    async def _one(self) -> bool:
        order = self._orders.popleft()
        self.under_way.add(order.worker)
        try:
            await self._make(order)
        except (Answer, Unreachable) as error:
            problem = error.problem if isinstance(error, Answer) else Problem(what=error.what, why=error.why)
            self._orders.appendleft(order)
            self._slow_down(problem)
            return False
        finally:
            self.under_way.discard(order.worker)
        return True

    def _slow_down(self, problem: Problem) -> None:
        self._problem = problem
        for order in self._orders:
            self._refused(order.worker, problem)
        if not self._pause:
            self._pause = SHORTEST
            self._trying = self._spawn(self._try_again())

    async def _try_again(self) -> None:
        while self._orders:
            await asyncio.sleep(self._pause)
            if not self._orders or await self._one():
                break
            self._pause = min(LONGEST, 2 * self._pause)
        self._trying, self._pause, self._problem = None, 0.0, None
        self._fill()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

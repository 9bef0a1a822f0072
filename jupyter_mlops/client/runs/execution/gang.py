"""Executes a gang: one task for each of its workers, whose ranks the cluster starts and ends together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ....core.run import RunPhase
from ....core.waiting import end_tasks
from .items import single
from .single import OneTask
from .tasks import Tasks

if TYPE_CHECKING:
    from distributed import Future


class GangExecution(OneTask):
    """A run of one program on several workers. `given` is what rank 0 gave."""

    #: What each of the other ranks gave.
    of_others: dict[int, dict[str, Any]]

    async def work(self) -> tuple[RunPhase, str]:
        """As `Execution.work`."""
        seats = self.state.seats
        futures = await self._send(seats)
        if self.state.detached:
            await self.tasks.plan(self.state.total, seats)
            return "running", ""
        given = await outcomes_of_seats(self.tasks, futures)
        leading = given[0]
        self.display(leading["displays"])
        errors = [error for outcome in given for error in outcome["errors"]]
        if errors:
            return self._failed("gang", errors[0], f"{errors[0]['item']}: {errors[0]['error']}")
        self.given = leading
        self.of_others = {rank: each for outcome in given for rank, each in outcome["ranks"].items()}
        self._say_left(leading.get("left", []), leading.get("held", []))
        return "done", ""

    async def _send(self, seats: int) -> list[Future[Any]]:
        """Send the tasks of the seats."""
        return self.tasks.send_seats([single(number) for number in range(seats)])


async def outcomes_of_seats(tasks: Tasks, futures: list[Future[Any]]) -> list[dict[str, Any]]:
    """What the seats of a gang gave that took part to the end, rank 0's first; of an elastic gang that need not be
    all. Raises as `Tasks.outcome`."""
    waiting = [asyncio.create_task(tasks.outcome(future)) for future in futures]
    given: list[dict[str, Any]] = []
    try:
        for outcome in asyncio.as_completed(waiting):
            given.append(await outcome)
            if len(given) >= given[0].get("seats", len(waiting)):
                break
    finally:
        await end_tasks(*waiting)
    return sorted(given, key=lambda outcome: not outcome.get("leads"))

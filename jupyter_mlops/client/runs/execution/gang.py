"""Executes a gang: one task for each of its workers, whose ranks the cluster starts and ends together."""

from __future__ import annotations

import asyncio
from typing import Any

from ....core.run import RunPhase
from .items import single
from .single import OneTask


class GangExecution(OneTask):
    """A run of one program on several workers. `given` is what rank 0 gave."""

    #: What each of the other ranks gave.
    of_others: dict[int, dict[str, Any]]

    async def work(self) -> tuple[RunPhase, str]:
        """As `Execution.work`."""
        seats = self.state.seats
        futures = self.tasks.send_seats([single(number) for number in range(seats)])
        if self.state.detached:
            await self.tasks.plan(self.state.total, seats)
            return "running", ""
        given = await asyncio.gather(*map(self.tasks.outcome, futures))
        self.display(given[0]["displays"])
        errors = [error for outcome in given for error in outcome["errors"]]
        if errors:
            return self._failed("gang", errors[0], f"{errors[0]['item']}: {errors[0]['error']}")
        self.given = given[0]
        self.of_others = {rank: each for outcome in given for rank, each in outcome["ranks"].items()}
        self._say_left(given[0].get("left", []))
        return "done", ""

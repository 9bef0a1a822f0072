"""Executes a fit: a gang whose ranks are given rows that lie on the cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ....core.errors import InvalidItems, RunFailed
from ....core.resources import group_in
from ....core.run import RunPhase, RunState
from ....core.words import count
from ...clusters.session import Session
from ...send.payload import RunPayload
from .channel import Channel
from .gang import GangExecution
from .items import seat

if TYPE_CHECKING:
    from distributed import Future

#: Seconds between two looks at partitions that are being computed.
LOOK = 0.05

#: Seconds after which it is said that they are.
PATIENT = 2.0

#: Partitions of a column: Dask's delayed objects, or its futures.
Column = list[Any]


@dataclass(frozen=True)
class FitTables:
    """What a fit is given that lies on the cluster: column → partitions.

    Parameters
    ----------
    rows : to train on; each rank gets some of them.
    evals : tables to evaluate with; each rank gets all of them.
    homes : the ids of the schedulers that know them, where somebody computed them before.
    """

    rows: dict[str, Column]
    evals: list[dict[str, Column]]
    homes: frozenset[str] = frozenset()

    @property
    def partitions(self) -> int:
        """Of the rows."""
        return len(self.rows["X"])


class FitExecution(GangExecution):
    """As `GangExecution`. The seats depend on their partitions: where one is lost, Dask computes it again before the
    seat is taken again.

    Parameters
    ----------
    tables : what the ranks are given.
    """

    def __init__(
        self, session: Session, state: RunState, payload: RunPayload, channel: Channel, tables: FitTables
    ) -> None:
        super().__init__(session, state, payload, channel)
        self._tables = tables

    async def work(self) -> tuple[RunPhase, str]:
        """As `Execution.work`."""
        try:
            return await super().work()
        except RunFailed as error:  # its rows can't be had: the cluster has to hear of it
            self.error = error
            return "failed", str(error)

    async def _send(self, seats: int) -> list[Future[Any]]:
        tables = await self._computed()
        names = list(tables.rows)
        parts = [
            {"number": number, **dict(zip(names, columns, strict=True))}
            for number, columns in enumerate(zip(*tables.rows.values(), strict=True))
        ]
        holders = await self._holders(tables.rows["X"])
        given = [
            {"rows": [parts[number] for number in numbers], "evals": tables.evals}
            for numbers in shares(holders, await self._places(seats))
        ]
        return self.tasks.send_seats([seat(number) for number in range(seats)], given)

    async def _computed(self) -> FitTables:
        """The same with futures of all partitions, once they are computed.

        Raises
        ------
        InvalidItems : they are on another cluster.
        RunFailed : one of them can't be computed.
        """
        client = self.session.client
        if self._tables.homes - {client.scheduler_info(n_workers=0)["id"]}:
            why = f"this one goes to {self.session.name!r}"
            raise InvalidItems("The rows are in the memory of another cluster", why, "Name theirs with cluster=….")
        columns = [column for table in (self._tables.rows, *self._tables.evals) for column in table.values()]
        found = iter(self.tasks.futures_of([part for column in columns for part in column]))

        def futures(table: dict[str, Column]) -> dict[str, Column]:
            return {name: [next(found) for _ in column] for name, column in table.items()}

        tables = FitTables(futures(self._tables.rows), [futures(table) for table in self._tables.evals])
        columns = [column for table in (tables.rows, *tables.evals) for column in table.values()]
        await self._wait([future for column in columns for future in column])
        return tables

    async def _wait(self, futures: list[Future[Any]]) -> None:
        loop = asyncio.get_running_loop()
        began, said = loop.time(), False
        while waiting := [future for future in futures if future.status == "pending"]:
            if not said and loop.time() - began > PATIENT:
                said = True
                self.channel.say(f"[fit] {count(len(waiting), 'partition')} of {len(futures)} to be computed first")
            await asyncio.sleep(LOOK)
        for future in futures:
            if future.status == "error":
                error = await future.exception()
                what = "The rows can't be computed"
                raise RunFailed(what, f"{type(error).__name__}: {error}") from error
            if future.status != "finished":
                raise RunFailed("The rows are lost", f"the cluster has forgotten {future.key!r}", "Compute them again.")

    async def _holders(self, futures: list[Future[Any]]) -> list[Sequence[str]]:
        """The addresses of the workers that have each of them."""
        known = await self.session.client.who_has(futures)
        return [known.get(future.key, ()) for future in futures]

    async def _places(self, seats: int) -> list[str]:
        """The workers that will most likely be given the seats, in their order, as the scheduler chooses them."""
        workers = await workers_of(self.session, self.state.group)
        chosen = sorted((info["host"], str(info["name"]), address) for address, info in workers.items())[:seats]
        chosen.sort(key=lambda each: (each[0], len(each[1]), each[1]))
        return [address for _, _, address in chosen] + [""] * (seats - len(chosen))


async def workers_of(session: Session, group: str | None) -> dict[str, dict[str, Any]]:
    """What Dask says of the workers that a gang of this group may have, by address."""
    scheduler: Any = session.client.scheduler
    workers = (await scheduler.identity(n_workers=-1))["workers"]
    return {address: info for address, info in workers.items() if group_in(info["resources"]) in (group, None)}


def shares(holders: list[Sequence[str]], places: list[str]) -> list[list[int]]:
    """Which partitions each of the workers in `places` trains on: about as many each, those that it has where possible.

    Parameters
    ----------
    holders : of each partition, the workers that have it.
    """
    least = len(holders) // len(places)
    shared: list[list[int]] = [[] for _ in places]
    left = []
    for number, having in enumerate(holders):
        own = [share for share, place in zip(shared, places, strict=True) if place in having and len(share) < least]
        if own:
            own[0].append(number)
        else:
            left.append(number)
    for number in left:
        min(shared, key=len).append(number)
    return [sorted(share) for share in shared]

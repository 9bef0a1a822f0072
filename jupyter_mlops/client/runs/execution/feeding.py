"""Executes batches of items that come one after the other while the run goes on, from whoever feeds it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ....core.run import RunPhase, RunState
from ...clusters.session import Session
from ...send.payload import RunPayload
from . import items as parts
from .channel import Channel
from .exceptions import exception_of
from .execution import Execution
from .outcomes import item_error, values_of

if TYPE_CHECKING:
    from distributed import Future


@dataclass(frozen=True)
class FedBatch:
    """So many items, pickled; `done` is called with their results, or with what one of them raised. On any thread."""

    count: int
    packed: bytes
    done: Callable[[list[Any] | BaseException], None]


class Feed:
    """Batches that are handed in, from any thread, until the end is said."""

    #: As of `Items`: nobody knows how many there will be.
    total: int | None = None

    def __init__(self) -> None:
        self._batches: deque[FedBatch | None] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._there = asyncio.Event()

    def put(self, batch: FedBatch | None) -> None:
        """One more batch; None is the end."""
        self._batches.append(batch)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._there.set)

    async def next(self) -> FedBatch | None:
        """The next one, when it is there; None at the end."""
        self._loop = asyncio.get_running_loop()
        while not self._batches:
            self._there.clear()
            if not self._batches:  # it may have come just before
                await self._there.wait()
        return self._batches.popleft()


class FedExecution(Execution):
    """A map whose items come from a feed.

    Parameters
    ----------
    session, state, payload, channel : as of `Execution`.
    feed : where the batches come from.
    """

    def __init__(self, session: Session, state: RunState, payload: RunPayload, channel: Channel, feed: Feed) -> None:
        super().__init__(session, state, payload, channel)
        self._feed = feed
        self._items = 0
        self._failed = ""

    async def work(self) -> tuple[RunPhase, str]:
        """As `Execution.work`."""
        flying: set[asyncio.Task[None]] = set()
        index = 0
        try:
            while (batch := await self._feed.next()) is not None:
                flying.add(asyncio.create_task(self._fetch(batch, index, self._items)))
                index, self._items = index + 1, self._items + batch.count
                flying = {task for task in flying if not task.done() or task.exception() is not None}
            if flying:
                await asyncio.gather(*flying)
        finally:
            for task in flying:
                task.cancel()
        await self.session.link.plan_run(self.state.id, self._items)
        return ("failed", self._failed) if self._failed else ("done", "")

    async def _fetch(self, batch: FedBatch, index: int, start: int) -> None:
        """Send a batch, and hand on what it gives."""
        try:
            part = parts.part(index, start, batch.count, batch.packed, None)
            outcome = await self.tasks.insist(part, index, self.payload, self._outcome)
        except BaseException as error:
            await asyncio.to_thread(batch.done, error)
            raise
        self.display(outcome.get("displays", []))
        given: list[Any] | BaseException
        if outcome["errors"]:
            first = outcome["errors"][0]
            self._failed = self._failed or item_error(first).error
            given = exception_of(first) or RuntimeError(first["error"])
        else:
            given = await asyncio.to_thread(values_of, outcome)
        await asyncio.to_thread(batch.done, given)

    async def _outcome(self, future: Future[Any]) -> dict[str, Any]:
        outcome = await self.tasks.outcome(future)
        self.tasks.drop(future)
        return outcome

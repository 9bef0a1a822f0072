"""Executes batches of items that come one after the other while the run goes on, from whoever feeds it."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ....core.errors import RunFailed
from ....core.run import RunPhase, RunState
from ....core.waiting import end_tasks
from ...clusters.session import Session
from ...send.payload import RunPayload
from . import items as parts
from .batches import Plan
from .channel import Channel
from .exceptions import exception_of
from .execution import Execution
from .outcomes import item_error, values_of

if TYPE_CHECKING:
    from distributed import Future


@dataclass(frozen=True, eq=False)
class FedBatch:
    """So many items, pickled; `done` is called with their results, or with what one of them raised. On any thread."""

    count: int
    packed: bytes
    done: Callable[[list[Any] | BaseException], None]


class Feed:
    """Batches that are handed in, from any thread, until the end is said. Each of them is answered, once."""

    #: As of `Items`: nobody knows how many there will be.
    total: int | None = None

    def __init__(self) -> None:
        #: How many items a batch should have, by what those that were executed took.
        self.plan = Plan(None)
        self._batches: deque[FedBatch | None] = deque()
        self._unanswered: set[FedBatch] = set()
        self._ended_by: BaseException | None = None
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._there = asyncio.Event()

    def put(self, batch: FedBatch | None) -> None:
        """One more batch; None is the end."""
        with self._lock:
            ended_by = self._ended_by
            if ended_by is None:
                self._batches.append(batch)
                self._unanswered |= {batch} if batch else set()
        if ended_by is not None and batch is not None:
            batch.done(ended_by)
        elif self._loop is not None:
            self._loop.call_soon_threadsafe(self._there.set)

    async def next(self) -> FedBatch | None:
        """The next one, when it is there; None at the end."""
        self._loop = asyncio.get_running_loop()
        while not self._batches:
            self._there.clear()
            if not self._batches:  # it may have come just before
                await self._there.wait()
        return self._batches.popleft()

    def answer(self, batch: FedBatch, given: list[Any] | BaseException) -> None:
        """Say what a batch gave, unless it has been said."""
        with self._lock:
            waits = batch in self._unanswered
            self._unanswered.discard(batch)
        if waits:
            batch.done(given)

    def end(self, error: BaseException) -> None:
        """The run is over: `error` is the answer to all that still wait for one, and to what is handed in from now
        on."""
        with self._lock:
            self._ended_by = error
            waiting = list(self._unanswered)
        for batch in waiting:
            self.answer(batch, error)


class FedExecution(Execution):
    """A map whose items come from a feed. It ends with the first item that raises.

    Parameters
    ----------
    session, state, payload, channel : as of `Execution`.
    feed : where the batches come from.
    """

    def __init__(self, session: Session, state: RunState, payload: RunPayload, channel: Channel, feed: Feed) -> None:
        super().__init__(session, state, payload, channel)
        self._feed = feed
        self._items = 0
        self._flying: set[asyncio.Task[None]] = set()
        #: What ended it: an item that raised, a task that was lost.
        self._broken: asyncio.Future[None] | None = None
        self._raised: BaseException | None = None

    async def main(self) -> None:
        """As `Execution.main`. Whoever waits for a batch hears how the run ended."""
        try:
            await super().main()
        finally:
            over = self._raised or self.error or RunFailed(f"The run {self.state.name!r} is over")
            await asyncio.to_thread(self._feed.end, over)

    async def work(self) -> tuple[RunPhase, str]:
        """As `Execution.work`."""
        self._broken = asyncio.get_running_loop().create_future()
        sending = asyncio.create_task(self._send_all())
        try:
            await asyncio.wait({sending, self._broken}, return_when=asyncio.FIRST_COMPLETED)
            if self._broken.done():
                self._broken.result()
            else:
                await sending
        except _ItemRaised as raised:
            return "failed", str(raised)
        finally:
            await end_tasks(sending, *self._flying)
            if self._broken.done():
                self._broken.exception()  # it was seen, whoever came first
        await self.session.link.plan_run(self.state.id, self._items)
        return "done", ""

    async def _send_all(self) -> None:
        """Send what is fed, and wait for what it gives."""
        index = 0
        while (batch := await self._feed.next()) is not None:
            task = asyncio.create_task(self._fetch(batch, index, self._items))
            self._flying.add(task)
            task.add_done_callback(self._note)
            index, self._items = index + 1, self._items + batch.count
        while self._flying:
            await asyncio.wait(self._flying)

    def _note(self, task: asyncio.Task[None]) -> None:
        self._flying.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and self._broken is not None and not self._broken.done():
            self._broken.set_exception(error)

    async def _fetch(self, batch: FedBatch, index: int, start: int) -> None:
        """Send a batch, and hand on what it gives."""
        part = parts.part(index, start, batch.count, batch.packed, None)
        outcome = await self.tasks.insist(part, index, self.payload, self._outcome)
        self.display(outcome.get("displays", []))
        if outcome["errors"]:
            first = outcome["errors"][0]
            self._raised = self._raised or exception_of(first)
            raise _ItemRaised(item_error(first).error)
        self._feed.plan.measure(batch.count, outcome.get("seconds", 0.0))
        given = await asyncio.to_thread(values_of, outcome)
        await asyncio.to_thread(self._feed.answer, batch, given)

    async def _outcome(self, future: Future[Any]) -> dict[str, Any]:
        outcome = await self.tasks.outcome(future)
        self.tasks.drop(future)
        return outcome


class _ItemRaised(Exception):
    """An item raised: the run has failed."""

"""Executes batches of items that come one after the other while the run goes on, from whoever feeds it.

Who feeds it has batches of its own size, and hands in the next one when one of them is answered. Those that wait share
a task, by what items took: a task costs milliseconds, here, in the scheduler and in the worker.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from ....core.errors import RunFailed
from ....core.run import RunPhase, RunState
from ....core.waiting import end_tasks
from ...clusters.session import Session
from ...send.payload import RunPayload
from ...send.pickling import pack_items
from . import items as parts
from .batches import Plan
from .channel import Channel
from .exceptions import exception_of
from .execution import Execution
from .outcomes import item_error, todo, values_of
from .tasks import keep_looking

if TYPE_CHECKING:
    from distributed import Future

#: Batches that share a task, about; and by how much they grow, at most, beyond all that was answered before.
SHARED, GROWTH = 4, 8

#: Tasks that wait on each thread, beside the one that it executes.
AHEAD = 1


@dataclass(frozen=True, eq=False)
class FedBatch:
    """Some items; `done` is called with their results, or with what one of them raised. On any thread."""

    items: list[Any]
    done: Callable[[list[Any] | BaseException], None]


class Feed:
    """Batches that are handed in, from any thread, until the end is said. Each of them is answered, once.

    Parameters
    ----------
    most : tasks that may be at work at the same time; None for as many as the cluster has threads.
    """

    #: As of `Items`: nobody knows how many there will be.
    total: int | None = None

    def __init__(self, most: int | None = None) -> None:
        self.most = most
        #: How many items a task should have, by what those that were executed took.
        self.plan = Plan(None)
        self._answered = 0
        self._batches: deque[FedBatch] = deque()
        self._ended = False
        self._unanswered: set[FedBatch] = set()
        self._ended_by: BaseException | None = None
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._there = asyncio.Event()

    @property
    def size(self) -> int:
        """Items that a batch should have. It grows slowly: nobody knows whether the next items are as light."""
        if not self.plan.measured:
            return 1
        return min(max(1, self.plan.size(None, 1) // SHARED), GROWTH * max(1, self._answered))

    def put(self, batch: FedBatch | None) -> None:
        """One more batch; None is the end."""
        with self._lock:
            ended_by = self._ended_by
            if batch is None:
                self._ended = True
            elif ended_by is None:
                self._batches.append(batch)
                self._unanswered.add(batch)
        if ended_by is not None and batch is not None:
            batch.done(ended_by)
        elif self._loop is not None:
            self._loop.call_soon_threadsafe(self._there.set)

    async def next(self, threads: int) -> list[FedBatch]:
        """Those of the next task, when there are some, if `threads` threads share what is not done; none at the end."""
        self._loop = asyncio.get_running_loop()
        while not self._batches and not self._ended:
            self._there.clear()
            if not self._batches and not self._ended:  # it may have come just before
                await self._there.wait()
        with self._lock:
            taken = [self._batches.popleft()] if self._batches else []
            count = sum(len(batch.items) for batch in taken)
            left = sum(len(batch.items) for batch in self._unanswered)
            size = self.plan.size(left, threads) if self.plan.measured else 1
            while self._batches and count + len(self._batches[0].items) <= size:
                taken.append(self._batches.popleft())
                count += len(taken[-1].items)
        return taken

    def answer(self, batch: FedBatch, given: list[Any] | BaseException) -> None:
        """Say what a batch gave, unless it has been said."""
        with self._lock:
            waits = batch in self._unanswered
            self._unanswered.discard(batch)
        if waits:
            self._answered += len(batch.items)
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
        self._threads = 1
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
        looking = asyncio.create_task(keep_looking(self._look))
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
            await end_tasks(looking, sending, *self._flying)
            if self._broken.done():
                self._broken.exception()  # it was seen, whoever came first
        await self.session.link.plan_run(self.state.id, self._items)
        return "done", ""

    async def _send_all(self) -> None:
        """Send what is fed, and wait for what it gives."""
        await self._look()
        index = 0
        while batches := await self._feed.next(self._at_work):
            task = asyncio.create_task(self._fetch(batches, index, self._items))
            self._flying.add(task)
            task.add_done_callback(self._note)
            index, self._items = index + 1, self._items + sum(len(batch.items) for batch in batches)
            while len(self._flying) >= self._window:
                await asyncio.wait(self._flying, return_when=asyncio.FIRST_COMPLETED)
        while self._flying:
            await asyncio.wait(self._flying)

    @property
    def _at_work(self) -> int:
        """Tasks that may be at work at the same time."""
        return min(self._threads, self._feed.most or self._threads)

    @property
    def _window(self) -> int:
        """Tasks that are sent: once it is known what they take, the next ones wait on the workers already, unless only
        so many may be at work."""
        ahead = AHEAD if self._feed.plan.measured and self._at_work == self._threads else 0
        return self._at_work * (1 + ahead)

    async def _look(self) -> int:
        """See how many threads there are."""
        self._threads = await self.tasks.threads()
        return self._threads

    def _note(self, task: asyncio.Task[None]) -> None:
        self._flying.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and self._broken is not None and not self._broken.done():
            self._broken.set_exception(error)

    async def _fetch(self, batches: list[FedBatch], index: int, start: int) -> None:
        """Send batches as a task, and hand on what it gives."""
        items = [item for batch in batches for item in batch.items]
        packed = await asyncio.to_thread(pack_items, items, start)
        self._feed.plan.weigh(len(items), len(packed))
        part = parts.part(index, start, len(items), packed, None)
        outcome = await self.tasks.insist(part, index, self.payload, self._outcome)
        self.display(outcome.get("displays", []))
        if outcome["errors"]:
            first = outcome["errors"][0]
            self._raised = self._raised or _noted(exception_of(first), todo(first))
            raise _ItemRaised(item_error(first).error)
        took = outcome.get("took", outcome.get("seconds", 0.0))  # an older worker doesn't tell its items' own time
        self._feed.plan.measure(len(items), took)
        await asyncio.to_thread(self._answer, batches, outcome)

    def _answer(self, batches: list[FedBatch], outcome: dict[str, Any]) -> None:
        given = iter(values_of(outcome))
        for batch in batches:
            self._feed.answer(batch, list(islice(given, len(batch.items))))

    async def _outcome(self, future: Future[Any]) -> dict[str, Any]:
        outcome = await self.tasks.outcome(future)
        self.tasks.drop(future)
        return outcome


def _noted(error: BaseException, note: str) -> BaseException:
    """The exception with what to do about it, where there is more to say than it knows. Python 3.10 has no notes."""
    if note and hasattr(error, "add_note"):
        error.add_note(note)
    return error


class _ItemRaised(Exception):
    """An item raised: the run has failed."""

"""Drives a map: batches of items, sized by measuring, and their results in order."""

from __future__ import annotations

import asyncio
import pickle
from collections import deque
from concurrent.futures import CancelledError as Cancelled
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..controller.install import kept_results, without_results
from ..core.errors import ItemsFailed, RunFailed
from ..core.run import ItemError, RunPhase, RunState
from . import items as parts
from .batches import AHEAD, Plan
from .collected import Collected
from .drive import Drive, TaskLost
from .items import Items, Streamed
from .mailbox import Mailbox
from .outcomes import exception_of, item_error, values_of
from .record import Payload
from .session import Session
from .shipment import Shipment

if TYPE_CHECKING:
    from distributed import Future

#: Items that are pickled to learn how large they are.
SAMPLE = 64

#: Seconds between two looks at how many workers there are.
LOOK = 2.0

#: Bytes, and tasks, of a message that sends many.
MESSAGE = 8_000_000
TASKS = 500

#: How often a batch is sent again because a big variable that it needs was lost.
AGAIN = 5


@dataclass(frozen=True)
class Batch:
    """Items on their way."""

    index: int
    start: int
    count: int
    packed: bytes


class MapDrive(Drive):
    """A map over items that are here.

    Parameters
    ----------
    items : where batches come from.
    collected : where results go.
    payload : keeps what was sent, to run it again.
    """

    def __init__(
        self,
        session: Session,
        state: RunState,
        shipment: Shipment,
        mailbox: Mailbox,
        items: Items,
        collected: Collected,
        payload: Payload | None,
    ) -> None:
        super().__init__(session, state, shipment, mailbox)
        self.items, self.collected, self._payload = items, collected, payload
        self.errors: list[ItemError] = []
        self.kept: dict[int, Future[Any]] = {}
        self._plan = Plan(items.total)
        self._rest: deque[tuple[int, int]] = deque()
        #: Items of a stream that a task had no time for: they can't be read again. First index → items.
        self._unfinished: dict[int, list[Any]] = {}
        self._index = 0
        self._end = False
        self._threads = 1
        self._most_threads = 0
        self._done = 0
        self._again: dict[int, int] = {}
        self._stop_at_error = state.options.get("on_error") == "raise"

    async def _open(self) -> None:
        await asyncio.gather(super()._open(), self._first_look())

    async def work(self) -> tuple[RunPhase, str]:
        """As `Drive.work`."""
        try:
            return await self._work()
        finally:
            if self._payload is not None:
                self._payload.give_up()  # what a cancel or an error cut short; nothing, once it was finished

    async def _work(self) -> tuple[RunPhase, str]:
        looking = asyncio.create_task(self._look())
        flying: set[asyncio.Task[None]] = set()
        try:
            self._weigh()
            if self.state.detached:
                await self._fly(flying, probes_only=True)
                await self._send_all()
                return "running", ""
            await self._fly(flying)
        except RunFailed as error:
            self.error = error
            return "failed", error.why
        finally:
            looking.cancel()
            self.stopping = self.stopping or bool(flying)
            for task in flying:
                task.cancel()
        return await self._finished()

    async def _finished(self) -> tuple[RunPhase, str]:
        if self._payload is not None:
            await asyncio.wrap_future(self._payload.finish())
        if self.errors and len(self.errors) == self._done:
            first = self.errors[0]
            self.error = ItemsFailed(
                f"All {self._done} items of the run {self.state.name!r} failed",
                f"item {first.index} ({first.item}) raised {first.error}",
            )
            self.error.__cause__ = self._first_cause
            return "failed", f"item {first.index} ({first.item}): {first.error}"
        return "done", ""

    _first_cause: BaseException | None = None

    async def _fly(self, flying: set[asyncio.Task[None]], probes_only: bool = False) -> None:
        """Keep every thread busy until there is nothing left."""
        while True:
            while len(flying) < self._window() and not (probes_only and self._index >= self._threads):
                batch = await self._next()
                if batch is None:
                    break
                flying.add(asyncio.create_task(self._fetch(batch)))
            if not flying:
                return
            done, _ = await asyncio.wait(flying, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                flying.discard(task)
                task.result()

    def _window(self) -> int:
        if not self._plan.measured:
            return self._threads
        return max(self._threads, self._most_threads) * (1 + AHEAD)

    async def _next(self) -> Batch | None:
        if self._rest:
            start, count = self._rest.popleft()
            size = self._plan.size(count + self._left(), self._threads)
            items = self._unfinished.pop(start, None)
            if size < count:
                self._rest.appendleft((start + size, count - size))
                if items is not None:
                    self._unfinished[start + size], items = items[size:], items[:size]
                count = size
            if items is None:
                items = self.items.again(start, count)
            return self._batch(start, count, parts.packed(items))
        if self._end:
            return None
        size = self._plan.size(self._left() if self.items.total is not None else None, self._threads)
        if self.state.detached and not self.state.kept:  # a probe may be repeated, and must give the same then
            size = 1 if not self._plan.measured else size
        start = self.items.taken
        count, packed = await self._pull(size)
        if not count:
            self._end = True
            return None
        return self._batch(start, count, packed)

    def _batch(self, start: int, count: int, packed: bytes) -> Batch:
        self._plan.weigh(count, len(packed))
        batch = Batch(self._index, start, count, packed)
        self._index += 1
        return batch

    async def _pull(self, size: int) -> tuple[int, bytes]:
        """The next items. An iterator is read in the thread that waits for the run, where its user made it."""
        if not isinstance(self.items, Streamed):
            return self.items.take_packed(size)
        try:
            return await asyncio.wrap_future(self.mailbox.request(lambda: self.items.take_packed(size)))
        except (asyncio.CancelledError, Cancelled):
            raise
        except Exception as error:
            failed = RunFailed(
                f"The items of the run {self.state.name!r} ended early", f"{type(error).__name__}: {error}"
            )
            raise failed from error

    def _left(self) -> int:
        return (self.items.total or 0) - self.items.taken

    async def _fetch(self, batch: Batch) -> None:
        """Send a batch and take in what it gives."""
        budget = None if self.state.detached and self._plan.measured else self._plan.budget()
        packed = parts.part(batch.index, batch.start, batch.count, batch.packed, budget)
        for attempt in range(AGAIN):
            future = self.send(packed, batch.index)
            try:
                self._landed(batch, await self._given(future, batch))
                return
            except TaskLost:
                if attempt == AGAIN - 1 or not any(big.status != "finished" for big in self._bigs):
                    raise
                self._futures.discard(future)
                future.release()
                self._bigs = await self.session.put(self.shipment, everywhere=True, anew=True)

    async def _given(self, future: Future[Any], batch: Batch) -> dict[str, Any]:
        if not self.shipment.head["keep"]:
            outcome = await self.outcome(future)
        else:
            client = self.session.client
            name = f"mlkept-{self.state.id}-{batch.index}"
            self.kept[batch.start] = client.submit(kept_results, future, None, key=name, pure=False)
            known = client.submit(without_results, future, key=f"{name}-known", pure=False)
            outcome = await self.outcome(known)
        if not self.state.detached or self.shipment.head["keep"]:
            self._futures.discard(future)
            future.release()
        return outcome

    def _landed(self, batch: Batch, outcome: dict[str, Any]) -> None:
        count = outcome["n"]
        if outcome.get("broken"):
            error = RunFailed(f"The run {self.state.name!r} failed", outcome["errors"][0]["error"])
            raise error from exception_of(outcome["errors"][0])
        self._plan.measure(count, outcome.get("seconds", 0.0))
        self._done += count
        if count < batch.count and not (self._stop_at_error and outcome["errors"]):
            self._remain(batch, count)
        if self._payload is not None:
            self._keep_payload(batch, count)
        if not self.state.detached and not self.shipment.head["keep"]:
            self.collected.add(batch.start, values_of(outcome))
            self.mailbox.ring()
        if outcome["errors"]:
            self._failed(outcome["errors"])

    def _remain(self, batch: Batch, count: int) -> None:
        if isinstance(self.items, Streamed):
            self._unfinished[batch.start + count] = pickle.loads(batch.packed)[count:]  # noqa: S301 - we packed it
        self._rest.append((batch.start + count, batch.count - count))
        self._rest = deque(sorted(self._rest))

    def _keep_payload(self, batch: Batch, count: int) -> None:
        assert self._payload is not None
        packed = batch.packed
        if count < batch.count:
            packed = parts.packed(self.items.again(batch.start, count))
        self._payload.add(batch.start, count, packed)

    def _failed(self, records: list[dict[str, Any]]) -> None:
        self.errors = sorted([*self.errors, *map(item_error, records)], key=lambda error: error.index)
        if self._first_cause is None:
            self._first_cause = exception_of(records[0])
        if self._stop_at_error:
            first = records[0]
            error = RunFailed(
                f"Item {first['index']} ({first['item']}) of the run {self.state.name!r} failed", first["error"]
            )
            raise error from exception_of(first)

    # Detached

    async def _send_all(self) -> None:
        """Send everything that is left at once, and let the cluster end the run."""
        todo = [*self._rest]
        if self.items.total is None:
            raise AssertionError("a stream is read before it is detached")
        if self.items.taken < self.items.total:
            todo.append((self.items.taken, self.items.total - self.items.taken))
        for start, count in todo:
            first, pending = self._index, []
            for size in self._plan.cut(count, self._threads):
                batch = self._batch(start, size, parts.packed(self.items.again(start, size)))
                pending.append(parts.part(batch.index, start, size, batch.packed, None))
                if self._payload is not None:
                    self._payload.add(start, size, batch.packed)
                start += size
                if sum(map(len, pending)) > MESSAGE or len(pending) >= TASKS:
                    self.send_many(pending, first)
                    first, pending = self._index, []
                    await asyncio.sleep(0)
            if pending:
                self.send_many(pending, first)
        if self._payload is not None:
            await asyncio.wrap_future(self._payload.finish())
        await self.plan(self.items.total, self._index)

    # Workers

    async def _first_look(self) -> None:
        self._threads = await self.threads()
        view = await self.session.link.view(workers=False)
        for group in view.state.groups:
            if group.adaptive and self.state.group in (None, group.name):
                self._most_threads += group.maximum * max(1, round(group.cpus))

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            self._threads = await self.threads()

    def _weigh(self) -> None:
        if self.items.total:
            sample = self.items.again(0, min(SAMPLE, self.items.total))
            self._plan.weigh(len(sample), len(parts.packed(sample)))

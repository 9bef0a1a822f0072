"""Executes a map: sends batches of items, sized by measuring, and puts the results into order."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

from ....controller.link import RunView
from ....controller.runs.install import kept_results, without_results
from ....core.errors import ItemsFailed, MlopsError, NotPicklable, RunFailed
from ....core.ladder import Ladder
from ....core.run import Entry, ItemError, RunPhase, RunState
from ....core.waiting import end_tasks, to_the_end
from ....core.words import count
from ...clusters.session import Session
from ...send.payload import RunPayload
from ..options import Wish, wish_of
from ..record import PayloadFile
from . import items as parts
from .batcher import Batch, Batcher
from .batches import AHEAD
from .channel import Channel
from .climb import Climb
from .exceptions import exception_of
from .execution import Execution
from .items import Items
from .meter import SpeedMeter
from .outcomes import changed, item_error, todo, values_of
from .result_buffer import ResultBuffer
from .tasks import keep_looking

if TYPE_CHECKING:
    from distributed import Future

#: Bytes, and tasks, of a message that sends many.
MESSAGE = 8_000_000
TASKS = 500

#: Seconds that a detached map takes to learn how long its items take, before all of it is sent.
PROBING = 2.0


class MapExecution(Execution):
    """A map over items that are here.

    Parameters
    ----------
    items : where batches come from.
    buffer : where results go.
    payload_file : keeps what was sent, to run it again.
    """

    #: Why it can't try sizes, whatever is asked; empty where it can.
    fixed = ""

    def __init__(
        self,
        session: Session,
        state: RunState,
        payload: RunPayload,
        channel: Channel,
        items: Items,
        buffer: ResultBuffer,
        payload_file: PayloadFile | None,
    ) -> None:
        super().__init__(session, state, payload, channel)
        # what a task had no time for would come back to a kernel that may be gone
        self._batcher = Batcher(items, channel, state.name, alone=state.detached)
        self.buffer, self._payload_file = buffer, payload_file
        self.errors: list[ItemError] = []
        self.kept: dict[int, Future[Any]] = {}
        self._left: set[str] = set()
        self._threads = 1
        self._most_threads = 0
        self._done = 0
        self._stop_at_error = state.options.get("on_error") == "raise"
        self._meter: SpeedMeter | None = None
        self._climb: Climb | None = None
        self._climbing: asyncio.Task[None] | None = None
        #: Whether it gives out items.
        self._feeds = False

    async def _open(self) -> None:
        await asyncio.gather(super()._open(), self._first_look())

    async def _do(self) -> tuple[RunPhase, str]:
        try:
            return await super()._do()
        finally:
            self._complete_payload()  # nothing, once it was finished

    async def work(self) -> tuple[RunPhase, str]:
        """As `Execution.work`."""
        looking = asyncio.create_task(keep_looking(self.look))
        flying: set[asyncio.Task[None]] = set()
        try:
            self._batcher.weigh()
            if self.state.detached:
                await self._send_all(await self._probe())
                return "running", ""
            self._feeds = True
            wish = wish_of(self.state.options, self.state.created)
            if wish is not None and self._climbing is None:
                self._try_sizes(wish)
            await self._fly(flying)
        except RunFailed as error:
            self.error = error
            return "failed", error.why
        finally:
            looking.cancel()
            try:
                await to_the_end(self._end_climb())
            finally:
                self.tasks.stopping = self.tasks.stopping or bool(flying)
                for task in flying:
                    task.cancel()
        return await self._conclude()

    def _complete_payload(self) -> None:
        """Store the items that were not done, so that a run that was cut short can be repeated, too."""
        if self._payload_file is None or self._payload_file.finished:
            return
        rest = self._batcher.not_done()
        if rest is None:
            self._payload_file.give_up("it came from a generator, and the run ended before all of it was read")
            return
        try:
            for start, count, packed in rest:
                self._payload_file.add(start, count, packed)
        except NotPicklable as error:  # the run ended before it came to this one
            self._payload_file.give_up(str(error))
        self._payload_file.finish()

    async def _conclude(self) -> tuple[RunPhase, str]:
        if self._payload_file is not None:
            await asyncio.wrap_future(self._payload_file.finish())
        if self.errors and len(self.errors) == self._done:
            first = self.errors[0]
            which = f"{'All' if self._done > 1 else 'The'} {count(self._done, 'item')}"
            self.error = ItemsFailed(
                f"{which} of the run {self.state.name!r} failed",
                f"item {first.index} ({first.item}) raised {first.error}",
                todo(self._first_record, self.state.variables),
            )
            self.error.__cause__ = exception_of(self._first_record)
            return "failed", f"item {first.index} ({first.item}): {first.error}"
        return "done", ""

    #: What is known of the first error that came.
    _first_record: dict[str, Any]

    async def _fly(self, flying: set[asyncio.Task[None]]) -> None:
        """Keep every thread busy until there is nothing left."""
        while True:
            while len(flying) < self._window():
                began = time.monotonic()
                batch = await self._batcher.next(self._threads)
                if batch is None:
                    break
                if self._meter is not None:
                    self._meter.starved(time.monotonic() - began)
                flying.add(asyncio.create_task(self._fetch(batch)))
            if not flying:
                return
            done, _ = await asyncio.wait(flying, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                flying.discard(task)
                task.result()

    def _window(self) -> int:
        if not self._batcher.plan.measured:
            return self._threads
        return max(self._threads, self._most_threads) * (1 + AHEAD)

    async def _fetch(self, batch: Batch) -> None:
        """Send a batch and take in what it gives."""
        plan = self._batcher.plan
        budget = None if self.state.detached else plan.budget()
        packed = parts.part(batch.index, batch.start, batch.count, batch.packed, budget)
        outcome = await self.tasks.insist(
            packed, batch.index, self.payload, lambda future: self._outcome_of(future, batch)
        )
        self._accept(batch, outcome)

    async def _outcome_of(self, future: Future[Any], batch: Batch) -> dict[str, Any]:
        if not self.payload.head["keep"]:
            outcome = await self.tasks.outcome(future)
        else:
            client = self.session.client
            name = f"mlkept-{self.state.id}-{batch.index}"
            self.kept[batch.start] = client.submit(kept_results, future, None, key=name, pure=False)
            known = client.submit(without_results, future, key=f"{name}-known", pure=False)
            outcome = await self.tasks.outcome(known)
        if not self.state.detached or self.payload.head["keep"]:
            self.tasks.drop(future)
        return outcome

    def _accept(self, batch: Batch, outcome: dict[str, Any]) -> None:
        count = outcome["n"]
        self.display(outcome.get("displays", []))
        if outcome.get("broken"):
            first = outcome["errors"][0]
            error = RunFailed(f"The run {self.state.name!r} failed", first["error"], todo(first))
            raise error from exception_of(first)
        self._batcher.plan.measure(count, outcome.get("seconds", 0.0))
        self._done += count
        if self._meter is not None:
            self._meter.take(count, len(outcome["errors"]), outcome.get("seconds", 0.0), time.monotonic())
        if count < batch.count and not (self._stop_at_error and outcome["errors"]):
            self._batcher.take_back(batch, count)
        if self._payload_file is not None:
            self._batcher.mark_done(batch, count)
            self._payload_file.add(batch.start, count, self._batcher.pack_done(batch, count))
        if not self.state.detached and not self.payload.head["keep"]:
            self.buffer.add(batch.start, values_of(outcome))
            self.channel.ring()
        self._say_left(set(outcome.get("left", ())))
        if outcome["errors"]:
            self._note_errors(outcome["errors"])

    def _say_left(self, names: set[str]) -> None:
        """What items changed in place stays on the workers: once for each name."""
        if new := names - self._left:
            self._left |= new
            self.channel.say(
                f"{changed(sorted(new))} on the workers, each of which has a copy; here it is as it was. "
                "What is to come back must be an item's result."
            )

    def _note_errors(self, records: list[dict[str, Any]]) -> None:
        if not self.errors:
            self._first_record = records[0]
        self.errors = sorted([*self.errors, *map(item_error, records)], key=lambda error: error.index)
        if self._stop_at_error:
            first = records[0]
            error = RunFailed(
                f"Item {first['index']} ({first['item']}) of the run {self.state.name!r} failed",
                first["error"],
                todo(first, self.state.variables),
            )
            raise error from exception_of(first)

    # Sizes

    @property
    def items(self) -> int:
        """As `Climbed.items`."""
        return self._batcher.items.total or 0

    @property
    def left(self) -> int:
        """As `Climbed.left`."""
        return max(0, self.items - self._done)

    @property
    def spent(self) -> float:
        """As `Climbed.spent`."""
        return self.state.cost.amount or 0.0

    def measure(self, meter: SpeedMeter | None) -> None:
        """As `Climbed.measure`."""
        self._meter = meter

    async def look(self) -> int:
        """As `Climbed.look`."""
        self._threads = await self.tasks.threads()
        return self._threads

    def hear(self, view: RunView) -> None:
        """As `Execution.hear`: a person may ask, while it runs, that sizes are tried."""
        asked = view.run.ladder is not None and view.run.ladder.phase == "asked"
        if asked and (self._feeds or self.fixed) and self._climbing is None:
            self._try_sizes(Wish(None))

    def _try_sizes(self, wish: Wish) -> None:
        if self.fixed:
            ladder = Ladder(phase="done", why=self.fixed)
            self._climbing = asyncio.create_task(self._tell_ladder(ladder))
            return
        self._climb = Climb(self.session, self.state.group, self, self.state.id, wish, self._tell_ladder)
        self._climbing = asyncio.create_task(self._climb.climb())

    async def _tell_ladder(self, ladder: Ladder) -> None:
        with contextlib.suppress(MlopsError):  # the cluster is silent, or of a version that shows none
            await self.session.link.note_ladder(self.state.id, ladder)
        if ladder.phase == "done":
            told = Entry(seq=0, time=time.time(), kind="print", text=f"{ladder}\n")
            self.channel.put(None, [told])

    async def _end_climb(self) -> None:
        self._feeds = False
        if self._climbing is not None:
            await end_tasks(self._climbing)
        if self._climb is not None:
            await self._climb.close()

    # Detached

    async def _probe(self) -> list[Batch]:
        """Learn how long an item takes: first from one item per thread, then from one batch per thread, since a
        worker's first item takes longer than all others. Returns the batches that were not waited for any more."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PROBING
        flying: dict[asyncio.Task[None], Batch] = {}
        try:
            for _ in range(2):
                batches = [batch for _ in range(self._threads) if (batch := await self._batcher.next(self._threads))]
                flying = {asyncio.create_task(self._fetch(batch)): batch for batch in batches}
                if flying:
                    await asyncio.wait(flying, timeout=max(0.0, deadline - loop.time()))
                for task in flying:
                    if task.done():
                        task.result()
                if not all(task.done() for task in flying):
                    self._batcher.plan.measure(1, PROBING)
                    break
        finally:
            self.tasks.stopping = True  # those that compute are the cluster's from here on
            await end_tasks(*flying)
        return [batch for task, batch in flying.items() if task.cancelled() or task.exception()]

    async def _send_all(self, sent: list[Batch]) -> None:
        """Send all batches that are left at once, and let the cluster end the run. Nothing is known yet of the batches
        in `sent`."""
        if self._payload_file is not None:
            for batch in sent:
                self._payload_file.add(batch.start, batch.count, batch.packed)
        pending: list[bytes] = []
        first = self._batcher.given
        for batch in self._batcher.all_left(self._threads):
            pending.append(parts.part(batch.index, batch.start, batch.count, batch.packed, None))
            if self._payload_file is not None:
                self._payload_file.add(batch.start, batch.count, batch.packed)
            if sum(map(len, pending)) > MESSAGE or len(pending) >= TASKS:
                self.tasks.send_many(pending, first)
                first, pending = self._batcher.given, []
                await asyncio.sleep(0)
        if pending:
            self.tasks.send_many(pending, first)
        if self._payload_file is not None:
            await asyncio.wrap_future(self._payload_file.finish())
        await self.tasks.plan(self._batcher.items.total, self._batcher.given)

    # Workers

    async def _first_look(self) -> None:
        await self.look()
        view = await self.session.link.view(workers=False)
        for group in view.state.groups:
            if group.adaptive and self.state.group in (None, group.name):
                self._most_threads += group.maximum * max(1, round(group.cpus))

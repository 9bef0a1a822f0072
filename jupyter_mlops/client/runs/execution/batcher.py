"""Gives out the items of a map in batches, sized by what was measured. Items that a task had no time for are given out
again."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from concurrent.futures import CancelledError as Cancelled
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from ....core.errors import NotPicklable, RunFailed
from ...send.pickling import pack_items
from .arrived import arrived
from .batches import Plan
from .channel import Channel
from .items import Items, Streamed

#: Items that are pickled to learn how large they are.
SAMPLE = 64


@dataclass(frozen=True)
class Batch:
    """Items on their way."""

    index: int
    start: int
    count: int
    packed: bytes


class Batcher:
    """Gives out the batches of a run.

    Parameters
    ----------
    items : where batches come from.
    channel : reaches the thread that waits for the run, where an iterator is read.
    run : the run's name, for what is said of an iterator that raised.
    alone : whether a batch that only measures has one item, so that no task returns before it is done.
    """

    def __init__(self, items: Items, channel: Channel, run: str, alone: bool) -> None:
        self.items = items
        self.plan = Plan(items.total)
        #: Batches that were given out.
        self.given = 0
        self._channel, self._run, self._alone = channel, run, alone
        self._rest: deque[tuple[int, int]] = deque()
        #: Items of a stream that a task had no time for: they can't be read again. First index → items.
        self._unfinished: dict[int, list[Any]] = {}
        self._end = False
        #: First index and number of the items that were done.
        self._done: list[tuple[int, int]] = []

    def weigh(self) -> None:
        """Learn from the first items how large they are."""
        if self.items.total:
            sample = self.items.again(0, min(SAMPLE, self.items.total))
            self.plan.weigh(len(sample), len(pack_items(sample, 0)))

    async def next(self, threads: int) -> Batch | None:
        """The next batch, when `threads` threads share the items; None when there is none.

        Raises
        ------
        RunFailed : the user's iterator raised.
        """
        if self._rest:
            return self._next_returned(threads)
        if self._end:
            return None
        size = self.plan.size(self._left(), threads)
        if self._alone and not self.plan.measured:
            size = 1
        start = self.items.taken
        count, packed = await self._pull(size)
        if not count:
            self._end = True
            return None
        return self._batch(start, count, packed)

    def mark_done(self, batch: Batch, done: int) -> None:
        """Note that the first `done` items of a batch are done."""
        self._done.append((batch.start, done))

    def not_done(self) -> Iterator[tuple[int, int, bytes]] | None:
        """The items that were not done, as first index, number and pickle; None when they can't be had."""
        total = self.items.total
        if total is None or isinstance(self.items, Streamed):
            return None
        return self._gaps(total)

    def _gaps(self, total: int) -> Iterator[tuple[int, int, bytes]]:
        position = 0
        for start, count in [*sorted(self._done), (total, 0)]:
            if start > position:
                yield position, start - position, pack_items(self.items.again(position, start - position), position)
            position = start + count

    def take_back(self, batch: Batch, done: int) -> None:
        """Take back the items after the first `done` of a batch: the task had no time for them."""
        if isinstance(self.items, Streamed):
            self._unfinished[batch.start + done] = arrived(batch.packed)[done:]
        self._rest.append((batch.start + done, batch.count - done))
        self._rest = deque(sorted(self._rest))

    def all_left(self, threads: int) -> Iterator[Batch]:
        """Everything that is left, for a run that nobody feeds."""
        if self.items.total is None:
            raise AssertionError("a stream is read before it is detached")
        start = self.items.taken
        for size in self.plan.cut(self.items.total - start, threads):
            yield self._batch(start, size, pack_items(self.items.again(start, size), start))
            start += size

    @staticmethod
    def pack_done(batch: Batch, count: int) -> bytes:
        """The first `count` items of a batch, as they travel."""
        return batch.packed if count == batch.count else pack_items(arrived(batch.packed)[:count], batch.start)

    def _next_returned(self, threads: int) -> Batch:
        size = self.plan.size(self._left(), threads)
        start, count = self._rest.popleft()
        items = self._unfinished.pop(start, None)
        if size < count:
            self._rest.appendleft((start + size, count - size))
            if items is not None:
                self._unfinished[start + size], items = items[size:], items[:size]
            count = size
        if items is None:
            items = self.items.again(start, count)
        return self._batch(start, count, pack_items(items, start))

    def _batch(self, start: int, count: int, packed: bytes) -> Batch:
        self.plan.weigh(count, len(packed))
        batch = Batch(self.given, start, count, packed)
        self.given += 1
        return batch

    async def _pull(self, size: int) -> tuple[int, bytes]:
        """The next items. An iterator is read in the thread that waits for the run, where its user made it."""
        if not isinstance(self.items, Streamed):
            return self.items.take_packed(size)
        try:
            return await asyncio.wrap_future(self._channel.request(lambda: self.items.take_packed(size)))
        except (asyncio.CancelledError, Cancelled):
            raise
        except NotPicklable:
            raise
        except Exception as error:  # noqa: BLE001 - the code that gives items may raise anything
            failed = RunFailed(f"The items of the run {self._run!r} ended early", f"{type(error).__name__}: {error}")
            raise failed from error.with_traceback(_users(error.__traceback__))

    def _left(self) -> int | None:
        """Items that are still to be given out; None while nobody knows how many an iterator has."""
        returned = sum(count for _, count in self._rest)
        if self._end:
            return returned
        return None if self.items.total is None else self.items.total - self.items.taken + returned


#: Whose frames stand between a run and the code that gives its items.
_BETWEEN = frozenset({__name__.partition(".")[0], "asyncio", "concurrent"})


def _users(frames: TracebackType | None) -> TracebackType | None:
    """The frames from the first one on that is of the user's code, or a library's."""
    while frames is not None and str(frames.tb_frame.f_globals.get("__name__")).partition(".")[0] in _BETWEEN:
        frames = frames.tb_next
    return frames

"""What changed after a sequence number, and who waits to hear of it.

A number grows with every change and starts at the milliseconds of the clock, so that a controller that was restarted
never mistakes a number of its predecessor for one of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from typing import Literal, get_args

from ..core.base import Seconds, Time
from ..core.changes import ChangeTable
from ..core.waiting import wait_for

Noun = Literal["state", "worker", "event", "run"]

#: Seconds between two views to the same watcher: changes in between are told together.
VIEW_INTERVAL: Seconds = 0.25

#: Dropped names that are remembered; a watcher that missed more gets everything anew.
REMEMBERED = 5000


class ChangeTracker:
    """Numbers changes by noun and id, and wakes those who wait for them.

    Parameters
    ----------
    clock : seconds since the epoch; names the first number.
    """

    def __init__(self, clock: Callable[[], Time] = time.time) -> None:
        self.seq = self._first = int(clock() * 1000)
        self._last: dict[Noun, int] = {}
        self._tables: dict[Noun, ChangeTable[str, bool]] = {noun: ChangeTable(REMEMBERED) for noun in get_args(Noun)}
        self._waiters: set[tuple[asyncio.Future[None], frozenset[Noun]]] = set()
        self._flush: asyncio.TimerHandle | None = None
        self._flushed: float = -VIEW_INTERVAL

    def changed(self, noun: Noun, key: str = "") -> int:
        """Say that `key` of `noun` changed. Returns its number."""
        self.seq += 1
        self._last[noun] = self.seq
        if key:
            self._tables[noun].put(key, True, self.seq)
        self._announce(noun)
        return self.seq

    def dropped(self, noun: Noun, key: str) -> None:
        """Say that `key` of `noun` is no longer listed."""
        self.seq += 1
        self._last[noun] = self.seq
        table = self._tables[noun]
        table.drop(key, self.seq)
        self._first = max(self._first, table.floor)
        self._announce(noun)

    def knows(self, seq: int) -> bool:
        """Whether everything after `seq` can be told; if not, the whole must be."""
        return self._first <= seq <= self.seq

    def after(self, noun: Noun, seq: int) -> list[str]:
        """The ids of `noun` that changed after `seq`, the oldest first. Costs what changed, not what there is."""
        return [key for key, there in self._tables[noun].after(seq) if there]

    def gone(self, noun: Noun, seq: int) -> list[str]:
        """The ids of `noun` that were dropped after `seq` and have not come back."""
        return [key for key, there in self._tables[noun].after(seq) if not there]

    async def wait(self, seq: int, nouns: Collection[Noun], timeout: Seconds) -> bool:
        """Return as soon as one of `nouns` changed after `seq`, or False after `timeout` seconds.

        Returns at once for a number that is not known, and at most every `VIEW_INTERVAL` seconds otherwise.
        """
        if not self.knows(seq):
            return True
        waiter = (asyncio.get_running_loop().create_future(), frozenset(nouns))
        self._waiters.add(waiter)
        if self._flush is None and any(self._last.get(noun, 0) > seq for noun in nouns):
            self._schedule()
        try:
            await wait_for(waiter[0], timeout)
        except asyncio.TimeoutError:
            return False
        finally:
            self._waiters.discard(waiter)
        return True

    def flush_now(self) -> None:
        """Tell of the last changes now, however short ago the last view was."""
        self._flushed = -VIEW_INTERVAL
        if self._flush is not None:
            self._flush.cancel()
            self._schedule()

    def wake(self) -> None:
        """Let all who wait go: the cluster ends."""
        for future, _ in self._waiters:
            if not future.done():
                future.set_result(None)
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None

    def _announce(self, noun: Noun) -> None:
        """Let those who wait for `noun` know soon."""
        if self._waiters and self._flush is None and any(noun in nouns for _, nouns in self._waiters):
            self._schedule()

    def _schedule(self) -> None:
        loop = asyncio.get_running_loop()
        self._flush = loop.call_at(max(loop.time(), self._flushed + VIEW_INTERVAL), self._flush_now)

    def _flush_now(self) -> None:
        self._flushed = asyncio.get_running_loop().time()
        self._flush = None
        for future, _ in self._waiters:
            if not future.done():
                future.set_result(None)

"""Runs a function over a batch of items: a tight loop that survives errors, and can stop after a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count, islice
from typing import Any

from .failures import Record, RunStopped, record, short
from .pickling import packed
from .streams import Streams

#: Seconds between two looks at the clock.
LOOK = 0.02

#: Errors of a batch that are kept with their traceback; of the others the text must do.
WHOLE = 10


class ItemBatch:
    """The items from `start` on: which are done, and what they gave.

    Parameters
    ----------
    call : the user's function.
    retries : how often an item that raised is tried again.
    ours : what the names of our own files start with.
    streams : the random generators that the function uses.
    """

    def __init__(
        self,
        call: Callable[[Any], Any],
        items: Sequence[Any],
        start: int,
        retries: int,
        ours: str,
        streams: Streams | None,
    ) -> None:
        self._call, self._items, self._start = call, items, start
        self._retries, self._ours, self._streams = retries, ours, streams
        self.results: list[Any] = []
        self.errors: list[Record] = []
        #: Seconds that it took.
        self.took = 0.0

    def run(self, budget: float | None, stop_at_error: bool, report: Callable[[int, int], None]) -> None:
        """Run items until all are done, `budget` seconds are over (at least one item is done), or one raised and
        `stop_at_error`. Calls `report(done, failed)` about every second."""
        began = time.perf_counter()
        try:
            self._run(budget, stop_at_error, report)
        finally:
            self.took = time.perf_counter() - began

    def _run(self, budget: float | None, stop_at_error: bool, report: Callable[[int, int], None]) -> None:
        total = len(self._items)
        iterator = iter(self._items)
        began = reported = time.perf_counter()
        size = 1
        while len(self.results) < total:
            expected = min(total, len(self.results) + size)
            before = time.perf_counter()
            raised: BaseException | None = None
            try:
                self.results.extend(self._values(islice(iterator, expected - len(self.results))))
            except RunStopped:
                raise
            except BaseException as error:  # noqa: BLE001 - the user's code may raise anything
                raised = error
            if len(self.results) < expected:  # map() takes a StopIteration for the end
                self._failed(raised or StopIteration("the code raised StopIteration"))
            now = time.perf_counter()
            if (stop_at_error and self.errors) or (budget is not None and now - began >= budget):
                return
            if now - reported >= 1.0:
                reported = now
                report(len(self.results), len(self.errors))
            size = size * 2 if now - before < LOOK / 2 else max(1, size // 2) if now - before > LOOK * 2 else size

    def drop_unpicklable(self) -> None:
        """Results that can't be pickled become errors of their items."""
        failed = {error["index"] for error in self.errors}
        for position, result in enumerate(self.results):
            try:
                packed(result)
            except TypeError as error:
                self.results[position] = None
                if self._start + position not in failed:
                    found = record(error, self._ours, whole=len(self.errors) < WHOLE)
                    self.errors.append({**found, "index": self._start + position, "item": short(self._items[position])})

    def _values(self, items: Iterable[Any]) -> Iterator[Any]:
        """What the function gives for the next items."""
        if self._streams is None:
            return map(self._call, items)
        return map(self._value, items, count(self._start + len(self.results)))

    def _value(self, item: Any, index: int) -> Any:
        if self._streams is not None:
            self._streams.begin(index)
        return self._call(item)

    def _failed(self, error: BaseException) -> None:
        """The item after the last result raised: try it again as often as asked, then note it."""
        position = len(self.results)
        item = self._items[position]
        for _ in range(self._retries):
            try:
                self.results.append(self._value(item, self._start + position))
            except RunStopped:
                raise
            except BaseException as again:  # noqa: BLE001 - the user's code may raise anything, each time
                error = again
            else:
                return
        found = record(error, self._ours, whole=len(self.errors) < WHOLE)
        self.errors.append({**found, "index": self._start + position, "item": short(item)})
        self.results.append(None)

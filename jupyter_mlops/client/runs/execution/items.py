"""Slices the items of a map, whatever holds them, into batches that travel as pickled bytes."""

from __future__ import annotations

import glob
import pickle
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

from ....agent.failures import short
from ....core.errors import InvalidItems
from ...send.pickling import pack_items, size_of, type_name

#: Chunks that a table is split into, and bytes of a chunk at most.
CHUNKS = 64
CHUNK_BYTES = 32_000_000

#: Seconds that reading from an iterator may take before what was read is sent.
SLOW = 0.1


class Items(ABC):
    """A source of batches: each item can be taken once, in order."""

    #: How many there are; None when it isn't known before the end.
    total: int | None
    #: How many were taken.
    taken: int = 0

    @abstractmethod
    def take(self, count: int) -> Any:
        """The next items, at most `count`; something empty at the end."""

    def again(self, start: int, count: int) -> Any:
        """Items that were taken before; None when they are gone."""
        return None

    def take_packed(self, count: int) -> tuple[int, bytes]:
        """How many were taken, and their pickle. Raises as `pack_items`."""
        first, batch = self.taken, self.take(count)
        self.taken += len(batch)
        return len(batch), pack_items(batch, first) if len(batch) else b""


class Sliced(Items):
    """Anything with a length and slices: list, tuple, range, array, Series."""

    def __init__(self, values: Any) -> None:
        self._values = values.iloc if hasattr(values, "iloc") else values
        self.total = len(values)

    def take(self, count: int) -> Any:
        """As `Items.take`."""
        return self._values[self.taken : self.taken + count]

    def again(self, start: int, count: int) -> Any:
        """As `Items.again`."""
        return self._values[start : start + count]


class Chunked(Sliced):
    """A table: each item is a table of some of its rows. There are 64, or as many as keep them small."""

    def __init__(self, table: Any) -> None:
        rows = len(table)
        count = max(1, min(rows, max(CHUNKS, size_of(table) // CHUNK_BYTES)))
        self._table = table
        self._bounds = [rows * number // count for number in range(count + 1)] if rows else [0]
        super().__init__(range(len(self._bounds) - 1))

    def take(self, count: int) -> Any:
        """As `Items.take`."""
        return self.again(self.taken, count)

    def again(self, start: int, count: int) -> Any:
        """As `Items.again`."""
        bounds = self._bounds[start : start + count + 1]
        rows = getattr(self._table, "iloc", self._table)
        return [rows[low:high] for low, high in pairwise(bounds)]


class Streamed(Items):
    """An iterator: read as it is needed, never ahead of the tasks that wait."""

    def __init__(self, iterator: Iterator[Any]) -> None:
        self._iterator = iterator
        self.total = None

    def take(self, count: int) -> Any:
        """As `Items.take`; fewer, when the iterator is slow. Whatever it raises is raised."""
        batch: list[Any] = []
        began, step = time.monotonic(), 1
        while len(batch) < count and (not batch or time.monotonic() - began < SLOW):
            before = len(batch)
            step = min(2 * step, count - before)
            batch.extend(islice(self._iterator, step))
            if len(batch) < before + step:
                break
        return batch

    def rest(self) -> Iterator[Any]:
        """What is left, to be read at once."""
        return self._iterator


class Partitions:
    """A Dask collection: its partitions are the items, and stay on the cluster."""

    def __init__(self, parts: list[Any], collection: Any) -> None:
        self.parts = parts
        #: Holds what was computed before, which its partitions only name.
        self._collection = collection
        self.total = len(parts)

    @property
    def computed(self) -> bool:
        """Whether some of it is in a cluster's memory already, and can't be made anew from what is here."""
        from distributed.client import futures_of

        return bool(futures_of(self._collection))


def items_of(values: Any) -> Items | Partitions:
    """The items in `values`.

    Raises
    ------
    InvalidItems : it can't be iterated, or is a pattern that matches no file.
    """
    if isinstance(values, (str, Path)):
        return Sliced(_files(str(values)))
    parts = _partitions(values)
    if parts is not None:
        return Partitions(parts, values)
    if _is_table(values):
        return Chunked(values)
    if isinstance(values, (list, tuple, range)) or (hasattr(values, "__array__") and getattr(values, "ndim", 0) >= 1):
        return Sliced(values)
    if isinstance(values, (set, frozenset, dict)) or type(values).__name__ in (
        "dict_items",
        "dict_keys",
        "dict_values",
    ):
        return Sliced(list(values))
    try:
        if not hasattr(values, "__iter__") and not hasattr(
            values, "__len__"
        ):  # only asked, it would say that it has none
            raise TypeError
        return Streamed(iter(values))
    except TypeError:
        todo = "Use a list, a range, an array, a table, a generator, a pattern of files or a Dask collection."
        if callable(getattr(values, "collect", None)):  # polars' LazyFrame, a query of something else
            todo = "Collect it first: what .collect() gives may have items."
        raise InvalidItems(f"There are no items to map over in {_described(values)}", "", todo) from None


def _described(values: Any) -> str:
    return "None" if values is None else f"{short(values, 60)}, which is of type {type_name(values)}"


def _is_table(values: Any) -> bool:
    return type(values).__name__ == "DataFrame" and hasattr(values, "__len__") and hasattr(values, "columns")


def _files(pattern: str) -> list[str]:
    found = sorted(glob.glob(str(Path(pattern).expanduser()), recursive=True))  # noqa: PTH207 - it takes absolute patterns, too
    if not found:
        raise InvalidItems(
            f"No file matches {pattern!r}", f"seen from {Path.cwd()}", "A text as items is a pattern of file names."
        )
    return [str(Path(path).resolve()) for path in found]


def _partitions(values: Any) -> list[Any] | None:
    if isinstance(values, (list, tuple)) and values and all(_is_delayed(value) for value in values):
        return list(values)
    if not hasattr(values, "__dask_graph__"):
        return None
    if _is_delayed(values):
        return [values]
    delayed = values.to_delayed()
    return list(delayed.ravel()) if hasattr(delayed, "ravel") else list(delayed)


def _is_delayed(value: Any) -> bool:
    return type(value).__module__ == "dask.delayed"


def part(index: int, start: int, count: int, items: bytes, budget: float | None) -> bytes:
    """A task's own part of a run, as the agent reads it."""
    return pickle.dumps({"index": index, "start": start, "n": count, "items": items, "budget": budget}, protocol=5)


def single(index: int = 0) -> bytes:
    """The part of a run that has one task."""
    return pickle.dumps({"index": index}, protocol=5)


def seat_of_trial(index: int, number: int, trial: int, items: bytes) -> bytes:
    """The part of a seat, which is the one of that `number` of the gang that is a `trial` of a sweep."""
    of = {"index": index, "seat": number, "trial": trial, "start": trial, "n": 1, "items": items, "budget": None}
    return pickle.dumps(of, protocol=5)


def seat(index: int) -> bytes:
    """The part of a gang's seat whose ranks are given the task's first input."""
    return pickle.dumps({"index": index, "given": True}, protocol=5)


def partition(index: int) -> bytes:
    """The part of a run whose item is the task's first input: a partition of a Dask collection."""
    return pickle.dumps({"index": index, "start": index, "n": 1, "partition": True, "budget": None}, protocol=5)

"""How many items go into a task: decided from what was measured. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from ....core.base import Seconds

#: Seconds that a task should take: long enough that its overhead doesn't count, short enough to be spread evenly.
TARGET = 0.7

#: Seconds after which a task of an attached map returns what it has; the rest becomes another task.
BUDGET = 1.0

#: Seconds of the first tasks, which measure.
PROBE = 0.1

#: Seconds below which a task would be mostly overhead.
LEAST = 0.05

#: Items, and bytes, of a task at most.
MOST_ITEMS = 100_000
MOST_BYTES = 4_000_000

#: Tasks that are sent at once at most: more of them than this weigh on Dask's scheduler.
MOST_TASKS = 10_000

#: Items, and bytes, of a probe at most: what it has no time for comes back unread.
PROBE_ITEMS = 50_000
PROBE_BYTES = 1_000_000

#: Tasks that wait on each thread, so that it never waits for the kernel.
AHEAD = 2


@dataclass
class Plan:
    """Sizes of batches, as measurements come in.

    Parameters
    ----------
    total : items of the map, None when unknown.
    target : seconds that a task should take.
    """

    total: int | None
    target: Seconds = TARGET
    _seconds: float = field(default=0.0, init=False)
    _items: int = field(default=0, init=False)
    _bytes_per_item: float = field(default=0.0, init=False)

    @property
    def measured(self) -> bool:
        """Whether a batch has come back."""
        return self._items > 0

    @property
    def item_time(self) -> float:
        """Seconds an item, lately."""
        return self._seconds / self._items if self._items else 0.0

    def weigh(self, items: int, size: int) -> None:
        """A batch of `items` items was pickled into `size` bytes."""
        self._bytes_per_item = size / items if items else self._bytes_per_item

    def measure(self, items: int, seconds: float) -> None:
        """A batch of `items` items took `seconds`. Later ones count more: items may get slower."""
        if items:
            self._seconds, self._items = self._seconds / 2 + seconds, self._items / 2 + items  # type: ignore[assignment]  # a weight

    def budget(self) -> float:
        """Seconds after which a batch returns what it has."""
        return BUDGET if self.measured else PROBE

    def size(self, left: int | None, threads: int) -> int:
        """Items of the next batch, when `left` are left (None: unknown) and `threads` threads share them."""
        threads = max(1, threads)
        most = (
            MOST_ITEMS if not self._bytes_per_item else max(1, min(MOST_ITEMS, int(MOST_BYTES / self._bytes_per_item)))
        )
        if left is not None:
            most = min(most, max(1, left))
        if not self.measured:
            share = most if self.total is None else -(-self.total // threads)  # light work is over in one round
            light = int(PROBE_BYTES / self._bytes_per_item) if self._bytes_per_item else 100
            return max(1, min(most, share, PROBE_ITEMS, light))
        item = max(self.item_time, 1e-9)
        wanted = self.target / item
        if left is not None:  # towards the end ever smaller ones, so that all threads end together
            wanted = min(wanted, max(left / (2 * threads), LEAST / item))
        return max(1, min(most, int(wanted)))

    def cut(self, left: int, threads: int) -> list[int]:
        """The sizes of all batches of `left` items at once, for a run that nobody feeds."""
        sizes = []
        least = -(-left // MOST_TASKS)
        while left > 0:
            size = min(left, max(least, self.size(left, threads)))
            sizes.append(size)
            left -= size
        return sizes

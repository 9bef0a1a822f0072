"""What is newer than a number: the memory from which those who were away, or are slow, are told what they missed.

The writer gives each change a number, and the numbers only grow. A reader remembers the last number that it saw, and
asks for what came after that. Nothing is stored per reader.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Iterator
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT")
KeyT = TypeVar("KeyT", bound=Hashable)


class ChangeLog(Generic[ItemT]):
    """Items that are only added, each with the number of the change that it came with.

    Parameters
    ----------
    length : items that are remembered; None remembers all until `drop_oldest` is called.
    items : what was there before, all with the number 0.
    """

    def __init__(self, length: int | None = None, items: Iterable[ItemT] = ()) -> None:
        self._items: deque[tuple[int, ItemT]] = deque((0, item) for item in items)
        self._length = length
        #: Whoever saw nothing after this number can't be told all that came since: the oldest items are forgotten.
        self.floor = 0
        self._trim()

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[ItemT]:
        return (item for _, item in self._items)

    def add(self, item: ItemT, seq: int) -> None:
        """Add `item`, which came with the change `seq`."""
        self._items.append((seq, item))
        self._trim()

    def after(self, seq: int) -> list[ItemT]:
        """The items that came after the change `seq`, oldest first. Costs what is newer, not what there is."""
        return _newer(reversed(self._items), seq)

    def drop_oldest(self) -> ItemT:
        """Forget the oldest item, and return it. Raises `IndexError` when there is none."""
        self.floor, item = self._items.popleft()
        return item

    def _trim(self) -> None:
        while self._length is not None and len(self._items) > self._length:
            self.drop_oldest()


class ChangeTable(Generic[KeyT, ItemT]):
    """The newest value of each key, in the order of their last changes; None for a key that is gone.

    Parameters
    ----------
    remembered : keys that are gone and are still told of.
    """

    def __init__(self, remembered: int = 1000) -> None:
        self._rows: dict[KeyT, tuple[int, tuple[KeyT, ItemT | None]]] = {}
        self._gone: deque[tuple[int, KeyT]] = deque()
        self._remembered = remembered
        #: Whoever saw nothing after this number can't be told of all keys that are gone.
        self.floor = 0

    def __contains__(self, key: KeyT) -> bool:
        return self.get(key) is not None

    def get(self, key: KeyT) -> ItemT | None:
        """The value of `key`; None when it is gone, or never was there."""
        row = self._rows.get(key)
        return None if row is None else row[1][1]

    def put(self, key: KeyT, value: ItemT, seq: int) -> None:
        """`key` has the value `value` since the change `seq`."""
        self._rows.pop(key, None)  # so that it goes to the end
        self._rows[key] = (seq, (key, value))

    def drop(self, key: KeyT, seq: int) -> bool:
        """`key` is gone since the change `seq`; False when it was not there."""
        if key not in self:
            return False
        del self._rows[key]
        self._rows[key] = (seq, (key, None))
        self._gone.append((seq, key))
        while len(self._gone) > self._remembered:
            self._forget(*self._gone.popleft())
        return True

    def after(self, seq: int) -> list[tuple[KeyT, ItemT | None]]:
        """Keys that changed after `seq` with their values, the oldest change first. Costs what is newer."""
        return _newer(reversed(self._rows.values()), seq)

    def items(self) -> Iterator[tuple[KeyT, ItemT]]:
        """All that is there, the oldest change first."""
        return ((key, value) for _, (key, value) in self._rows.values() if value is not None)

    def _forget(self, seq: int, key: KeyT) -> None:
        row = self._rows.get(key)
        if row is not None and row[0] == seq:  # it has not come back since
            del self._rows[key]
            self.floor = max(self.floor, seq)


def _newer(newest_first: Iterable[tuple[int, ItemT]], seq: int) -> list[ItemT]:
    found = []
    for number, item in newest_first:
        if number <= seq:
            break
        found.append(item)
    found.reverse()
    return found

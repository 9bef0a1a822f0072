"""What is latest, and what changed since a number: the memory that browsers resume from.

Nothing is kept per browser. A row holds the newest text only, so that a browser that was away, or is slow, gets each
thing once, as it is now.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)


class Table(Generic[KeyT]):
    """The latest text of each key, in the order of their last changes; None for a key that is gone.

    Of keys that are gone the last `graves` are remembered; who saw nothing after `floor` can't be told all of them.
    """

    def __init__(self, graves: int = 1000) -> None:
        self._rows: dict[KeyT, tuple[int, str | None]] = {}
        self._gone: deque[tuple[int, KeyT]] = deque()
        self._graves = graves
        self.floor = 0

    def __contains__(self, key: KeyT) -> bool:
        return self._rows.get(key, (0, None))[1] is not None

    def put(self, key: KeyT, text: str, seq: int) -> bool:
        """`key` is now `text`; False when it was already."""
        if (old := self._rows.get(key)) is not None:
            if old[1] == text:
                return False
            del self._rows[key]  # so that it goes to the end
        self._rows[key] = (seq, text)
        return True

    def drop(self, key: KeyT, seq: int) -> bool:
        """`key` is gone; False when it was not there."""
        if key not in self:
            return False
        del self._rows[key]
        self._rows[key] = (seq, None)
        self._gone.append((seq, key))
        while len(self._gone) > self._graves:
            self._bury(*self._gone.popleft())
        return True

    def _bury(self, seq: int, key: KeyT) -> None:
        if self._rows.get(key) == (seq, None):
            del self._rows[key]
            self.floor = max(self.floor, seq)

    def since(self, seq: int) -> list[tuple[KeyT, str | None]]:
        """Rows that changed after `seq`, the oldest change first."""
        changed = []
        for key, (at, text) in reversed(self._rows.items()):
            if at <= seq:
                break
            changed.append((key, text))
        changed.reverse()
        return changed

    def items(self) -> Iterator[tuple[KeyT, str]]:
        """All that is there, the oldest change first."""
        return ((key, text) for key, (_, text) in self._rows.items() if text is not None)


class Tail:
    """The last `length` lines of something that only grows. Who saw nothing after `floor` gets all that is kept."""

    def __init__(self, length: int = 2000) -> None:
        self._lines: deque[tuple[int, str]] = deque()
        self._length = length
        self.floor = 0

    def add(self, text: str, seq: int) -> None:
        """A new line."""
        self._lines.append((seq, text))
        if len(self._lines) > self._length:
            self.floor = self._lines.popleft()[0]

    def since(self, seq: int) -> list[str]:
        """Lines added after `seq`, oldest first."""
        lines = []
        for at, text in reversed(self._lines):
            if at <= seq:
                break
            lines.append(text)
        lines.reverse()
        return lines

"""The results of a map, put into order as they come."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any


class ResultBuffer:
    """Takes pieces in any order, gives values in the items' order.

    Parameters
    ----------
    keep : whether values that were streamed are kept for later; a generator's results may be too many.
    """

    def __init__(self, keep: bool) -> None:
        self._keep = keep
        self._lock = threading.Lock()
        self._pieces: dict[int, list[Any]] = {}
        self._values: list[Any] = []
        self._dropped = 0
        self._next = 0

    @property
    def ready(self) -> int:
        """How many values there are from the first on, without a gap."""
        return self._next

    @property
    def streamed(self) -> int:
        """How many were given away, and are gone."""
        return self._dropped

    def add(self, start: int, values: list[Any]) -> None:
        """The values of the items from `start` on."""
        with self._lock:
            self._pieces[start] = values
            while self._next in self._pieces:
                piece = self._pieces.pop(self._next)
                self._values += piece
                self._next += len(piece)

    def all(self) -> list[Any]:
        """All values that are ready."""
        with self._lock:
            return self._values

    def since(self, position: int) -> Iterable[Any]:
        """The values that are ready from `position` on."""
        with self._lock:
            values = self._values[position - self._dropped :]
            if not self._keep:
                self._dropped += len(self._values)
                self._values = []
            return values


class Results(list[Any]):
    """A list, shown in short."""

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        if cycle or len(self) <= 20:
            printer.text(list.__repr__(self) if not cycle else "[…]")
            return
        head = ", ".join(_short(value) for value in self[:6])
        tail = ", ".join(_short(value) for value in self[-2:])
        printer.text(f"[{head}, …, {tail}]  ({len(self):,} results)")

    def failures(self) -> Iterator[Any]:
        """The items that raised."""
        from .outcomes import FailedItem

        return (value for value in self if isinstance(value, FailedItem))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"

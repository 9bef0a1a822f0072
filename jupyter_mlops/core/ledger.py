"""The ledger: what was used when. Pure; the file it is kept in belongs to the controller."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from .model import Model, Time
from .price import Cost, Price, Usage, amount_of, usage_of


class LedgerEntry(Model):
    """A line of the ledger: a worker began (`open`) or ceased (`close`) to hold its resources.

    An `open` carries the shape, so that a ledger can be summed without its spec.
    """

    time: Time
    kind: Literal["open", "close"]
    worker: str
    group: str = ""
    cpus: float = 0
    memory: float = 0
    gpus: float = 0


class Ledger:
    """Sums of a ledger's entries at any moment, in constant time per worker that is open.

    Entries must come in the order in which they were written. An `open` of a worker that is open and a `close` of one
    that is not are ignored, so that replaying an overlap changes nothing. A clock that goes backwards adds nothing.
    """

    def __init__(self, entries: Iterable[LedgerEntry] = ()) -> None:
        self._closed: dict[str, Usage] = {}
        self._open: dict[str, LedgerEntry] = {}
        self.most_workers = 0
        for entry in entries:
            self.add(entry)

    @property
    def open_workers(self) -> list[str]:
        """Workers that hold resources now."""
        return list(self._open)

    def add(self, entry: LedgerEntry) -> bool:
        """Take `entry` in; False when it changes nothing."""
        if entry.kind == "open":
            if entry.worker in self._open:
                return False
            self._open[entry.worker] = entry
            self.most_workers = max(self.most_workers, len(self._open))
            return True
        opened = self._open.pop(entry.worker, None)
        if opened is None:
            return False
        self._closed[opened.group] = self._closed.get(opened.group, Usage()) + _held(opened, entry.time)
        return True

    def usage(self, now: Time, group: str | None = None) -> Usage:
        """What was used until `now`, by one group or by all."""
        total = Usage()
        for name, usage in self._closed.items():
            if group is None or name == group:
                total += usage
        for entry in self._open.values():
            if group is None or entry.group == group:
                total += _held(entry, now)
        return total

    def per_hour(self, price: Price, group: str | None = None) -> float | None:
        """Money for an hour of what is held now; None when a rate is unknown."""
        held = [entry for entry in self._open.values() if group is None or entry.group == group]
        sums = [sum(shape) for shape in zip(*[(entry.cpus, entry.memory, entry.gpus) for entry in held], strict=True)]
        return price.per_hour(*sums) if sums else price.per_hour(0, 0)

    def cost(self, price: Price, now: Time, group: str | None = None) -> Cost:
        """Money and usage until `now`."""
        usage = self.usage(now, group)
        return Cost(
            amount=amount_of(usage, price),
            per_hour=self.per_hour(price, group),
            currency=price.currency,
            source=price.source,
            date=price.date,
            usage=usage,
        )


def _held(opened: LedgerEntry, until: Time) -> Usage:
    return usage_of(max(0.0, until - opened.time), opened.cpus, opened.memory, opened.gpus)

"""The ledger: what was used when. Pure; the file it is kept in belongs to the controller."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from .model import Model, Seconds, Time
from .price import GB, HOUR, Cost, Price, Usage, amount_of


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


class _Group:
    """Running sums of one group: what is held now, and what was used until now."""

    def __init__(self) -> None:
        self.workers = 0
        self.cpus = 0.0
        self.memory = 0.0
        self.gpus = 0.0
        self.used = Usage()

    def hold(self, entry: LedgerEntry, sign: int) -> None:
        self.workers += sign
        self.cpus += sign * entry.cpus
        self.memory += sign * entry.memory
        self.gpus += sign * entry.gpus
        if not self.workers:  # what floats left over must not go on costing
            self.cpus = self.memory = self.gpus = 0.0

    def after(self, seconds: Seconds) -> Usage:
        """What was used, `seconds` later, if nothing changes."""
        if not self.workers or seconds <= 0:
            return self.used
        hours = seconds / HOUR
        return Usage(
            worker_hours=self.used.worker_hours + hours * self.workers,
            cpu_hours=self.used.cpu_hours + hours * self.cpus,
            gb_hours=self.used.gb_hours + hours * self.memory / GB,
            gpu_hours=self.used.gpu_hours + hours * self.gpus,
        )


class Ledger:
    """Sums of a ledger's entries at any moment, in constant time however many workers there are.

    Entries must come in the order in which they were written. An `open` of a worker that is open and a `close` of one
    that is not are ignored, so that replaying an overlap changes nothing. A clock that goes backwards adds nothing.
    """

    def __init__(self, entries: Iterable[LedgerEntry] = ()) -> None:
        self._groups: dict[str, _Group] = {}
        self._open: dict[str, LedgerEntry] = {}
        self._until: Time | None = None
        self.most_workers = 0
        for entry in entries:
            self.add(entry)

    @property
    def open_workers(self) -> list[str]:
        """Workers that hold resources now."""
        return list(self._open)

    @property
    def groups(self) -> list[str]:
        """Groups that ever had a worker."""
        return list(self._groups)

    def add(self, entry: LedgerEntry) -> bool:
        """Take `entry` in; False when it changes nothing."""
        if (entry.kind == "open") == (entry.worker in self._open):
            return False
        self._advance(entry.time)
        if entry.kind == "open":
            self._open[entry.worker] = entry
            self._groups.setdefault(entry.group, _Group()).hold(entry, 1)
            self.most_workers = max(self.most_workers, len(self._open))
        else:
            opened = self._open.pop(entry.worker)
            self._groups[opened.group].hold(opened, -1)
        return True

    def _advance(self, now: Time) -> None:
        if self._until is not None:
            for sums in self._groups.values():
                sums.used = sums.after(now - self._until)
        self._until = now

    def usage(self, now: Time, group: str | None = None) -> Usage:
        """What was used until `now`, by one group or by all."""
        seconds = 0.0 if self._until is None else now - self._until
        total = Usage()
        for sums in self._of(group):
            total += sums.after(seconds)
        return total

    def per_hour(self, price: Price, group: str | None = None) -> float | None:
        """Money for an hour of what is held now; None when a rate is unknown."""
        held = self._of(group)
        return price.per_hour(
            sum(sums.cpus for sums in held), sum(sums.memory for sums in held), sum(sums.gpus for sums in held)
        )

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

    def _of(self, group: str | None) -> list[_Group]:
        return [sums for name, sums in self._groups.items() if group is None or name == group]

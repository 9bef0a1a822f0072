"""The ledger: what was used when. Pure; the file it is kept in belongs to the controller."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from .base import Record, Time
from .costs import Part, Share, cost_of
from .price import GB, HOUR, Cost, Dedicated, HostPrice, Price, Usage
from .sums import NOTHING, Sums, Vector, plus


class LedgerEntry(Record):
    """A line of the ledger: a worker began (`open`) or ceased (`close`) to hold its resources, or a `host` is priced.

    An `open` carries the shape and the host, and a `host` its price, so that a ledger can be summed without its spec
    and without asking anybody again. `written` is set where a line was written later than what it tells happened.
    """

    time: Time
    kind: Literal["open", "close", "host"]
    worker: str = ""
    group: str = ""
    cpus: float = 0
    memory: float = 0
    gpus: float = 0
    host: str = ""
    price: HostPrice | None = None
    written: Time | None = None

    @property
    def shape(self) -> Vector:
        """One worker, its CPUs, GB and GPUs."""
        return (1.0, self.cpus, self.memory / GB, self.gpus)


#: Whose rates count: "" the cluster's, "?NAME" those of a host that isn't priced yet, else a key of `Ledger._told`.
_Tag = str


class _Open:
    """A worker that holds resources: its entry, when it came in the ledger's own time, and whose rates count."""

    def __init__(self, entry: LedgerEntry, at: float, tag: _Tag) -> None:
        self.entry, self.at, self.tag = entry, at, tag


class _Host:
    """A host: its price once that is told, its workers now, and since when it has had any."""

    def __init__(self) -> None:
        self.price: HostPrice | None = None
        self.workers: set[str] = set()
        self.since = 0.0
        #: Seconds that it had workers before its price was told.
        self.waited = 0.0


class Ledger:
    """Sums of a ledger's entries at any moment, in a time that doesn't grow with the number of workers or hosts.

    Entries must come in the order in which they were written. An `open` of a worker that is open and a `close` of one
    that is not are ignored, so that replaying an overlap changes nothing. A clock that goes backwards adds nothing. A
    price that is told after a worker came counts for it from its beginning.
    """

    def __init__(self, entries: Iterable[LedgerEntry] = ()) -> None:
        self._sums: dict[tuple[str, _Tag], Sums] = {}
        self._told: dict[_Tag, HostPrice] = {}
        self._open: dict[str, _Open] = {}
        self._hosts: dict[str, _Host] = {}
        #: Hosts with a known price (as a vector of 1 and money an hour) and those without.
        self._priced, self._unpriced = Sums(), Sums()
        self._until: Time | None = None
        #: The ledger's own time: seconds that have passed in it, which never go back.
        self._passed = 0.0
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
        return list(dict.fromkeys(group for group, _ in self._sums))

    def has_price(self, host: str) -> bool:
        """Whether a host's price was told, or that it is unknown."""
        known = self._hosts.get(host)
        return known is not None and known.price is not None

    @property
    def unpriced(self) -> list[str]:
        """Hosts that nobody has told the price of, not even that it is unknown."""
        return [name for name, host in self._hosts.items() if host.price is None]

    def add(self, entry: LedgerEntry) -> bool:
        """Take `entry` in; False when it changes nothing."""
        if entry.kind == "host":
            return self._price_host(entry)
        known = self._open.get(entry.worker)
        if entry.kind == "open" and known is not None and entry.host and not known.entry.host:
            self._place(known, entry)
            return True
        if (entry.kind == "open") == (known is not None):
            return False
        self._advance(entry.written or entry.time)
        at = self._passed - max(0.0, (entry.written or entry.time) - entry.time)
        if entry.kind == "open":
            self._hold(entry, at)
            self.most_workers = max(self.most_workers, len(self._open))
        else:
            self._end(self._open.pop(entry.worker), at)
        return True

    def usage(self, now: Time, group: str | None = None) -> Usage:
        """What was used until `now`, by one group or by all."""
        return self.cost(Price(), now, group).usage

    def share(self, worker: str, of: int, price: Price) -> Share | None:
        """One of `of` equal parts of a worker that holds resources, at its host's rates, else at `price`."""
        opened = self._open.get(worker)
        if opened is None:
            return None
        return Share(plus(NOTHING, opened.entry.shape, 1 / of), self._price(opened.tag, price))

    def per_hour(self, price: Price, group: str | None = None) -> float | None:
        """Money for an hour of what is held now, as far as it is known."""
        return self.cost(price, self._until or 0, group).per_hour

    def cost(self, price: Price, now: Time, group: str | None = None) -> Cost:
        """Money and usage until `now`; `price` counts for workers whose host has no price of its own."""
        parts = [part for (name, _), part in self.parts(price, now).items() if group is None or name == group]
        cost = cost_of(parts, price)
        if group is not None:
            return cost
        return cost.model_copy(update={"dedicated": self._dedicated(self._passed_at(now))})

    def parts(self, price: Price, now: Time) -> dict[tuple[str, str], Part]:
        """What was used until `now`, by `key`, which workers of one group with the same rates share."""
        passed = self._passed_at(now)
        return {
            key: Part(self._price(key[1], price), sums.used(passed), sums.held, sums.count, self._of_list(key[1]))
            for key, sums in self._sums.items()
            if sums.ever
        }

    def key(self, group: str, host: str) -> tuple[str, str]:
        """Which of the `parts` the workers of a group on a host belong to."""
        return group, self._tag(host if host in self._hosts else "")

    def _dedicated(self, passed: float) -> Dedicated | None:
        if not any((self._priced.ever, self._unpriced.ever)):
            return None
        hours, money, *_ = (each / HOUR for each in self._priced.used(passed))
        unknown = self._unpriced.used(passed)[0] / HOUR
        known = self._priced.ever
        held = self._priced.held[1]
        return Dedicated(
            amount=money if known else None,
            per_hour=held if self._priced.count or (known and not self._unpriced.count) else None,
            host_hours=hours + unknown,
            unknown_hours=unknown,
        )

    def _place(self, known: _Open, entry: LedgerEntry) -> None:
        """A worker that is open was on this host, and of this shape, from its beginning."""
        self._advance(entry.written or entry.time)
        self._sums[known.entry.group, known.tag].withdraw(known.entry.shape, known.at)
        self._hold(entry, known.at)

    def _hold(self, entry: LedgerEntry, at: float) -> None:
        """A worker is open since `at`, in the ledger's own time."""
        host = self._hosts.setdefault(entry.host, _Host()) if entry.host else None
        opened = self._open[entry.worker] = _Open(entry, at, self._tag(entry.host))
        self._sums.setdefault((entry.group, opened.tag), Sums()).take(entry.shape, at)
        if host is None:
            return
        if host.workers and at < host.since and host.price is not None:
            self._sums_of(host.price).withdraw(_whole(host.price), host.since)
        if not host.workers or at < host.since:
            host.since = at
            if host.price is not None:
                self._sums_of(host.price).take(_whole(host.price), at)
        host.workers.add(entry.worker)

    def _end(self, opened: _Open, passed: float) -> None:
        entry = opened.entry
        self._sums[entry.group, opened.tag].give(entry.shape, opened.at, passed)
        host = self._hosts.get(entry.host)
        if host is None:
            return
        host.workers.discard(entry.worker)
        if host.workers:
            return
        if host.price is None:
            host.waited += max(0.0, passed - host.since)
        else:
            self._sums_of(host.price).give(_whole(host.price), host.since, passed)

    def _price_host(self, entry: LedgerEntry) -> bool:
        host = self._hosts.setdefault(entry.host, _Host())
        if entry.price is None or entry.price == host.price:
            return False
        self._advance(entry.time)
        first, before = host.price is None, host.price
        host.price = entry.price
        whole, sums = _whole(entry.price), self._sums_of(entry.price)
        if first:
            sums.add(whole, host.waited)
            self._settle(entry.host)
        elif before is not None and host.workers:
            self._sums_of(before).give(_whole(before), host.since, self._passed)
            host.since = self._passed
        if host.workers:
            sums.take(whole, host.since)
        return True

    def _settle(self, host: str) -> None:
        """What workers of a host used, and go on using, is at the rates that were told just now."""
        waiting, tag = f"?{host}", self._tag(host)
        for key in [key for key in self._sums if key[1] == waiting]:
            self._sums.setdefault((key[0], tag), Sums()).merge(self._sums.pop(key))
        for worker in self._hosts[host].workers:
            self._open[worker].tag = tag

    def _tag(self, host: str) -> _Tag:
        if not host:
            return ""
        price = self._hosts[host].price
        if price is None:
            return f"?{host}"
        tag = f"{price.of_list} {price.rates.model_dump_json()}"
        self._told.setdefault(tag, price)
        return tag

    def _price(self, tag: _Tag, price: Price) -> Price:
        rates = self._told[tag].rates if tag in self._told else price
        return price if price.known and not rates.known else rates

    def _of_list(self, tag: _Tag) -> float:
        told = self._told.get(tag)
        return told.of_list if told is not None and told.rates.known else 1.0

    def _sums_of(self, price: HostPrice) -> Sums:
        return self._unpriced if price.per_hour is None else self._priced

    def _advance(self, now: Time) -> None:
        self._passed = self._passed_at(now)
        self._until = now

    def _passed_at(self, now: Time) -> float:
        return self._passed if self._until is None else self._passed + max(0.0, now - self._until)


def _whole(price: HostPrice) -> Vector:
    return (1.0, price.per_hour or 0.0, 0.0, 0.0)

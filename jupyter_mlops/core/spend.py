"""Where the money went: what workers' time, and so what they cost, was spent on. Pure; what is measured comes from the
workers, and the time and the money from the ledger."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from .base import Label, Record, Seconds, Time
from .costs import money_of
from .ledger import Ledger
from .price import HOUR, Price

#: What time goes to, in the order in which it is told.
PARTS = ("computing", "waiting", "moving", "spilling", "booting", "idle", "leaving", "overhead")


#: None of anything.
_NOTHING: Sequence[float] = (0.0,) * len(PARTS)

#: A group, and the host of some of its workers; empty where nobody knows it.
GroupHost = tuple[str, str]

#: The least share that is named in a sentence.
LEAST = 0.005


class SpendParts(Record):
    """An amount by what it went to: time of workers, or money.

    Attributes
    ----------
    computing : code that used a CPU.
    waiting : code that ran without one: for files, networks, sleeps, locks such as Python's own.
    moving : threads without a task while data came from other workers, or went to them.
    spilling : data that was written to disk, or read from it, since memory was short.
    booting : from when a worker's resources were held until it joined.
    idle : threads without a task, also while data lay there.
    leaving : from when a worker was to go, or lost its connection, until its resources were free.
    overhead : what nobody measured: the time without a scheduler, and the last seconds of a worker that died.
    """

    computing: float = 0
    waiting: float = 0
    moving: float = 0
    spilling: float = 0
    booting: float = 0
    idle: float = 0
    leaving: float = 0
    overhead: float = 0

    @classmethod
    def of(cls, amounts: Sequence[float]) -> SpendParts:
        """These amounts, in the order of `PARTS`."""
        return cls(**dict(zip(PARTS, amounts, strict=True)))

    @property
    def amounts(self) -> list[float]:
        """Its amounts, in the order of `PARTS`."""
        return [getattr(self, name) for name in PARTS]

    @property
    def total(self) -> float:
        """The whole amount."""
        return math.fsum(self.amounts)

    def __add__(self, other: SpendParts) -> SpendParts:
        return SpendParts.of([one + more for one, more in zip(self.amounts, other.amounts, strict=True)])


#: What the parts are called.
WORDS = {**dict(zip(PARTS, PARTS, strict=True)), "moving": "moving data", "overhead": "not measured"}


class Spend(Record):
    """What a cluster's workers were there for: in hours of them, and in money, where that is known.

    The hours add up to those that the ledger has, and the money to its amount: usage without a price is in the hours
    only.
    """

    hours: SpendParts = SpendParts()
    amount: SpendParts | None = None
    currency: str = "USD"

    @property
    def told(self) -> list[tuple[str, float, float | None, float]]:
        """The parts that are there: what they are called, their share, their money where it is known, their hours."""
        whole = self.hours if self.amount is None or not self.amount.total else self.amount
        total = whole.total or 1.0
        return [
            (
                WORDS[name],
                getattr(whole, name) / total,
                None if self.amount is None else getattr(self.amount, name),
                getattr(self.hours, name),
            )
            for name in PARTS
            if getattr(self.hours, name) > 0
        ]

    @property
    def sentence(self) -> str:
        """What it went to, without what is less than half a per cent: "computing 61%, waiting 20%, idle 19%"."""
        return ", ".join(f"{word} {share:.0%}" for word, share, _, _ in self.told if share >= LEAST)

    def __add__(self, other: Spend) -> Spend:
        amounts = [each.amount for each in (self, other) if each.amount is not None]
        amount = sum(amounts[1:], amounts[0]) if amounts else None
        return Spend(hours=self.hours + other.hours, amount=amount, currency=self.currency)


class SpendEntry(Record):
    """A line of `spend.jsonl`: what the workers of a group spent their time on, on one host, in seconds."""

    group: Label
    host: str = ""
    seconds: SpendParts


class Told(NamedTuple):
    """What a worker's threads have done since it joined, each in seconds of a thread: those with a task, and of these
    on a CPU and at the disk; and what went on beside tasks, data that moved and data that was written away."""

    busy: Seconds = 0.0
    computing: Seconds = 0.0
    spilling: Seconds = 0.0
    moving: Seconds = 0.0
    flushing: Seconds = 0.0


class WorkerTime:
    """What one worker's time is spent on, from when its resources are held.

    Parameters
    ----------
    since : when that was.
    """

    def __init__(self, since: Time) -> None:
        self._until = since
        self._booting = self._there = self._leaving = 0.0
        self._moving = self._flushing = 0.0
        self._before, self._told = Told(), Told()

    def go(self, now: Time, phase: Literal["booting", "there", "leaving"], told: Told | None, threads: int) -> None:
        """It was in `phase` until `now`, and tells what its `threads` have done. A clock that goes back adds nothing.

        What it tells is of all the time since it joined.
        """
        passed = max(0.0, now - self._until)
        self._until = max(now, self._until)
        if phase == "booting":
            self._booting += passed
        elif phase == "leaving":
            self._leaving += passed
        else:
            self._there += passed
        if told is None:
            return
        before, part = self._told, 1 / max(1, threads)
        busy, moving, flushing = told.busy * part, told.moving * part, told.flushing * part
        self._told = Told(busy, told.computing * part, told.spilling * part, moving, flushing)
        # data that moves while all threads have tasks costs nothing more
        room = max(0.0, passed - max(0.0, busy - before.busy))
        moved = min(max(0.0, moving - before.moving), room)
        self._moving += moved
        self._flushing += min(max(0.0, flushing - before.flushing), room - moved)

    def begin_anew(self) -> None:
        """It joins again, as another process: what that tells begins at nothing."""
        self._before = Told(*(one + other for one, other in zip(self._before, self._told, strict=True)))
        self._told = Told()

    @property
    def seconds(self) -> Sequence[Seconds]:
        """What it was spent on so far, in the order of `PARTS`; they add up to the time since its beginning."""
        before, told, there = self._before, self._told, self._there
        busy = min(before.busy + told.busy, there)
        within = min(before.spilling + told.spilling, busy)
        computing = min(before.computing + told.computing, busy - within)
        moving = min(self._moving, there - busy)
        flushing = min(self._flushing, there - busy - moving)
        waiting, idle = busy - within - computing, there - busy - moving - flushing
        return (computing, waiting, moving, within + flushing, self._booting, idle, self._leaving, 0.0)


def spend_of(ledger: Ledger, price: Price, now: Time, measured: Mapping[GroupHost, Sequence[Seconds]]) -> Spend:
    """What the workers of a ledger were there for until `now`; what wasn't measured of it is overhead.

    Parameters
    ----------
    price : counts where a host has no price of its own.
    measured : what was measured of it, in the order of `PARTS`.
    """
    found: dict[tuple[str, str], Sequence[Seconds]] = {}
    for (group, host), seconds in measured.items():
        add(found, ledger.key(group, host), seconds)
    hours, amount, known = _NOTHING, _NOTHING, False
    for key, part in ledger.parts(price, now).items():
        total, money = part.used[0], money_of(part)
        seconds = fitted(found.get(key, _NOTHING), total)
        hours = [sum_ + each / HOUR for sum_, each in zip(hours, seconds, strict=True)]
        if money is not None:
            priced = fitted([each * money / total if total else 0.0 for each in seconds], money)
            amount, known = [sum_ + each for sum_, each in zip(amount, priced, strict=True)], True
    return Spend(hours=SpendParts.of(hours), amount=SpendParts.of(amount) if known else None, currency=price.currency)


def add(sums: dict[GroupHost, Sequence[Seconds]], place: GroupHost, seconds: Sequence[Seconds]) -> None:
    """Add what was measured in one more place to `sums`."""
    known = sums.get(place)
    sums[place] = seconds if known is None else [one + other for one, other in zip(known, seconds, strict=True)]


def measured_in(entries: Iterable[SpendEntry]) -> dict[GroupHost, Sequence[Seconds]]:
    """What lines of `spend.jsonl` have, together."""
    sums: dict[GroupHost, Sequence[Seconds]] = {}
    for entry in entries:
        add(sums, (entry.group, entry.host), entry.seconds.amounts)
    return sums


def fitted(amounts: Sequence[float], total: float) -> Sequence[float]:
    """`amounts` such that they add up to `total`: the rest is overhead, and what is too much is taken from all."""
    known = math.fsum(amounts)
    if known > total:
        amounts = [each * total / known for each in amounts]
        known = math.fsum(amounts)
    return [*amounts[:-1], max(0.0, amounts[-1] + total - known)]

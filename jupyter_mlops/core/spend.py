"""Where the money went: what workers' time, and so what they cost, was spent on. Pure; what is measured comes from the
workers, and the time and the money from the ledger."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal, NamedTuple

from .base import Label, Record, Seconds, Time
from .costs import money_of
from .ledger import Ledger
from .price import HOUR, Price

#: What time goes to, in the order in which it is told.
PARTS = ("computing", "waiting", "moving", "spilling", "booting", "idle", "leaving", "overhead")


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

    @property
    def total(self) -> float:
        """The whole amount."""
        return math.fsum(getattr(self, name) for name in PARTS)

    def __add__(self, other: SpendParts) -> SpendParts:
        return SpendParts(**{name: getattr(self, name) + getattr(other, name) for name in PARTS})

    def times(self, factor: float) -> SpendParts:
        """Each part, so many times."""
        return SpendParts(**{name: getattr(self, name) * factor for name in PARTS})


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
        told = Told(*(max(0.0, each) / max(1, threads) for each in told))
        new = Told(*(max(0.0, now - before) for now, before in zip(told, self._told, strict=True)))
        self._told = told
        # data that moves while all threads have tasks costs nothing more
        room = max(0.0, passed - new.busy)
        moving = min(new.moving, room)
        self._moving += moving
        self._flushing += min(new.flushing, room - moving)

    def begin_anew(self) -> None:
        """It joins again, as another process: what that tells begins at nothing."""
        self._before = Told(*(one + other for one, other in zip(self._before, self._told, strict=True)))
        self._told = Told()

    @property
    def parts(self) -> SpendParts:
        """What it was spent on so far, in seconds of the worker; they add up to the time since its beginning."""
        told = Told(*(one + other for one, other in zip(self._before, self._told, strict=True)))
        busy = min(told.busy, self._there)
        within = min(told.spilling, busy)
        computing = min(told.computing, busy - within)
        moving = min(self._moving, self._there - busy)
        flushing = min(self._flushing, self._there - busy - moving)
        return SpendParts(
            computing=computing,
            waiting=busy - within - computing,
            moving=moving,
            spilling=within + flushing,
            booting=self._booting,
            idle=self._there - busy - moving - flushing,
            leaving=self._leaving,
        )


def spend_of(ledger: Ledger, price: Price, now: Time, measured: Iterable[SpendEntry]) -> Spend:
    """What the workers of a ledger were there for until `now`; what wasn't measured of it is overhead.

    Parameters
    ----------
    price : counts where a host has no price of its own.
    measured : what was measured of it.
    """
    found: dict[tuple[str, str], SpendParts] = {}
    for entry in measured:
        key = ledger.key(entry.group, entry.host)
        found[key] = found.get(key, SpendParts()) + entry.seconds
    hours, amount = SpendParts(), None
    for key, part in ledger.parts(price, now).items():
        seconds = part.used[0]
        parts = _fitted(found.get(key, SpendParts()), seconds)
        hours += parts.times(1 / HOUR)
        money = money_of(part)
        if money is not None:
            amount = (amount or SpendParts()) + _fitted(
                parts.times(money / seconds) if seconds else SpendParts(), money
            )
    return Spend(hours=hours, amount=amount, currency=price.currency)


def _fitted(parts: SpendParts, total: float) -> SpendParts:
    """`parts` such that they add up to `total`: the rest is overhead, and what is too much is taken from all."""
    known = parts.total
    if known > total:
        parts = parts.times(total / known)
        known = parts.total
    return parts.model_copy(update={"overhead": max(0.0, parts.overhead + total - known)})

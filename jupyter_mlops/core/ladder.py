"""The pilot ladder: a map's own first items on a few numbers of workers, what that says, and what is chosen by it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import computed_field

from .base import Record, Saying, Seconds, Time, otherwise
from .cluster import Problem
from .words import count, fine_money, listed, money, percent, span

#: The rungs of a ladder: where a group may have 16 workers at most, as on one machine; and where it may have more.
FEW, MANY = (1, 2, 4, 8), (5, 10, 30, 50)
_A_MACHINE = 16

#: The part of a map's items that a rung may take, and the part of the money for it.
PART = 0.1

#: Tasks that a thread has done when a rung is over, and seconds that it takes at least and at most. One that is sure
#: to this part of its speed needs no more.
TASKS, LEAST, MOST, SURE = 3, 2.0, 20.0, 0.03

#: Standard errors by which a rung has to be slower than the one before to be called slower.
_BEYOND_DOUBT = 2.0

LadderPhase = Annotated[Literal["asked", "climbing", "done"], otherwise("done")]

#: Why a rung did less than the ones before it promise.
DipCause = Annotated[
    Literal["", "booting", "failures", "starved", "one slow item", "scheduler", "shared", "unknown"],
    otherwise("unknown"),
]

#: What a number of workers is chosen for.
Aim = Annotated[Literal["cheapest", "balanced", "fastest", "by", "for"], otherwise("balanced")]

#: What no number of workers would have kept.
Missed = Annotated[Literal["", "time", "money"], otherwise("")]

AIMS: tuple[Aim, ...] = ("cheapest", "balanced", "fastest")


class Rung(Record):
    """What a map did while it had so many workers.

    `rate` is items a second in the `seconds` that counted, `spread` its standard error as a part of it. `item` is
    seconds of a thread that an item took, `slowest` the same of the items of the slowest task. `used` is the part of
    the threads' time in which they computed, `starved` the part of the time in which no item was there to be sent.
    `boot` is the seconds until all workers had come; where `present`, those that came, are fewer, not all did.
    `per_hour` is money for an hour of its workers, `per_million` for a million items; None where a part of it has no
    price. `dip` says by what part each worker did less than each on the rung before, where that is much; `cause` and
    `problem` then say why.
    """

    workers: int
    threads: int
    present: int
    items: int
    failed: int = 0
    seconds: Seconds
    rate: float
    spread: float = 0
    item: Seconds = 0
    slowest: Seconds = 0
    used: float = 1
    starved: float = 0
    boot: Seconds = 0
    per_hour: float | None = None
    per_million: float | None = None
    dip: float = 0
    cause: DipCause = ""
    problem: Problem | None = None

    @property
    def each(self) -> float:
        """Items a second of one of its workers."""
        return self.rate / self.workers

    def slower_than(self, other: Rung) -> bool:
        """Whether it did less than `other` by more than the two were measured to: by two standard errors of what is
        between them. One that a moment's disturbance held up is no reason to end a ladder."""
        unsure = math.hypot(self.rate * self.spread, other.rate * other.spread)
        return other.rate - self.rate > _BEYOND_DOUBT * unsure


class Forecast(Record):
    """What a number of workers would do, and between what in four of five cases."""

    workers: int
    rate: float
    low: float
    high: float
    per_million: float | None = None


class Choice(Record):
    """A number of workers, what it is good for, and what it means for the items that were left: seconds and money,
    about and at most in nine of ten cases. `missed` is what it doesn't keep of what was asked for."""

    aim: Aim
    workers: int
    seconds: Seconds
    seconds_most: Seconds
    amount: float | None = None
    amount_most: float | None = None
    missed: Missed = ""


class Ladder(Record):
    """The ladder of a map.

    `sizes` are the rungs that it is to climb, `rungs` those that it has. `forecast` is empty, and there are no
    `choices`, where nothing can be told; `why` then says why, and else why it ended below its last rung. `chosen` is
    what the map went on with; None where it was left to a person, and until then. `contention` and `coherency` are σ
    and κ of the universal scalability law.
    """

    phase: LadderPhase = "climbing"
    sizes: list[int] = []
    rungs: list[Rung] = []
    forecast: list[Forecast] = []
    choices: list[Choice] = []
    chosen: Choice | None = None
    #: The workers that there were before, which are there again where nothing was chosen.
    before: int = 0
    group: str = ""
    #: Until when, or for how much, its map is to be done.
    by: Time | None = None
    money: float | None = None
    currency: str = "USD"
    contention: float | None = None
    coherency: float | None = None
    why: Saying = ""

    @computed_field  # type: ignore[prop-decorator]  # mypy doesn't know properties below decorators
    @property
    def sentence(self) -> str:
        """What it says, in words."""
        if self.phase == "asked":
            return "sizes will be tried"
        if self.phase == "climbing":
            at = self.sizes[len(self.rungs)] if len(self.rungs) < len(self.sizes) else 0
            return f"tries {count(at, 'worker')}" if at else "looks at what it tried"
        if self.chosen is not None:
            return f"{self.why + ': ' if self.why else ''}goes on with {self._in_words(self.chosen)}"
        if self.choices:
            return f"to choose from: {self._offered}"
        return f"it can't be told which number of workers is best: {self.why}"

    @property
    def _offered(self) -> str:
        """The choices in words; one that is best for several things is one choice."""
        told = []
        for size in dict.fromkeys(choice.workers for choice in self.choices):
            same = [choice for choice in self.choices if choice.workers == size]
            told.append(self._in_words(same[0], listed([choice.aim for choice in same])))
        return "; ".join(told)

    def __str__(self) -> str:
        return "\n".join([*_aligned(table(self)), *self.dips, f"{self.sentence[:1].upper()}{self.sentence[1:]}."])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))

    @property
    def dips(self) -> list[str]:
        """Where each worker did less than before, why, and what to do about it: a sentence each."""
        problems = [rung.problem for rung in self.rungs if rung.problem is not None]
        return [f"{problem.words}. {problem.todo}" for problem in problems]

    def _in_words(self, choice: Choice, same: str = "") -> str:
        """ "8 workers (balanced): about 7 min, $0.40"; `same` are all aims that it is good for."""
        cost = "" if choice.amount is None else f", {money(choice.amount, self.currency)}"
        aims = {"by": "cheapest in time", "for": "fastest for the money"}
        missed = {"time": ("fastest", ", later than asked for"), "money": ("cheapest", ", more than asked for")}
        aim, note = missed.get(choice.missed, (same or aims.get(choice.aim, choice.aim), ""))
        return f"{count(choice.workers, 'worker')} ({aim}): about {span(round(choice.seconds))}{cost}{note}"


def rungs_of(least: int, most: int) -> list[int]:
    """The numbers of workers that are tried in a group that may have `least` to `most`."""
    steps = FEW if most <= _A_MACHINE else MANY
    sizes = {max(least, step) for step in steps if step <= most}
    return sorted(sizes | ({most} if 0 < most < steps[-1] else set()))


def affordable(sizes: Sequence[int], per_hour: float | None, left: float | None) -> list[int]:
    """Those of `sizes` whose rung costs no more than its part of the money that is `left`; all where no money bounds
    it, or nobody knows what a worker costs. `per_hour` is money for an hour of a worker."""
    if per_hour is None or left is None:
        return list(sizes)
    return [size for size in sizes if size * per_hour * 2 * MOST / 3600 <= PART * left]


def per_million(per_hour: float | None, rate: float) -> float | None:
    """Money for a million items; `per_hour` is that of all workers."""
    return None if per_hour is None or rate <= 0 else per_hour / 3600 / rate * 1e6


def table(ladder: Ladder) -> list[list[str]]:
    """The ladder as rows of words, the first one their heads: its rungs, and what it says of the numbers that may be
    chosen. Empty without a rung."""
    if not ladder.rungs:
        return []
    priced = any(rung.per_million is not None for rung in ladder.rungs)
    head = ["WORKERS", "ITEMS/S", "±", "EACH", *(["PER MILLION"] if priced else []), ""]
    rows = [head]
    first = ladder.rungs[0].each
    for rung in ladder.rungs:
        cost = [fine_money(rung.per_million, ladder.currency)] if priced else []
        mark = f"−{percent(rung.dip)}: {rung.cause}" if rung.cause else ""
        rows.append([f"{rung.workers:,}", rate_words(rung.rate), percent(rung.spread), _part(rung.each, first)])
        rows[-1] += [*cost, mark]
    told = {choice.workers for choice in [*ladder.choices, ladder.chosen] if choice is not None}
    told -= {rung.workers for rung in ladder.rungs}
    for each in ladder.forecast:
        if each.workers not in told:
            continue
        cost = [fine_money(each.per_million, ladder.currency)] if priced else []
        between = percent((each.high - each.low) / 2 / each.rate)
        rows.append([f"{each.workers:,}", rate_words(each.rate), between, _part(each.rate / each.workers, first)])
        rows[-1] += [*cost, "forecast"]
    return rows


def rate_words(rate: float) -> str:
    """Items a second, with the digits that it deserves."""
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"


def _part(each: float, first: float) -> str:
    return percent(each / first) if first else ""


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.rjust(width) for cell, width in zip(row[:-1], widths, strict=False)) + f"  {row[-1]}".rstrip()
        for row in rows
    ]

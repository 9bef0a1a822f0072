"""Chooses a number of workers for what is left of a map: for a time, a sum, or neither. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .base import Seconds
from .ladder import AIMS, Aim, Choice, Forecast, Ladder, Missed, Rung, per_million
from .price import HOUR
from .scalability import Fit, Tried, best_law, fit
from .spot import SPARE
from .words import percent

#: What an hour of a person's waiting is worth, in hours of a worker.
WORTH = 20.0

#: Nobody pays or waits for less than this part.
_ALIKE = 0.02

#: A fit says nothing that is off by more than this part where it was measured, or surer than this part at its end.
_OFF, _UNSURE = 0.25, 0.4

#: A ladder has so many forecasts at most: enough for a line.
_FORECASTS = 24


@dataclass(frozen=True)
class Outlook:
    """What is left of a map, and what numbers of workers would make of it.

    `items` are left, `present` workers are there, a new one takes `boot` seconds to come. A group may have `least` to
    `most` workers. `per_hour` is money for an hour of one; None where nobody knows.
    """

    fit: Fit
    items: int
    present: int
    boot: Seconds
    least: int
    most: int
    per_hour: float | None = None

    @property
    def sizes(self) -> range:
        """The numbers of workers that anything is known of, and that the group may have."""
        return range(max(1, self.least), min(self.most, self.fit.furthest) + 1)

    def seconds(self, workers: int) -> Seconds:
        """Until all is done, about. While new workers come nothing is taken to be done."""
        return self._boot(workers) + self.items / self.fit.rate(workers)

    def seconds_most(self, workers: int) -> Seconds:
        """The same in nine of ten cases at most."""
        return self._boot(workers) + self.items / self.fit.band(workers)[0]

    def amount(self, workers: int, seconds: Seconds) -> float | None:
        """Money for so many workers for so long."""
        return None if self.per_hour is None else workers * seconds * self.per_hour / HOUR

    def choice(self, aim: Aim, workers: int, missed: Missed = "") -> Choice:
        """That number of workers, as a choice."""
        about, most = self.seconds(workers), self.seconds_most(workers)
        return Choice(
            aim=aim,
            workers=workers,
            seconds=about,
            seconds_most=most,
            amount=self.amount(workers, about),
            amount_most=self.amount(workers, most),
            missed=missed,
        )

    def _boot(self, workers: int) -> Seconds:
        return self.boot if workers > self.present else 0.0


def fit_of(rungs: Sequence[Rung]) -> Fit | None:
    """The fit of a ladder's rungs, by the workers that were there; None where there are too few."""
    return fit([Tried(rung.present, rung.rate, rung.spread) for rung in rungs])


def tells(found: Fit | None, why: str = "") -> str:
    """Why a fit can't be built on, in words; empty where it can. `why` is what kept its ladder from going on."""
    if found is None:
        return why or "it takes two sizes at least"
    low, high = found.band(found.furthest)
    if (high - low) / 2 > _UNSURE * found.rate(found.furthest):
        return "its speed varied too much while it was measured"
    if found.off > _OFF:
        return f"the sizes that were tried differ in a way that no law explains, by {percent(found.off)}"
    return ""


def choose(outlook: Outlook, aim: Aim, seconds: Seconds | None = None, money: float | None = None) -> Choice | None:
    """The number of workers that is best.

    Parameters
    ----------
    aim : cheapest, balanced or fastest, of those that keep what is asked for below; `by` and `for` are the cheapest in
        time, and the fastest for the money. Of numbers that are alike within 2 % the cheaper one is taken for time, and
        the faster one for money.
    seconds : that it may take. Where none keeps that, in nine of ten cases, the fastest is chosen, and says so.
    money : that it may cost; the same with the cheapest.

    Returns
    -------
    None where there is no number to choose.
    """
    sizes = list(outlook.sizes)
    if not sizes:
        return None
    if seconds is not None:
        in_time = [size for size in sizes if outlook.seconds_most(size) <= seconds]
        if not in_time:
            return outlook.choice(aim, _fastest(outlook, sizes), missed="time")
        sizes = in_time
    if money is not None:
        paid = [size for size in sizes if _costs(outlook, size) <= money]
        if not paid:
            return outlook.choice(aim, _cheapest(outlook, sizes), missed="money")
        sizes = paid
    if aim == "by":
        return outlook.choice(aim, min(sizes, key=lambda size: (size * outlook.seconds(size), size)))
    chosen = {"cheapest": _cheapest, "balanced": _balanced}.get(aim, _fastest)
    return outlook.choice(aim, chosen(outlook, sizes))


def concluded(
    ladder: Ladder,
    outlook: Outlook,
    aim: Aim | None,
    seconds: Seconds | None = None,
    money: float | None = None,
    on_spot: bool = False,
) -> Ladder:
    """`ladder` with what its rungs say: forecasts, the three choices, and the number that is chosen, as in `choose`;
    none, where `aim` is None. `on_spot` is chosen for half of the seconds, where that can be kept: the other half is
    time to wait for spot."""
    law = best_law([Tried(rung.present, rung.rate, rung.spread) for rung in ladder.rungs])
    choices = [choice for each in AIMS if (choice := choose(outlook, each)) is not None]
    chosen = None if aim is None else choose(outlook, aim, seconds, money)
    if aim is not None and on_spot and seconds is not None:
        with_time = choose(outlook, aim, seconds / SPARE, money)
        chosen = chosen if with_time is None or with_time.missed else with_time
    told = {choice.workers for choice in [*choices, chosen] if choice is not None}
    return ladder.model_copy(
        update={
            "forecast": _forecasts(outlook, told),
            "choices": choices,
            "chosen": chosen,
            "contention": law.contention / law.alone,
            "coherency": law.coherency / law.alone,
        }
    )


def _forecasts(outlook: Outlook, told: set[int]) -> list[Forecast]:
    """Enough of them for a line, and those of the numbers in `told`."""
    most = min(outlook.fit.furthest, outlook.most)
    sizes = {*range(1, most + 1, max(1, most // _FORECASTS)), most} | told
    return [_forecast(outlook, size) for size in sorted(sizes)]


def _forecast(outlook: Outlook, workers: int) -> Forecast:
    rate, (low, high) = outlook.fit.rate(workers), outlook.fit.band(workers)
    cost = None if outlook.per_hour is None else per_million(workers * outlook.per_hour, rate)
    return Forecast(workers=workers, rate=rate, low=low, high=high, per_million=cost)


def _fastest(outlook: Outlook, sizes: list[int]) -> int:
    least = min(outlook.seconds(size) for size in sizes)
    return min(size for size in sizes if outlook.seconds(size) <= (1 + _ALIKE) * least)


def _cheapest(outlook: Outlook, sizes: list[int]) -> int:
    least = min(size * outlook.seconds(size) for size in sizes)
    return max(size for size in sizes if size * outlook.seconds(size) <= (1 + _ALIKE) * least)


def _balanced(outlook: Outlook, sizes: list[int]) -> int:
    return min(sizes, key=lambda size: (size + WORTH) * outlook.seconds(size))


def _costs(outlook: Outlook, workers: int) -> float:
    amount = outlook.amount(workers, outlook.seconds_most(workers))
    return float("inf") if amount is None else amount

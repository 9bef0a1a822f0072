"""Intervals that hold however often one looks: *confidence sequences* for the difference between two arms.

A test that is right once is wrong sooner or later for whoever repeats it until it finds something: a z-test that is
looked at every 200 of 20,000 requests finds a difference in 4 of 10 cases where there is none. The intervals here
contain the true difference at all times at once, with the chance 1 - alpha.

Many values: asymptotic, from numbers, sums and squares only: I. Waudby-Smith, D. Arbour, R. Sinha, E. H. Kennedy and
A. Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences", Annals of Statistics 52, 2024. Time
is the number of values that two arms of the same size and precision would have. Few values that are yes or no: exact,
by a mixture of binomials over a beta distribution (H. Robbins, "Statistical Methods Related to the Law of the Iterated
Logarithm", Annals of Mathematical Statistics 41, 1970), for each arm with half of the chance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from .base import Amount, Record

#: Values of an arm from which on sums are as good as normal.
ENOUGH = 100

#: Values of either kind that an arm is expected to have from which on yes and no are as good as normal, too.
_BOTH = 15

#: The time at which an interval is as narrow as can be.
_TUNED = 500.0

#: Halvings by which a bound is found.
_HALVINGS = 40


class ArmSums(Record):
    """Values of an arm: how many, their sum, and that of their squares."""

    number: Amount = 0
    total: float = 0.0
    squares: float = 0.0

    @property
    def mean(self) -> float | None:
        """None without values."""
        return self.total / self.number if self.number else None

    def add(self, value: float) -> None:
        """Count a value."""
        self.number += 1
        self.total += value
        self.squares += value * value

    def plus(self, more: ArmSums) -> ArmSums:
        """The values of both."""
        return ArmSums(
            number=self.number + more.number, total=self.total + more.total, squares=self.squares + more.squares
        )


def yes(number: float, of: int) -> ArmSums:
    """So many of so many that are yes: values of 1 and 0."""
    return ArmSums(number=of, total=number, squares=number)


class Gap(NamedTuple):
    """What the second arm has more than the first one, and the interval of that. `unit` is the variance of the estimate
    at time 1, and `time` what it is."""

    value: float
    low: float
    high: float
    time: float
    unit: float


class Surplus(NamedTuple):
    """What the second arm has more than the first one. `unit` and `time` as of `Gap`."""

    value: float
    time: float
    unit: float


def difference(
    pairs: Sequence[tuple[ArmSums, ArmSums]], alpha: float, *, binary: bool = False, halvings: int = _HALVINGS
) -> Gap | None:
    """What the second arm has more than the first; None where there is too little to tell.

    Parameters
    ----------
    pairs : both arms of each stretch in which the shares were the same. Each is compared for itself: when the shares
        and what is asked change at the same time, all together would show a difference that isn't there.
    binary : whether values are 1 or 0, so that few of them tell something, too.
    halvings : by which the bounds of few values are found.
    """
    both = [(one, other) for one, other in pairs if one.number and other.number]
    if not both:
        return None
    first, second = _all(one for one, _ in both), _all(other for _, other in both)
    if min(first.number, second.number) < ENOUGH or (binary and _rare(first, second)):
        return _exact(first, second, alpha / 2, halvings) if binary else None
    alpha = alpha / 2 if binary else alpha
    found = _estimate(both, binary)
    half = half_width(found.time, found.unit, alpha)
    return Gap(found.value, found.value - half, found.value + half, found.time, found.unit)


def plain(pairs: Sequence[tuple[ArmSums, ArmSums]], *, binary: bool = False) -> Surplus | None:
    """What the second arm has more than the first, however few values there are; None where one has none."""
    both = [(one, other) for one, other in pairs if one.number and other.number]
    return _estimate(both, binary) if both else None


def _estimate(both: Sequence[tuple[ArmSums, ArmSums]], binary: bool) -> Surplus:
    spread = _variance(_within([one for one, _ in both]), binary)
    spreads = _variance(_within([other for _, other in both]), binary)
    time = value = unit = 0.0
    for one, other in both:
        at = _time(one, other)
        time += at
        value += at * (other.total / other.number - one.total / one.number)
        unit += at * at * (spread / one.number + spreads / other.number)
    return Surplus(value / time, time, unit / time)


def half_width(time: float, unit: float, alpha: float) -> float:
    """Half of the interval's width at a time."""
    wide = -2 * math.log(alpha)
    rho = (wide + math.log(wide) + 1) / _TUNED
    grown = time * rho + 1
    return math.sqrt(unit * 2 * grown / (time * time * rho) * math.log(math.sqrt(grown) / alpha))


def time_until(half: float, unit: float, alpha: float) -> float:
    """The time at which half of the width is so small."""
    return least_that(lambda time: half_width(time, unit, alpha) <= half, 1e12)


def least_that(enough: Callable[[float], bool], most: float, exact: float = 1e-4) -> float:
    """The least number, from 1 on, that is enough, where each larger one is, too; `most` where none is.

    Parameters
    ----------
    exact : the part of it that it may be too large by.
    """
    low, high = 1.0, 1.0
    while not enough(high):
        if high >= most:
            return most
        low, high = high, min(most, high * 2)
    for _ in range(_HALVINGS if high > 1 else 0):
        middle = (low + high) / 2
        if high - low < exact * high:
            break
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _rare(one: ArmSums, other: ArmSums) -> bool:
    share = (one.total + other.total) / (one.number + other.number)
    return min(share, 1 - share) * min(one.number, other.number) < _BOTH


def _time(one: ArmSums, other: ArmSums) -> float:
    return 1 / (1 / one.number + 1 / other.number)


def _all(arms: Iterable[ArmSums]) -> ArmSums:
    total = ArmSums()
    for each in arms:
        total = total.plus(each)
    return total


def _within(stretches: Sequence[ArmSums]) -> ArmSums:
    """The values of an arm, each less the mean of its stretch, but for the mean of all."""
    whole = _all(stretches)
    between = sum(each.total * each.total / each.number for each in stretches) - whole.total**2 / whole.number
    return ArmSums(number=whole.number, total=whole.total, squares=whole.squares - between)


def _variance(arm: ArmSums, binary: bool) -> float:
    if binary:  # of values that are all the same one doesn't know that there are no others
        share = (arm.total + 1) / (arm.number + 2)
        return share * (1 - share)
    mean = arm.total / arm.number
    return max(arm.squares / arm.number - mean * mean, 1e-12)


def _exact(one: ArmSums, other: ArmSums, alpha: float, halvings: int) -> Gap:
    low, high = share_interval(one.total, one.number, alpha / 2, halvings)
    least, most = share_interval(other.total, other.number, alpha / 2, halvings)
    value = other.total / other.number - one.total / one.number
    time = _time(one, other)
    spread = _variance(one, True) / one.number + _variance(other, True) / other.number
    return Gap(value, least - high, most - low, time, spread * time)


def share_interval(number: float, of: int, alpha: float, halvings: int = _HALVINGS) -> tuple[float, float]:
    """Between which shares that lies of which `number` of so many are an instance, at all times at once."""
    if not of:
        return 0.0, 1.0
    mixed = math.lgamma(number + 0.5) + math.lgamma(of - number + 0.5) - math.lgamma(of + 1) - math.log(math.pi)
    bound, middle = mixed + math.log(alpha), number / of

    def possible(share: float) -> bool:
        return number * math.log(share) + (of - number) * math.log1p(-share) > bound

    return (
        0.0 if not number else _edge(possible, middle, 0.0, halvings),
        1.0 if number >= of else _edge(possible, middle, 1.0, halvings),
    )


def _edge(possible: Callable[[float], bool], inside: float, outside: float, halvings: int) -> float:
    inside = min(max(inside, 1e-12), 1 - 1e-12)
    for _ in range(halvings):
        middle = (inside + outside) / 2
        if 0 < middle < 1 and possible(middle):
            inside = middle
        else:
            outside = middle
    return outside

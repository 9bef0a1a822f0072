"""What a map, a sweep or a gang will cost, said as soon as its time left is known; and where a budget would end it."""

from __future__ import annotations

import math

from .base import Record, Seconds, Time
from .budget import Budget
from .price import Cost

#: How far off the forecast may be in four of five cases, for one item: items take as long as they like, so that their
#: times are taken to spread as much as they last. For n items that is a part of 1 in √n of it (the normal quantile of
#: 90 %, times the standard error of a mean).
_ONE_ITEM = 1.28

#: The same of a gang, whose steps are alike.
_STEPS = 0.1

#: The forecast is never said to be nearer, nor to be further off, than these parts of what is left.
_LEAST, _MOST = 0.05, 0.5


class Projection(Record):
    """Money for all of a run: about, and between what in four of five cases; in `currency`. None where a part of it has
    no price: a budget may hold that, and end it all the same.

    `stops_at` is the part of its work at which the budget, `budget`, would end it; None where it doesn't. `own` is
    whether that is the run's own one, and not its cluster's.
    """

    amount: float | None = None
    low: float | None = None
    high: float | None = None
    currency: str = "USD"
    budget: float | None = None
    stops_at: float | None = None
    own: bool = False


def projection_of(
    cost: Cost,
    total: int | None,
    done: int,
    left: Seconds | None,
    budget: Budget | None,
    now: Time,
    most: float | None = None,
) -> Projection | None:
    """The projection of a map at what its items so far cost; None while its time left can't be told, and where neither
    its cost is known nor anything ends it.

    Parameters
    ----------
    cost : of the map so far.
    total, done : its items, and those of them that are over.
    left : seconds until it is done.
    budget : its own or its cluster's, whichever ends first.
    now : seconds since the epoch.
    most : money at which it is done by itself, as a sweep may be.
    """
    if left is None or not total or not done:
        return None
    spent = cost.amount or 0.0
    rest = spent * (total - done) / done
    part = 1.0 if most is None or rest <= 0 else min(1.0, max(0.0, most - spent) / rest)
    lasts = _lasts(budget, now, left * part)
    stops_at = None if lasts is None else (done + (total - done) * lasts / left) / total
    spread = max(_LEAST, min(_MOST, _ONE_ITEM / math.sqrt(done)))
    low, high = rest * min(part, 1 - spread), rest * (part if part < 1 else 1 + spread)
    return _projection(cost, (low, rest * part, high), budget, stops_at)


def projection_of_steps(
    cost: Cost, rest: float | None, age: Seconds, left: Seconds | None, budget: Budget | None, now: Time
) -> Projection | None:
    """The projection of a gang that has lived for `age` seconds, and whose steps that are left cost `rest` and take
    `left` seconds, as in `projection_of`."""
    if left is None or age <= 0:
        return None
    lasts = _lasts(budget, now, left)
    stops_at = None if lasts is None else (age + lasts) / (age + left)
    rests = None if rest is None else (rest * (1 - _STEPS), rest, rest * (1 + _STEPS))
    return _projection(cost, rests, budget, stops_at)


def _lasts(budget: Budget | None, now: Time, left: Seconds) -> Seconds | None:
    """Seconds until `budget` ends what takes `left` seconds more; None where it doesn't."""
    if budget is None or budget.until is None:
        return None
    lasts = budget.until - now
    return lasts if 0 <= lasts < left else None


def _projection(
    cost: Cost, rests: tuple[float, float, float] | None, budget: Budget | None, stops_at: float | None
) -> Projection | None:
    """What it cost so far and the `rests`, the least, the likely and the most of what is to come."""
    limit = budget.limit if budget else None
    if rests is None or cost.amount is None or cost.lacks:
        return None if stops_at is None else Projection(currency=cost.currency, budget=limit, stops_at=stops_at)
    low, amount, high = (cost.amount + each for each in rests)
    return Projection(amount=amount, low=low, high=high, currency=cost.currency, budget=limit, stops_at=stops_at)

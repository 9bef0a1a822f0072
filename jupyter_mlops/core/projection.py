"""What a map will cost, said as soon as its time left is known; and where its cluster's budget would end it."""

from __future__ import annotations

import math

from .base import Record, Seconds, Time
from .budget import Budget
from .price import Cost

#: How far off the forecast may be in four of five cases, for one item: items take as long as they like, so that their
#: times are taken to spread as much as they last. For n items that is a part of 1 in √n of it (the normal quantile of
#: 90 %, times the standard error of a mean).
_ONE_ITEM = 1.28

#: The forecast is never said to be nearer, nor to be further off, than these parts of what is left.
_LEAST, _MOST = 0.05, 0.5


class Projection(Record):
    """Money for all of a map: about, and between what in four of five cases; in `currency`.

    `stops_at` is the part of its items at which the budget, `budget`, would end it; None where it doesn't.
    """

    amount: float
    low: float
    high: float
    currency: str = "USD"
    budget: float | None = None
    stops_at: float | None = None


def projection_of(
    cost: Cost, total: int | None, done: int, left: Seconds | None, budget: Budget | None, now: Time
) -> Projection | None:
    """The projection of a map at what its items so far cost; None while that, or its time left, can't be told.

    Parameters
    ----------
    cost : of the map so far.
    total, done : its items, and those of them that are over.
    left : seconds until it is done.
    budget : of its cluster.
    now : seconds since the epoch.
    """
    if left is None or not total or not done or cost.amount is None or cost.lacks:
        return None
    rest = cost.amount * (total - done) / done
    spread = max(_LEAST, min(_MOST, _ONE_ITEM / math.sqrt(done)))
    stops_at = None
    if budget is not None and budget.until is not None and 0 <= budget.until - now < left:
        stops_at = (done + (total - done) * (budget.until - now) / left) / total
    return Projection(
        amount=cost.amount + rest,
        low=cost.amount + rest * (1 - spread),
        high=cost.amount + rest * (1 + spread),
        currency=cost.currency,
        budget=budget.limit if budget else None,
        stops_at=stops_at,
    )

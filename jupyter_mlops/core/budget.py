"""What a budget has left, how long it lasts, and what is done about it on the way."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from .adjust import exchange_todo
from .base import Record, Seconds, Time, otherwise
from .errors import InvalidSpec
from .price import GB, HOUR, REFERENCE, ROUNDING, Cost, Price, Usage
from .profile import Limits
from .words import about_and_assumed, fine_money

#: What is done, in the order in which it comes: nothing, it is said, it is warned of, no worker is added, no task
#: begins any more, the cluster ends.
BudgetStep = Annotated[Literal["fine", "half", "warn", "no growth", "drain", "stop"], otherwise("fine")]

STEPS: tuple[BudgetStep, ...] = ("fine", "half", "warn", "no growth", "drain", "stop")

#: The part of a budget at which a step comes.
_HALF, _WARN, _NO_GROWTH = 0.5, 0.8, 0.9

#: What is offered for the maps that run now, as a multiple of what they are expected to take.
_RESERVE = 1.15

#: Seconds, a hundred years: what lasts longer has no end that a date could tell.
_FOR_EVER = 100 * 365 * 24 * HOUR

#: What unknown usage is held at, as a multiple of the reference: machines of three clouds cost within a quarter of it.
CAUTION = 1.25

#: Where a profile says what its budget makes of workers without a price.
_UNPRICED = "*Without a price* in the form of its profile, `unknown_price` in its file"

#: Seconds that running tasks get to end before the money does. Less, where that would be more than a tenth of the
#: budget: the drain never comes before growth has ended.
DRAIN: Seconds = 300.0

#: Seconds for which workers may go without a price where the budget needs one: the price of a node is looked up.
LOOKED_UP: Seconds = 120.0


class Budget(Record):
    """A budget now. Money is in `currency`; `left` is never negative.

    `spent` is what is known to be spent, `assumed` what is held for usage without a price; `per_hour` is what an hour
    takes off both. `projected` is what the maps that run now will still take. `until` is when it is used up at this
    rate; None where nothing is taken off it. `unbounded` says that there are workers without a price, and nothing to
    hold against the budget for them.
    """

    limit: float
    spent: float = 0
    assumed: float = 0
    per_hour: float = 0
    projected: float = 0
    currency: str = "USD"
    step: BudgetStep = "fine"
    until: Time | None = None
    unbounded: bool = False

    @property
    def left(self) -> float:
        """What may still be spent."""
        return max(0.0, self.limit - self.spent - self.assumed)

    @property
    def part(self) -> float:
        """How much of it is used: 0 to 1, or more."""
        return (self.spent + self.assumed) / self.limit

    @property
    def more(self) -> float:
        """A round sum to raise it by: about half of it, 10 for 20; more where the maps that run now need more."""
        unit: float = 10.0 ** math.floor(math.log10(self.limit / 2))
        half = next((times * unit for times in (5, 2) if times * unit <= self.limit / 2 * (1 + ROUNDING)), unit)
        lacks = self.spent + self.assumed + _RESERVE * self.projected - self.limit
        if lacks <= half:
            return half
        unit = 10.0 ** math.floor(math.log10(lacks))
        return next((times * unit for times in (1, 2, 5) if times * unit >= lacks), 10 * unit)

    @property
    def used(self) -> str:
        """What is used of it in words: "$4.00 + about $3.00 assumed of a budget of $10.00"."""
        so_far = about_and_assumed(self.spent, self.assumed, self.currency)
        return f"{so_far} of a budget of {self._limit}"

    @property
    def why_no_growth(self) -> str:
        """Why no worker may be added, in words; empty where one may."""
        if STEPS.index(self.step) < STEPS.index("no growth"):
            return ""
        return f"{self.used} is used, and no worker is added from {_NO_GROWTH:.0%} on"

    @property
    def sentence(self) -> str:
        """What its step means, in words; empty where nothing is to be said."""
        does = {
            "fine": "",
            "half": f"Half of the budget is used: {self.used}",
            "warn": f"{self.used} is used: from {_NO_GROWTH:.0%} on no worker is added",
            "no growth": f"{self.used} is used: no worker is added any more",
            "drain": f"{self.used} is used: no task begins any more, those that run may end",
            "stop": self.why_over,
        }
        return does[self.step]

    @property
    def why_over(self) -> str:
        """Why it ends the cluster, in words."""
        if self.unbounded:
            return f"it has workers without a price, for which its budget of {self._limit} can't be kept"
        return f"it cost {self.used}"

    @property
    def _limit(self) -> str:
        return fine_money(self.limit, self.currency)


def sooner(one: Budget | None, other: Budget | None) -> Budget | None:
    """The one of two that is used up first; None where there is none."""
    if one is None or other is None:
        return one or other
    return one if (one.until or math.inf) <= (other.until or math.inf) else other


def budget_of(
    limits: Limits, cost: Cost, reference: Price | None, now: Time, work: Seconds | None = None
) -> Budget | None:
    """The budget of a cluster that has cost `cost`; None where it has none.

    Parameters
    ----------
    reference : about what resources cost in a cloud, in the currency of `cost`; None where nobody said what that is in
        this currency.
    now : seconds since the epoch.
    work : seconds until the maps that run now are done; None where that isn't known.
    """
    if limits.budget is None:
        return None
    assumed = per_hour = 0.0
    has_unknown = cost.unknown.cpu_hours + cost.unknown.gpu_hours + cost.unknown.gb_hours > 0
    unbounded = False
    if limits.unknown_price != "ignore" and reference is not None:
        assumed, per_hour = _held(reference, cost.unknown), _held(reference, cost.unknown_now)
    if has_unknown and (limits.unknown_price == "refuse" or (limits.unknown_price == "assume" and reference is None)):
        waited = cost.unknown.worker_hours * HOUR
        unbounded = waited > LOOKED_UP * max(1.0, cost.unknown_now.worker_hours)
    budget = Budget(
        limit=limits.budget,
        spent=cost.amount or 0.0,
        assumed=assumed,
        per_hour=(cost.per_hour or 0.0) + per_hour,
        currency=cost.currency,
        unbounded=unbounded,
    )
    projected = budget.per_hour * (work or 0.0) / HOUR
    lasts = budget.left / budget.per_hour * HOUR if budget.per_hour > 0 else math.inf
    until = now if _step(budget) == "stop" else now + lasts if lasts < _FOR_EVER else None
    return budget.model_copy(update={"step": _step(budget), "until": until, "projected": projected})


def check_priced(limits: Limits, price: Price, reference: Price, *, listed: bool = False) -> None:
    """Raise `InvalidSpec` for a budget that could never be kept, since nobody knows what its workers cost.

    Parameters
    ----------
    price : the rates that somebody set for the workers.
    reference : about what resources cost in a cloud.
    listed : lists may know what the machines cost. They are in the reference's currency.
    """
    if limits.budget is None or price.known or limits.unknown_price == "ignore":
        return
    known = reference_in(price.currency, reference) is not None
    if known and (listed or limits.unknown_price == "assume"):
        return
    budget = fine_money(limits.budget, price.currency)
    if known:
        raise InvalidSpec(
            f"The budget of {budget} can't be kept",
            "nobody said what these workers cost, and it needs prices",
            f"Set your rates in Settings → Settings Editor → ML Ops, or let the budget assume some: {_UNPRICED}.",
        )
    code = price.currency
    todo = exchange_todo(code)
    raise InvalidSpec(
        f"The budget of {budget} can't be kept",
        f"nobody said what these workers cost, nor what a dollar is in {code}",
        f"{todo[0].upper()}{todo[1:]}. Or set your rates there, or let the budget ignore what has no price: "
        f"{_UNPRICED}.",
    )


def reference_in(currency: str, reference: Price = REFERENCE) -> Price | None:
    """The reference, where it is in this currency."""
    return reference if reference.currency == currency else None


def _held(reference: Price, usage: Usage) -> float:
    """What is held for usage without a price."""
    return CAUTION * (reference.per_hour(usage.cpu_hours, usage.gb_hours * GB, usage.gpu_hours) or 0.0)


def _step(budget: Budget) -> BudgetStep:
    if budget.left <= 0 or budget.unbounded:
        return "stop"
    if budget.left <= min(budget.per_hour * DRAIN / HOUR, (1 - _NO_GROWTH) * budget.limit):
        return "drain"
    if budget.part >= _NO_GROWTH:
        return "no growth"
    return "warn" if budget.part >= _WARN else "half" if budget.part >= _HALF else "fine"

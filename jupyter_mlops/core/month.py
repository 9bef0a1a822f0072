"""Months: what a calendar month cost so far, what it will, and what was saved. Months are UTC's, as bills are."""

from __future__ import annotations

import calendar
import math
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from .base import Record, Time
from .bill import Bill, next_starts
from .errors import InvalidInput
from .price import Usage
from .saving import Saving, saving_of

_DAY = 86400.0

#: The part of a month that must be over before what it will cost can be told from it.
ENOUGH = 0.1


class Month(NamedTuple):
    """A calendar month."""

    year: int
    month: int

    @classmethod
    def at(cls, moment: Time) -> Month:
        """The month that a moment is in."""
        there = time.gmtime(moment)
        return cls(there.tm_year, there.tm_mon)

    @classmethod
    def typed(cls, text: str) -> Month:
        """The month that somebody typed: "2026-11".

        Raises
        ------
        InvalidInput : it is none.
        """
        found = re.fullmatch(r"([0-9]{4})-([0-9]{2})", text.strip())
        if found is None or not 1 <= int(found[2]) <= 12 or not 1970 <= int(found[1]) < 9999:
            raise InvalidInput(f"{text!r} is no month", "", "Write it like 2026-11.")
        return cls(int(found[1]), int(found[2]))

    @property
    def start(self) -> Time:
        """Its first moment."""
        return float(calendar.timegm((self.year, self.month, 1, 0, 0, 0)))

    @property
    def end(self) -> Time:
        """The first moment after it."""
        year, month = (self.year + 1, 1) if self.month == 12 else (self.year, self.month + 1)
        return float(calendar.timegm((year, month, 1, 0, 0, 0)))

    @property
    def title(self) -> str:
        """What people call it: "November 2026"."""
        return f"{_NAMES[self.month - 1]} {self.year}"

    def __str__(self) -> str:
        return f"{self.year:04}-{self.month:02}"


_NAMES = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


class MonthSum(Record):
    """What the clusters of a month cost together, in one currency.

    A cluster counts in the month in which it ended, one that lives in the current one. `unpriced` are those without any
    price, `unknown` the usage that no price is known for. `forecast` is what the whole month will cost at the pace so
    far; None in its first days, and for a month that is over. `saving` is of clusters that have ended.
    """

    month: str
    currency: str = "USD"
    clusters: int = 0
    live: int = 0
    unpriced: int = 0
    amount: float | None = None
    per_hour: float | None = None
    unknown: Usage = Usage()
    forecast: float | None = None
    saving: Saving | None = None


def month_of(bill: Bill, now: Time) -> Month:
    """The month that a bill counts in."""
    return Month.at(now if bill.ended is None else bill.ended)


def bills_in(bills: Iterable[Bill], month: Month, now: Time) -> list[Bill]:
    """The bills of a month, oldest first."""
    return sorted((bill for bill in bills if month_of(bill, now) == month), key=lambda bill: bill.created)


def month_sums(bills: Sequence[Bill], month: Month, now: Time) -> list[MonthSum]:
    """What a month cost, currency by currency; one of nothing where it had no clusters.

    Parameters
    ----------
    bills : all there are: when an owner's next cluster started may be told by one of another month.
    now : seconds since the epoch.
    """
    found: dict[str, list[Bill]] = {}
    for bill in bills_in(bills, month, now):
        found.setdefault(bill.cost.currency, []).append(bill)
    starts = next_starts(bills)
    sums = [_sum(theirs, month, currency, now, starts) for currency, theirs in sorted(found.items())]
    return sums or [MonthSum(month=str(month))]


def _sum(bills: list[Bill], month: Month, currency: str, now: Time, starts: Mapping[str, Time | None]) -> MonthSum:
    amounts = [bill.cost.amount for bill in bills if bill.cost.amount is not None]
    live = [bill for bill in bills if bill.ended is None]
    rates = [bill.cost.per_hour for bill in live if bill.cost.per_hour is not None]
    amount = math.fsum(amounts) if amounts else None
    return MonthSum(
        month=str(month),
        currency=currency,
        clusters=len(bills),
        live=len(live),
        unpriced=len(bills) - len(amounts),
        amount=amount,
        per_hour=math.fsum(rates) if rates else None,
        unknown=sum((bill.cost.usage if bill.cost.amount is None else bill.cost.unknown for bill in bills), Usage()),
        forecast=forecast(amount, month, now),
        saving=_saving(bills, currency, starts),
    )


def forecast(amount: float | None, month: Month, now: Time) -> float | None:
    """What a month that cost `amount` until `now` will cost at this pace; None where that can't be told, or is over."""
    passed = (now - month.start) / (month.end - month.start)
    return amount / passed if amount is not None and ENOUGH <= passed < 1 else None


def _saving(bills: list[Bill], currency: str, starts: Mapping[str, Time | None]) -> Saving | None:
    found = [
        saving_of(bill.cost.amount, currency, bill.baseline, bill.ended, starts.get(bill.id))
        for bill in bills
        if bill.baseline is not None and bill.ended is not None and bill.cost.amount is not None
    ]
    return sum(found[1:], found[0]) if found else None

"""What a browser is told of a month's money."""

from __future__ import annotations

from .base import Record
from .followed import FollowedAdvice
from .month import MonthSum
from .saving import CAREFUL
from .unitcost import Trend


class MoneyView(Record):
    """A month: its name, what it cost by currency, what its savings are compared with, and what a million items cost
    over all months, of the runs that cost most. `followed` is what became of advice, `silent` are places that did not
    answer, which may have more."""

    month: str
    title: str
    sums: list[MonthSum] = []
    baseline: str = CAREFUL
    trends: list[Trend] = []
    followed: list[FollowedAdvice] = []
    silent: list[str] = []

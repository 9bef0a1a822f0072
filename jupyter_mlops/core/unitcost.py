"""What a million items cost, over months: whether more data costs less than it did."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import computed_field

from .base import Label, Record, Time
from .bill import Bill, run_spends
from .month import Month

#: Items that a unit cost is told for.
MILLION = 1_000_000


class UnitCost(Record):
    """A month of one kind of run: how many there were, their items, and what they cost in all, with their share of
    booting, waiting for work and leaving."""

    month: str
    runs: int = 0
    items: int = 0
    amount: float = 0

    @computed_field  # type: ignore[prop-decorator]  # mypy doesn't know properties below decorators
    @property
    def per_million(self) -> float:
        """Money for a million items."""
        return self.amount / self.items * MILLION


class Trend(Record):
    """What runs of one name, of one owner, cost over months, the first first. Only maps and sweeps have items, and only
    those of which all is known count."""

    name: Label
    owner: Label = ""
    currency: str = "USD"
    months: list[UnitCost]

    @property
    def items_times(self) -> float:
        """How many times the items of the first month the last one had."""
        return self.months[-1].items / self.months[0].items

    @property
    def cost_times(self) -> float | None:
        """How many times the cost of the first month the last one had; None where that was nothing."""
        first = self.months[0].amount
        return self.months[-1].amount / first if first else None


def trends(bills: Iterable[Bill], now: Time) -> list[Trend]:
    """What a million items cost, by name of the runs, owner and currency; those that cost most in all first."""
    found: dict[tuple[str, str, str], dict[str, UnitCost]] = {}
    for bill in bills:
        totals = {spend.id: spend.total for spend in run_spends(bill)}
        for run in bill.runs:
            if not run.items or run.lacks or bill.cost.amount is None:
                continue
            months = found.setdefault((run.name, run.owner, bill.cost.currency), {})
            name = str(Month.at(run.ended or now))
            known = months.get(name, UnitCost(month=name))
            months[name] = UnitCost(
                month=name,
                runs=known.runs + 1,
                items=known.items + run.items,
                amount=known.amount + totals[run.id],
            )
    rows = [
        Trend(name=name, owner=owner, currency=currency, months=[months[key] for key in sorted(months)])
        for (name, owner, currency), months in found.items()
    ]
    return sorted(rows, key=lambda trend: -sum(month.amount for month in trend.months))

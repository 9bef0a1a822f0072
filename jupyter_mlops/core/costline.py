"""Lines of a table of costs: whose, or which, cost how much."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Literal

from .base import Label, Record
from .bill import Bill, run_spends
from .price import Cost, Usage

#: What costs can be told by.
By = Literal["cluster", "owner", "profile", "run"]

#: What tasks that belonged to no run are called.
NO_RUN = "(no run)"


class CostLine(Record):
    """What all that has one name cost, in one currency. `unknown` is the usage that no price is known for; runs have
    no usage of their own, since idle hours are shared out as money only."""

    name: Label
    currency: str = "USD"
    amount: float | None = None
    usage: Usage = Usage()
    unknown: Usage = Usage()

    @property
    def cost(self) -> Cost:
        """The same as a cost."""
        return Cost(amount=self.amount, currency=self.currency, usage=self.usage, unknown=self.unknown)


def cost_lines(bills: Iterable[Bill], by: By) -> list[CostLine]:
    """The lines of these bills, what cost most first. Their amounts add up to those of the bills."""
    lines = _runs(bills) if by == "run" else _together(bills, _NAMES[by])
    return sorted(lines, key=lambda line: (-(line.amount or 0.0), line.name))


_NAMES: dict[str, Callable[[Bill], str]] = {
    "cluster": lambda bill: bill.name,
    "owner": lambda bill: bill.owner,
    "profile": lambda bill: bill.profile,
}


def _together(bills: Iterable[Bill], name: Callable[[Bill], str]) -> list[CostLine]:
    found: dict[tuple[str, str], list[Cost]] = {}
    for bill in bills:
        found.setdefault((name(bill), bill.cost.currency), []).append(bill.cost)
    return [
        CostLine(
            name=name,
            currency=currency,
            amount=_known([cost.amount for cost in costs]),
            usage=sum((cost.usage for cost in costs), Usage()),
            unknown=sum((cost.usage if cost.amount is None else cost.unknown for cost in costs), Usage()),
        )
        for (name, currency), costs in found.items()
    ]


def _runs(bills: Iterable[Bill]) -> list[CostLine]:
    found: dict[tuple[str, str], list[float | None]] = {}
    for bill in bills:
        for spend in run_spends(bill):
            found.setdefault((spend.name or NO_RUN, bill.cost.currency), []).append(spend.total)
        if bill.cost.amount is None:
            for name in {run.name for run in bill.runs}:
                found.setdefault((name, bill.cost.currency), []).append(None)
    return [
        CostLine(name=name, currency=currency, amount=_known(amounts)) for (name, currency), amounts in found.items()
    ]


def _known(amounts: Iterable[float | None]) -> float | None:
    """The sum of what is known; None when nothing is."""
    known = [amount for amount in amounts if amount is not None]
    return math.fsum(known) if known else None

"""What each user's clusters cost."""

from __future__ import annotations

from collections.abc import Iterable

from .base import Record
from .cluster import ClusterState
from .price import Cost, Usage
from .spend import Spend


class Account(Record):
    """A user's clusters in one currency: how many, how many of them live, how many have no price, and what they cost
    together."""

    owner: str
    clusters: int = 0
    live: int = 0
    unpriced: int = 0
    cost: Cost = Cost()
    #: What their workers were there for, as far as it was measured.
    spend: Spend = Spend()


def accounts(states: Iterable[ClusterState]) -> list[Account]:
    """The accounts of all owners of these clusters, by name."""
    found: dict[tuple[str, str], list[ClusterState]] = {}
    for state in states:
        found.setdefault((state.owner, state.cost.currency), []).append(state)
    return [
        Account(
            owner=owner,
            clusters=len(theirs),
            live=sum(state.phase != "ended" for state in theirs),
            unpriced=sum(state.cost.amount is None for state in theirs),
            cost=_together(theirs, currency),
            spend=sum((state.spend for state in theirs if state.spend is not None), Spend(currency=currency)),
        )
        for (owner, currency), theirs in sorted(found.items())
    ]


def _together(states: list[ClusterState], currency: str) -> Cost:
    costs = [state.cost for state in states]
    rates = [state.cost.per_hour for state in states if state.phase != "ended"]
    return Cost(
        amount=_known([cost.amount for cost in costs]),
        per_hour=_known(rates) if rates else 0.0,
        unpriced=sum(state.cost.unpriced for state in states if state.phase != "ended"),
        currency=currency,
        source="the clusters' own prices",
        usage=sum((cost.usage for cost in costs), Usage()),
        unknown=sum((cost.usage if cost.amount is None else cost.unknown for cost in costs), Usage()),
    )


def _known(amounts: list[float | None]) -> float | None:
    """The sum of what is known; None when nothing is."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if known else None

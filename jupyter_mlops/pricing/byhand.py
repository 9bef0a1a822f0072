"""Prices that the user set by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..core.price import Price, Rate
from .node import Node, NodePrice

#: What a price by hand is called that doesn't say who set it.
BY_HAND = "set by hand"


@dataclass(frozen=True)
class ByHand:
    """Prices per instance type, else rates per CPU, GB and GPU. The former may be in other `currencies` than these."""

    rates: Price
    kinds: Mapping[str, Rate] = field(default_factory=dict)
    currencies: Mapping[str, str] = field(default_factory=dict)

    def price(self, node: Node) -> NodePrice | None:
        """As `Table.price`. Rates are charged as they are; the whole node is what they make of all that it has."""
        source = self.rates.source or BY_HAND
        if node.kind in self.kinds:
            currency = self.currencies.get(node.kind, self.rates.currency)
            return NodePrice(self.kinds[node.kind], f"{node}: {BY_HAND}", "", currency)
        per_hour = self.rates.per_hour(node.cpus, node.memory, node.gpus)
        if per_hour is None:
            return None
        return NodePrice(per_hour, source, self.rates.date, self.rates.currency, self.rates)

"""What of a node decides on its price."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..core.price import Price


@dataclass(frozen=True)
class Node:
    """A node: its kind (instance type), where it is, whether it is spot, and all that it has.

    `cpus` is CPUs, `memory` bytes, `gpus` GPUs.
    """

    name: str
    kind: str
    region: str
    zone: str
    spot: bool
    cpus: float
    memory: float
    gpus: float = 0

    def __str__(self) -> str:
        kind = self.kind or f"the node {self.name}"
        return f"{kind}{' spot' if self.spot else ''}{f' in {self.region}' if self.region else ''}"


@dataclass(frozen=True)
class NodePrice:
    """Money for an hour of a node, who says so, and when that was.

    `rates` are what each resource is charged, where the user has said so; else the node's price is divided.
    """

    per_hour: float
    source: str
    date: str = ""
    currency: str = "USD"
    rates: Price | None = None


class Table(Protocol):
    """Knows prices of nodes."""

    def price(self, node: Node) -> NodePrice | None:
        """The price of an hour of `node`; None when it isn't known."""


def money(given: object) -> float | None:
    """An amount; None for what is missing, no number, zero or less: nobody gives nodes away."""
    try:
        amount = float(str(given))
    except ValueError:
        return None
    return amount if 0 < amount < float("inf") else None

"""What an hour of a node costs, and a worker's share of it. Pure, but for reading the tables.

Tables in the order in which they are asked: rates that the user set by hand, a CSV in SkyPilot's format that the user
imported, the table that comes with apache-libcloud. A price that none of them knows is None, never zero.
"""

from __future__ import annotations

import csv
import datetime
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

from ...core.price import Price
from . import quantity
from .template import GPU, SPOT_LABELS

#: Ratios of CPU, GB and GPU by which a node's price is divided: OpenCost's default rates (opencost.io/docs).
BASE = Price(cpu_hour=0.031611, gb_hour=0.004237, gpu_hour=0.95)


@dataclass(frozen=True)
class Node:
    """What of a node decides on its price."""

    name: str
    kind: str
    region: str
    zone: str
    spot: bool
    cpus: float
    memory: float
    gpus: float = 0


@dataclass(frozen=True)
class NodePrice:
    """Money for an hour of a node, who says so, and when that was."""

    per_hour: float
    source: str
    date: str = ""
    currency: str = "USD"


class Table(Protocol):
    """Knows prices of nodes."""

    def price(self, node: Node) -> NodePrice | None:
        """The price of an hour of `node`; None when it isn't known."""


def is_spot(labels: Mapping[str, str]) -> bool:
    """Whether a node with these labels may be taken back by its cloud."""
    return any(str(labels.get(key, "")).lower() in {v.lower() for v in values} for key, values in SPOT_LABELS)


def node_of(node: Mapping[str, Any]) -> Node:
    """The `Node` of the API's JSON."""
    labels = node["metadata"].get("labels") or {}
    capacity = (node.get("status") or {}).get("capacity") or {}
    return Node(
        name=node["metadata"]["name"],
        kind=labels.get("node.kubernetes.io/instance-type", ""),
        region=labels.get("topology.kubernetes.io/region", ""),
        zone=labels.get("topology.kubernetes.io/zone", ""),
        spot=is_spot(labels),
        cpus=quantity.parse(capacity.get("cpu", 0)),
        memory=quantity.parse(capacity.get("memory", 0)),
        gpus=quantity.parse(capacity.get(GPU, 0)),
    )


@dataclass(frozen=True)
class ByHand:
    """Rates that the user set: per instance type, else per CPU, GB and GPU."""

    kinds: Mapping[str, float]
    rates: Price

    def price(self, node: Node) -> NodePrice | None:
        """As `Table.price`."""
        if node.kind in self.kinds:
            return NodePrice(self.kinds[node.kind], "set by hand", self.rates.date, self.rates.currency)
        per_hour = self.rates.per_hour(node.cpus, node.memory, node.gpus)
        source = self.rates.source if self.rates.source != Price().source else "set by hand"
        return None if per_hour is None else NodePrice(per_hour, source, self.rates.date, self.rates.currency)


@dataclass(frozen=True)
class _Row:
    region: str
    zone: str
    price: float | None
    spot: float | None


class SkyPilot:
    """A CSV in SkyPilot's catalogue format: InstanceType, Region, AvailabilityZone, Price, SpotPrice, …

    Parameters
    ----------
    lines : the file's lines, the first of which names the columns.
    source : what to call it on the screen.
    date : of its prices.
    """

    def __init__(self, lines: Iterable[str], source: str, date: str = "") -> None:
        self._source, self._date = source, date
        self._rows: dict[str, list[_Row]] = {}
        for row in csv.DictReader(lines):
            kind = (row.get("InstanceType") or "").strip()
            if kind:
                entry = _Row(
                    row.get("Region") or "",
                    row.get("AvailabilityZone") or "",
                    _money(row.get("Price")),
                    _money(row.get("SpotPrice")),
                )
                self._rows.setdefault(kind, []).append(entry)

    @classmethod
    def read(cls, path: Path) -> SkyPilot:
        """The table in the file `path`, dated by it."""
        date = datetime.datetime.fromtimestamp(path.stat().st_mtime, tz=datetime.timezone.utc).date().isoformat()
        with path.open(encoding="utf-8", newline="") as file:
            return cls(file, path.name, date)

    def price(self, node: Node) -> NodePrice | None:
        """As `Table.price`: the zone's own price, else the region's lowest."""
        rows = [row for row in self._rows.get(node.kind, []) if row.region == node.region]
        near = [row for row in rows if row.zone == node.zone] or rows
        known = [money for row in near if (money := row.spot if node.spot else row.price) is not None]
        return NodePrice(min(known), self._source, self._date) if known else None


def _money(given: object) -> float | None:
    """An amount; None for what is missing, no number, zero or less: nobody gives nodes away."""
    try:
        amount = float(str(given))
    except ValueError:
        return None
    return amount if 0 < amount < float("inf") else None


class Libcloud:
    """The prices in apache-libcloud's `pricing.json`: EC2 and Azure on demand, Google's also spot.

    Parameters
    ----------
    prices : the file's content. Zeros in it mean that nobody knew, and are dropped.
    """

    def __init__(self, prices: Mapping[str, Any]) -> None:
        self._compute: Mapping[str, Any] = prices.get("compute", {})
        self._date = ""
        if prices.get("updated"):
            moment = datetime.datetime.fromtimestamp(float(prices["updated"]), tz=datetime.timezone.utc)
            self._date = moment.date().isoformat()

    def price(self, node: Node) -> NodePrice | None:
        """As `Table.price`."""
        amount = self._google(node)
        if amount is None and not node.spot:
            amount = self._amazon(node) or self._azure(node)
        return None if amount is None else NodePrice(amount, "apache-libcloud's pricing.json", self._date)

    def _amazon(self, node: Node) -> float | None:
        by_region = self._compute.get("ec2_linux", {}).get(node.kind)
        if not isinstance(by_region, Mapping):
            return None
        older = self._compute.get(_OLDER_TABLES.get(node.region, ""), {}).get(node.kind)
        return _money(by_region.get(node.region)) or _money(older)

    def _azure(self, node: Node) -> float | None:
        size = node.kind.replace("_", "").lower()
        by_region = self._compute.get("azure_linux", {}).get(size)
        return _money(by_region.get(node.region)) if isinstance(by_region, Mapping) else None

    def _google(self, node: Node) -> float | None:
        family = self._compute.get("gce_instances", {}).get(node.kind.partition("-")[0])
        if not isinstance(family, Mapping) or not node.cpus:
            return None
        kind = "preemptible" if node.spot else "on_demand"
        rates = [
            _money((family.get(part, {}).get(kind, {}).get(node.region) or {}).get("price")) for part in ("cpu", "ram")
        ]
        if rates[0] is None or rates[1] is None:
            return None
        return rates[0] * node.cpus + rates[1] * node.memory / 2**30  # it prices GiB


#: Regions whose newer table has zeros, and the table in the same file that has their prices.
_OLDER_TABLES = {"us-east-1": "ec2_us_east", "eu-west-1": "ec2_eu_west", "eu-central-1": "ec2_eu_central"}


@lru_cache(maxsize=1)
def libcloud() -> Libcloud | None:
    """The table that comes with apache-libcloud; None when it isn't installed."""
    try:
        text = resources.files("libcloud").joinpath("data/pricing.json").read_text(encoding="utf-8")
    except (ModuleNotFoundError, FileNotFoundError):
        return None
    return Libcloud(json.loads(text))


def lookup(node: Node, tables: Sequence[Table]) -> NodePrice | None:
    """The first price that one of `tables` knows."""
    return next((price for table in tables if (price := table.price(node)) is not None), None)


def rates(node: Node, price: NodePrice, base: Price = BASE) -> Price:
    """A node's price divided among its CPUs, memory and GPUs by the ratios of `base`, as OpenCost does it.

    The rates times all that the node has are its price again.
    """
    weight = base.per_hour(node.cpus, node.memory, node.gpus)
    if not weight:
        raise ValueError(f"the node {node.name!r} has neither CPUs nor memory")
    factor = price.per_hour / weight
    return Price(
        cpu_hour=(base.cpu_hour or 0) * factor,
        gb_hour=(base.gb_hour or 0) * factor,
        gpu_hour=(base.gpu_hour or 0) * factor,
        currency=price.currency,
        source=f"{node.kind}{' spot' if node.spot else ''} in {node.region}: {price.source}"
        if node.kind
        else price.source,
        date=price.date,
    )


@dataclass(frozen=True)
class Share:
    """What of a node's price belongs to workers on it.

    `attributed`: by the resources that they ask for. `dedicated`: the whole node, while they hold any of it.
    """

    attributed: float
    dedicated: float


def share(node: Node, price: NodePrice, cpus: float, memory: float, gpus: float = 0) -> Share:
    """The hourly share of workers that together hold `cpus` CPUs, `memory` bytes and `gpus` GPUs of `node`."""
    amount = rates(node, price).per_hour(cpus, memory, gpus) or 0.0
    held = cpus > 0 or memory > 0 or gpus > 0
    return Share(attributed=min(amount, price.per_hour), dedicated=price.per_hour if held else 0.0)

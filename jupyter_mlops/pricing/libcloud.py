"""The price table that comes with the package apache-libcloud."""

from __future__ import annotations

import datetime
import json
from collections.abc import Collection, Mapping
from functools import lru_cache
from importlib import resources
from typing import Any

from .node import Node, NodePrice, money

#: Its tables that have a price per region for each kind.
_BY_REGION = ("ec2_linux", "azure_linux")
#: Its prices of a family of Google's machines.
_GOOGLE = ("on_demand", "preemptible")
#: Regions whose newer table has zeros, and the table in the same file that has their prices.
_OLDER_TABLES = {"us-east-1": "ec2_us_east", "eu-west-1": "ec2_eu_west", "eu-central-1": "ec2_eu_central"}


class Libcloud:
    """The prices in apache-libcloud's `pricing.json`: EC2 and Azure on demand, Google's also spot.

    Parameters
    ----------
    prices : the file's content. Zeros in it mean that nobody knew, and are dropped.
    """

    def __init__(self, prices: Mapping[str, Any]) -> None:
        self._compute: Mapping[str, Any] = prices.get("compute", {})
        self._updated = prices.get("updated")
        self._date = ""
        if prices.get("updated"):
            moment = datetime.datetime.fromtimestamp(float(prices["updated"]), tz=datetime.timezone.utc)
            self._date = moment.date().isoformat()

    def price(self, node: Node) -> NodePrice | None:
        """As `Table.price`."""
        amount = self._google(node)
        if amount is None and not node.spot:
            amount = self._amazon(node) or self._azure(node)
        return None if amount is None else NodePrice(amount, f"{node}: apache-libcloud's pricing.json", self._date)

    def within(self, regions: Collection[str]) -> Libcloud:
        """The part of these regions; of all regions when none is given."""

        def here(prices: Mapping[str, Any]) -> dict[str, Any]:
            return {region: price for region, price in prices.items() if not regions or region in regions}

        compute: dict[str, Any] = {
            table: {kind: kept for kind, prices in self._compute.get(table, {}).items() if (kept := here(prices))}
            for table in _BY_REGION
        }
        compute |= {_OLDER_TABLES[r]: self._compute.get(_OLDER_TABLES[r], {}) for r in here(_OLDER_TABLES)}
        compute["gce_instances"] = {
            family: {
                part: {kind: here(found) for kind in _GOOGLE if (found := parts.get(part, {}).get(kind))}
                for part in ("cpu", "ram")
            }
            for family, parts in self._compute.get("gce_instances", {}).items()
        }
        return Libcloud({"updated": self._updated, "compute": compute})

    def as_json(self) -> dict[str, Any]:
        """What `Libcloud` is made of again."""
        return {"updated": self._updated, "compute": self._compute}

    def _amazon(self, node: Node) -> float | None:
        by_region = self._compute.get("ec2_linux", {}).get(node.kind)
        if not isinstance(by_region, Mapping):
            return None
        older = self._compute.get(_OLDER_TABLES.get(node.region, ""), {}).get(node.kind)
        return money(by_region.get(node.region)) or money(older)

    def _azure(self, node: Node) -> float | None:
        size = node.kind.replace("_", "").lower()
        by_region = self._compute.get("azure_linux", {}).get(size)
        return money(by_region.get(node.region)) if isinstance(by_region, Mapping) else None

    def _google(self, node: Node) -> float | None:
        family = self._compute.get("gce_instances", {}).get(node.kind.partition("-")[0])
        if not isinstance(family, Mapping) or not node.cpus or node.gpus:
            return None  # GPUs are paid for in addition, and it doesn't know them
        kind = "preemptible" if node.spot else "on_demand"
        rates = [
            money((family.get(part, {}).get(kind, {}).get(node.region) or {}).get("price")) for part in ("cpu", "ram")
        ]
        if rates[0] is None or rates[1] is None:
            return None
        return rates[0] * node.cpus + rates[1] * node.memory / 2**30  # it prices GiB


@lru_cache(maxsize=1)
def libcloud() -> Libcloud | None:
    """The table that comes with apache-libcloud; None when it isn't installed."""
    try:
        text = resources.files("libcloud").joinpath("data/pricing.json").read_text(encoding="utf-8")
    except (ModuleNotFoundError, FileNotFoundError):
        return None
    return Libcloud(json.loads(text))

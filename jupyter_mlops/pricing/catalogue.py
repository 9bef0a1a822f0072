"""What a cluster's controller needs to price the nodes that its workers run on, and how it travels there."""

from __future__ import annotations

import dataclasses
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..core.adjust import Adjustment
from ..core.base import read_record
from ..core.price import REFERENCE, HostPrice, Price
from .byhand import ByHand
from .libcloud import Libcloud
from .node import Node, NodePrice, Table
from .skypilot import SkyPilot


@dataclass(frozen=True)
class Catalogue:
    """Tables of prices, and the nodes that there were when the cluster was made.

    The nodes are for controllers that may not read nodes themselves.
    """

    by_hand: ByHand
    lists: Sequence[SkyPilot] = ()
    libcloud: Libcloud | None = None
    nodes: Mapping[str, Node] = field(default_factory=dict)
    #: What becomes of prices of lists.
    adjust: Adjustment = field(default_factory=Adjustment)

    @property
    def tables(self) -> Iterator[Table]:
        """The tables that are asked, in this order."""
        yield self.by_hand
        yield from self.lists
        if self.libcloud is not None:
            yield self.libcloud

    def price(self, node: Node) -> HostPrice:
        """What `node` costs. Prices of lists in another currency than the user's are unknown, unless somebody has said
        what one is in the other."""
        currency, listed = self.by_hand.rates.currency, ""
        for table in self.tables:
            found = table.price(node)
            if found is not None and table is not self.by_hand:
                listed = listed or found.currency
                found = self._adjusted(found, currency)
            if found is not None and found.currency == currency:
                return HostPrice(rates=found.rates or rates(node, found), per_hour=found.per_hour)
        why = f"no price of {node} is known"
        if listed and listed != currency:
            why += " in your currency, only in the lists’: say what one is in the other (jupyter mlops prices exchange)"
        return unknown(why, currency)

    def _adjusted(self, found: NodePrice, currency: str) -> NodePrice | None:
        adjusted = self.adjust.of(found.per_hour, found.currency, currency)
        if adjusted is None:
            return None
        per_hour, how = adjusted
        source = f"{found.source}, {how}" if how else found.source
        return dataclasses.replace(found, per_hour=per_hour, currency=currency, source=source)

    def within(self) -> Catalogue:
        """The part of the catalogue for the regions that its nodes are in."""
        regions = {node.region for node in self.nodes.values() if node.region}
        lists = [found.within(regions) for found in self.lists]
        libcloud = self.libcloud.within(regions) if self.libcloud else None
        return dataclasses.replace(self, lists=[found for found in lists if found.rows], libcloud=libcloud)

    def packed(self, most: int) -> bytes:
        """As it travels. Where that is more than `most` bytes, lists are cut to the kinds of the nodes that there
        are."""
        data = _bytes(self)
        if len(data) > most:
            kinds = {node.kind for node in self.nodes.values()}
            lists = [
                SkyPilot((row for row in found.rows if row.kind in kinds), found.source, found.date)
                for found in self.lists
            ]
            data = _bytes(dataclasses.replace(self, lists=lists))
        return data

    @classmethod
    def unpacked(cls, data: bytes) -> Catalogue:
        """What was sent."""
        sent = json.loads(gzip.decompress(data))
        return cls(
            ByHand(read_record(Price, sent["rates"]), sent["kinds"]),
            [SkyPilot.of(each) for each in sent["lists"]],
            Libcloud(sent["libcloud"]) if sent["libcloud"] else None,
            {node["name"]: Node(**node) for node in sent["nodes"]},
            read_record(Adjustment, sent.get("adjust") or {}),
        )


def unknown(why: str, currency: str = "USD") -> HostPrice:
    """No price, and why."""
    return HostPrice(rates=Price(source=why, currency=currency))


def rates(node: Node, price: NodePrice, base: Price = REFERENCE) -> Price:
    """A node's price divided among its CPUs, memory and GPUs by the ratios of `base`, as OpenCost does it.

    The rates, multiplied by all that the node has, give the node's price again. The rates of a node that has nothing
    are unknown.
    """
    weight = base.per_hour(node.cpus, node.memory, node.gpus)
    factor = price.per_hour / weight if weight else None
    parts = {
        name: None if factor is None else factor * (getattr(base, name) or 0)
        for name in ("cpu_hour", "gb_hour", "gpu_hour")
    }
    return Price(**parts, currency=price.currency, source=price.source, date=price.date)


def _bytes(catalogue: Catalogue) -> bytes:
    sent = {
        "rates": catalogue.by_hand.rates.model_dump(),
        "kinds": dict(catalogue.by_hand.kinds),
        "lists": [each.as_json() for each in catalogue.lists],
        "adjust": catalogue.adjust.model_dump(),
        "libcloud": catalogue.libcloud.as_json() if catalogue.libcloud else None,
        "nodes": [dataclasses.asdict(node) for node in catalogue.nodes.values()],
    }
    return gzip.compress(json.dumps(sent, separators=(",", ":")).encode(), mtime=0)

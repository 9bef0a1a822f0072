"""What a cluster's controller needs to price the nodes that its workers run on, and how it travels there."""

from __future__ import annotations

import dataclasses
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..core.adjust import LISTED, Adjustment, exchange_todo
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
        """What `node` costs, as the first table says that knows it. In another currency than the user's it is unknown,
        unless somebody has said what one is in the other."""
        currency = self.by_hand.rates.currency
        for table in self.tables:
            found = table.price(node)
            if found is None:
                continue
            adjusted = self._adjusted(found, currency, is_listed=table is not self.by_hand)
            if adjusted is None:
                return unknown(_not_converted(node, found.currency, currency), currency)
            return HostPrice(
                rates=adjusted.rates or rates(node, adjusted),
                per_hour=adjusted.per_hour,
                of_list=1.0 if table is self.by_hand else self._of_list(node, adjusted),
            )
        return unknown(f"no price of {node} is known", currency)

    def _of_list(self, node: Node, paid: NodePrice) -> float:
        """Which part of its list price on demand is paid for `node`; 1 where no list has that."""
        on_demand = dataclasses.replace(node, spot=False)
        for table in self.tables:
            found = None if table is self.by_hand else table.price(on_demand)
            whole = found and Adjustment(exchange=self.adjust.exchange).of(
                found.per_hour, found.currency, paid.currency
            )
            if whole:
                return paid.per_hour / whole[0]
        return 1.0

    def _adjusted(self, found: NodePrice, currency: str, is_listed: bool) -> NodePrice | None:
        """`found` in `currency`; of what the user set by hand there is no discount."""
        adjust = self.adjust if is_listed else Adjustment(exchange=self.adjust.exchange)
        what = "list price" if is_listed else "price"
        adjusted = adjust.of(found.per_hour, found.currency, currency, what)
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
            ByHand(read_record(Price, sent["rates"]), sent["kinds"], sent.get("currencies") or {}),
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


def _not_converted(node: Node, known: str, currency: str) -> str:
    """Why a price in the currency `known` is none in `currency`."""
    todo = exchange_todo(currency) if known == LISTED else f"`jupyter mlops prices set {node.kind} AMOUNT` sets it anew"
    return f"the price of {node} is known in {known} only; {todo}"


def _bytes(catalogue: Catalogue) -> bytes:
    sent = {
        "rates": catalogue.by_hand.rates.model_dump(),
        "kinds": dict(catalogue.by_hand.kinds),
        "currencies": dict(catalogue.by_hand.currencies),
        "lists": [each.as_json() for each in catalogue.lists],
        "adjust": catalogue.adjust.model_dump(),
        "libcloud": catalogue.libcloud.as_json() if catalogue.libcloud else None,
        "nodes": [dataclasses.asdict(node) for node in catalogue.nodes.values()],
    }
    return gzip.compress(json.dumps(sent, separators=(",", ":")).encode(), mtime=0)

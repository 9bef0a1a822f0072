"""A cluster's price from the nodes that it will run on, where the user has set none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ...core.cluster import ClusterSpec
from ...core.price import Price
from . import prices
from .api import Answer, Api, Unreachable


async def priced(api: Api, spec: ClusterSpec) -> ClusterSpec:
    """`spec` with rates from its nodes' prices, if it has none and they are known."""
    if spec.price.cpu_hour is not None or spec.price.gb_hour is not None:
        return spec
    try:
        found = await api.request("GET", api.path("nodes", namespace=""), query={"limit": 500}, timeout=5.0)
    except (Answer, Unreachable):
        return spec  # nodes may not be read: the price stays unknown
    table = prices.libcloud()
    nodes = [prices.node_of(node) for node in found.get("items") or []]
    spot = all(group.spot for group in spec.profile.groups)
    rates = usual_rates([node for node in nodes if node.spot == spot], [table] if table else [])
    return spec if rates is None else spec.model_copy(update={"price": rates})


def usual_rates(nodes: Sequence[prices.Node], tables: Sequence[prices.Table]) -> Price | None:
    """The rates of the kind of node that most are of; None when its price isn't known."""
    kinds = Counter((node.kind, node.region, node.spot) for node in nodes if node.kind)
    if not kinds:
        return None
    usual = kinds.most_common(1)[0][0]
    node = next(node for node in nodes if (node.kind, node.region, node.spot) == usual)
    price = prices.lookup(node, tables)
    return None if price is None or not node.cpus else prices.rates(node, price)

"""The prices that travel with a cluster: what its controller needs to price nodes, gathered by who starts it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from ...core.cluster import ClusterSpec
from ...home import settings
from ...pricing import ByHand, Catalogue, Node
from ...pricing import lists as own
from ...pricing.libcloud import libcloud
from .api.client import Answer, Api, Unreachable
from .node import node_of

#: Nodes that are looked at: they tell of the regions and kinds that there are.
NODES = 500
#: Bytes that prices may have when they travel: they share a Secret, which takes 1 MiB, with the code.
MOST = 400_000


async def price_list(api: Api, spec: ClusterSpec) -> bytes:
    """A packed `Catalogue` for `spec`: the user's own prices, and those of the regions that there are nodes in."""
    query = {"limit": NODES, "resourceVersion": "0"}
    try:
        found = await api.request("GET", api.path("nodes", namespace=""), query=query, timeout=5.0)
    except (Answer, Unreachable):
        found = {}  # they may not be read: the controller may be allowed to
    nodes = [node_of(each) for each in found.get("items") or []]
    return await asyncio.to_thread(_packed, spec, {node.name: node for node in nodes})


def _packed(spec: ClusterSpec, nodes: Mapping[str, Node]) -> bytes:
    """A profile's rates are the last word; rates of the settings give way to their prices of instance types only."""
    of_profile = spec.profile.price is not None and spec.profile.price.known
    by_hand = ByHand(spec.price, {} if of_profile else settings.load().kinds)
    if spec.price.known:
        return Catalogue(by_hand, nodes=nodes).packed(MOST)
    return Catalogue(by_hand, own.lists(), libcloud(), nodes, settings.load().adjust).within().packed(MOST)

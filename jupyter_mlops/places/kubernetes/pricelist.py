"""The prices that travel with a cluster: what its controller needs to price nodes, gathered by who starts it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from ...core.cluster import ClusterSpec
from ...core.price import Price
from ...core.profile import Profile
from ...home import settings
from ...pricing import ByHand, Catalogue, Node
from ...pricing import lists as own
from ...pricing.libcloud import libcloud
from .api.client import Answer, Api, Json, Unreachable
from .node import node_of

#: Nodes that are looked at: they tell of the regions and kinds that there are.
NODES = 500
#: Bytes that prices may have when they travel: they share a Secret, which takes 1 MiB, with the code.
MOST = 300_000


async def price_list(api: Api, spec: ClusterSpec) -> bytes:
    """A packed `Catalogue` for `spec`: the user's own prices, and those of the regions that there are nodes in."""
    try:
        found = await nodes_of(api)
    except (Answer, Unreachable):
        found = []  # they may not be read: the controller may be allowed to
    nodes = {node.name: node for node in map(node_of, found)}
    return await asyncio.to_thread(lambda: catalogue_of(spec.profile, spec.price, nodes).within().packed(MOST))


async def nodes_of(api: Api) -> list[Json]:
    """The nodes of a Kubernetes cluster, out of the API's memory. Raises `Answer`, `Unreachable`."""
    query = {"limit": NODES, "resourceVersion": "0"}
    found = await api.request("GET", api.path("nodes", namespace=""), query=query, timeout=5.0)
    return list(found.get("items") or [])


def catalogue_of(profile: Profile, price: Price, nodes: Mapping[str, Node]) -> Catalogue:
    """The prices that count for clusters of `profile`, whose rates are `price`. A profile's rates are the last word;
    rates of the settings give way to their prices of instance types only. May read files."""
    of_profile = profile.price is not None and profile.price.known
    known = settings.load()
    by_hand = ByHand(price) if of_profile else ByHand(price, known.kinds, known.currencies)
    if price.known:
        return Catalogue(by_hand, nodes=nodes, adjust=known.adjust)
    return Catalogue(by_hand, own.lists(), libcloud(), nodes, known.adjust)

"""What the nodes cost that workers run on: looked up once each, beside the work, and handed to the ledger."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection

from ....core.price import HostPrice
from ....pricing import Catalogue, Node
from ....pricing.catalogue import unknown
from ..api.client import Answer, Api, Json, Unreachable
from ..node import node_of

#: Seconds that new nodes are gathered for: a cluster that grows is asked about as a whole.
GATHER = 1.0
#: Nodes that are asked for one by one; of more, all are listed.
FEW = 4
#: Seconds between two tries while the API doesn't answer, and after it has refused.
RETRY, REFUSED = 5.0, 600.0


class Nodes:
    """Prices the nodes that it is shown.

    Parameters
    ----------
    api : the controller's; it may be allowed to read nodes or not.
    catalogue : whose prices count. It also has the nodes that there were at the start, as who started it saw them.
    priced : is called once for each node, with its name and price. The price counts from the beginning, so that it
        may come late.
    """

    def __init__(self, api: Api, catalogue: Catalogue, priced: Callable[[str, HostPrice], None]) -> None:
        self._api, self._catalogue, self._priced = api, catalogue, priced
        self._seen: set[str] = set()
        self._waiting: set[str] = set()
        self._known: dict[str, Node] = {}
        self._new = asyncio.Event()
        self._refused_at = float("-inf")

    def see(self, name: str) -> None:
        """A worker runs on this node."""
        if name not in self._seen:
            self._seen.add(name)
            self._waiting.add(name)
            self._new.set()

    async def run(self) -> None:
        """Look nodes up until cancelled."""
        while True:
            await self._new.wait()
            await asyncio.sleep(GATHER)
            self._new.clear()
            try:
                await self._look_up(self._waiting - self._known.keys())
            except Unreachable:
                await asyncio.sleep(RETRY)
                self._new.set()
                continue
            names, self._waiting = self._waiting, set()
            for name in sorted(names):
                self._priced(name, self._price(name))

    def _price(self, name: str) -> HostPrice:
        node = self._known.get(name) or self._catalogue.nodes.get(name)
        if node is not None:
            return self._catalogue.price(node)
        why = "the node is gone" if self._may_read else "nodes may not be read"
        return unknown(f"the price of {name} isn't known: {why}", self._catalogue.by_hand.rates.currency)

    @property
    def _may_read(self) -> bool:
        return time.monotonic() - self._refused_at > REFUSED

    async def _look_up(self, names: Collection[str]) -> None:
        """Get to know these nodes; those that are gone, or may not be read, stay unknown. Raises `Unreachable`."""
        if names and self._may_read:
            try:
                if len(names) > FEW:
                    await self._list()
                for name in [name for name in names if name not in self._known]:
                    await self._get(name)
            except Answer as answer:
                if answer.status not in (401, 403):
                    raise Unreachable("Nodes can't be read", str(answer)) from answer
                self._refused_at = time.monotonic()

    async def _list(self) -> None:
        """All of them, out of the API's memory: that is as cheap as it gets."""
        found = await self._api.request("GET", self._api.path("nodes", namespace=""), query={"resourceVersion": "0"})
        await asyncio.to_thread(self._learn, found.get("items") or [])

    async def _get(self, name: str) -> None:
        try:
            self._learn([await self._api.request("GET", self._api.path("nodes", name, namespace=""), timeout=10.0)])
        except Answer as answer:
            if answer.status != 404:
                raise

    def _learn(self, nodes: Collection[Json]) -> None:
        for each in nodes:
            node = node_of(each)
            self._known[node.name] = node

"""What workers would cost on the nodes that are there, said before any is asked for."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ...core.base import Seconds, Time
from ...core.cluster import ClusterSpec
from ...core.errors import InvalidSpec, MlopsError
from ...core.estimate import Quote, Quotes
from ...core.price import HostPrice, Price
from ...core.profile import Group, Profile
from ...core.waiting import wait_for
from ...core.words import shape
from ...pricing import Catalogue, Node
from .api import kubeconfig
from .api.client import Answer
from .api.where import where
from .names import ObjectNames
from .options import options_of
from .pods.fit import Offer
from .pods.template import worker_pod
from .pricelist import catalogue_of, nodes_of
from .tunnel.connections import Connections
from .why.facts import requests

#: Seconds for Kubernetes to say which nodes it has, with the login.
_LOOK: Seconds = 8.0
#: Seconds after which it is asked again: nodes come and go, kinds of nodes seldom do.
_FRESH: Seconds = 60.0

#: A kubeconfig's context: nodes belong to no namespace.
_Key = tuple[str, str]


@dataclass(frozen=True)
class _Seen:
    """The nodes that there were, or why they can't be told. `at` is when they were, `tried` when it was asked last, by
    the clock that nobody sets."""

    offers: Sequence[Offer]
    why: str
    at: Time | None
    tried: Seconds


class NodeMarket:
    """Remembers which nodes there are, and prices workers on them. Nobody waits for a Kubernetes that doesn't answer:
    what it said last counts meanwhile, with its age."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._seen: dict[_Key, _Seen] = {}
        self._asking: dict[_Key, asyncio.Task[None]] = {}

    async def quotes(self, profile: Profile, price: Price, patience: Seconds) -> Quotes:
        """As `Backend.quotes`. On the loop of the connections only."""
        place = where(profile)
        key = (kubeconfig.stamp(), place.context)
        seen = self._seen.get(key)
        if seen is None or time.monotonic() - seen.tried > _FRESH:
            if (asking := self._asking.get(key)) is None or asking.done():
                asking = self._asking[key] = asyncio.create_task(self._look(key))
            if patience > 0:
                await asyncio.wait({asking}, timeout=patience)
            seen = self._seen.get(key)
        if seen is None:
            return Quotes(currency=price.currency, why="Kubernetes has not said yet which nodes it has")
        if seen.at is None:
            return Quotes(currency=price.currency, why=seen.why)
        groups = await asyncio.to_thread(quotes_of, profile, price, seen.offers)
        return Quotes(groups=groups, currency=price.currency, asked=seen.at)

    async def _look(self, key: _Key) -> None:
        before = self._seen.get(key)
        try:
            offers = [Offer.of(item) for item in await wait_for(self._nodes(key[1]), _LOOK)]
        except Exception as error:  # noqa: BLE001 - whatever it is, a start isn't kept from anybody by it; it is said
            why = _why(error)
            known = before or _Seen((), why, None, 0)
            if isinstance(error, Answer):  # it answers, and means it
                known = _Seen((), why, None, 0)
            self._seen[key] = _Seen(known.offers, why, known.at, time.monotonic())
        else:
            self._seen[key] = _Seen(offers, "", time.time(), time.monotonic())

    async def _nodes(self, context: str) -> list[dict[str, object]]:
        return await nodes_of(await self._connections.api(context, ""))


def _why(error: Exception) -> str:
    if isinstance(error, Answer) and error.status in (401, 403):
        return "nodes may not be read from here, so that their prices are known once there are workers"
    if isinstance(error, asyncio.TimeoutError):
        return f"Kubernetes didn't say within {_LOOK:.0f} s which nodes it has"
    if isinstance(error, MlopsError):
        return error.what
    return f"Kubernetes didn't say which nodes it has: {error or type(error).__name__}"


def quotes_of(profile: Profile, price: Price, offers: Sequence[Offer]) -> list[Quote]:
    """The quotes for the groups of `profile`, whose rates are `price`, on nodes such as these. May read files."""
    catalogue = catalogue_of(profile, price, {offer.node.name: offer.node for offer in offers})
    return [_quote(profile, group, catalogue, offers) for group in profile.groups]


def _quote(profile: Profile, group: Group, catalogue: Catalogue, offers: Sequence[Offer]) -> Quote:
    try:
        found = _cheapest(profile, group, catalogue, offers)
        instead = found
        if group.spot and (group.base or options_of(profile).spot_fallback is not None):
            instead = _cheapest(profile, group.model_copy(update={"spot": False}), catalogue, offers)
    except InvalidSpec as error:  # its pod templates; the form and the start say so
        return Quote(group=group.name, source=error.why or error.what)
    if found.share is None:
        return Quote(group=group.name, source=found.price.rates.source)
    return Quote(
        group=group.name,
        per_hour=_with_base(group, found.share, instead.share),
        at_most=None if instead.share is None else max(found.share, instead.share),
        whole=_machines(group, found, instead),
        source=found.price.rates.source,
        date=found.price.rates.date,
    )


def _base(group: Group) -> int:
    """How many of its workers at the start are on demand all the same."""
    return min(group.base, group.workers) if group.spot else 0


def _machines(group: Group, found: _Found, on_demand: _Found) -> float | None:
    """What an hour of all machines costs that its workers at the start fill."""
    base = _base(group)
    if base and on_demand.share is None:
        return None
    return found.machines(group.workers - base) + on_demand.machines(base)


def _with_base(group: Group, share: float, on_demand: float | None) -> float | None:
    """What an hour of a worker costs, on average of those at the start, of which some may be on demand."""
    base = _base(group)
    if not base:
        return share
    return None if on_demand is None else share + (on_demand - share) * base / group.workers


@dataclass(frozen=True)
class _Found:
    """A worker's share of a node, the node's price, and how many workers it has room for."""

    share: float | None
    price: HostPrice
    room: int = 1

    def machines(self, workers: int) -> float:
        """Money for an hour of so many nodes that they have room for so many workers."""
        return (self.price.per_hour or 0.0) * math.ceil(workers / self.room)


def _cheapest(profile: Profile, group: Group, catalogue: Catalogue, offers: Sequence[Offer]) -> _Found:
    """The node on which a worker costs least, of those that take it; unknown where nobody knows a price of any."""
    spec = ClusterSpec(name="quote", owner="quote", profile=profile, created=0)
    pod = worker_pod(spec, group, f"{group.name}-1", ObjectNames(spec.name, "quote"), {})
    asked = requests(pod)
    taking = [(offer.node, room) for offer in offers if offer.node.spot == group.spot and (room := offer.takes(pod))]
    if not taking:
        needs = shape(group.cpus, group.memory, group.gpus)
        kind = "spot node" if group.spot else "node on demand"
        why = f"no {kind} that is there takes a worker of {needs}" if offers else "Kubernetes has no node now"
        return _Found(None, HostPrice(rates=Price(source=why)))
    prices: dict[tuple[object, ...], HostPrice] = {}
    found = []
    for node, room in taking:
        known_as = _kind(node)
        if known_as not in prices:
            prices[known_as] = catalogue.price(node)
        price = prices[known_as]
        share = price.rates.per_hour(asked.get("cpu", 0.0), asked.get("memory", 0.0), group.gpus)
        found.append(_Found(share, price, room))
    known = [each for each in found if each.share is not None]
    return min(known, key=lambda each: each.share or 0.0) if known else found[0]


def _kind(node: Node) -> tuple[object, ...]:
    """What of a node decides on its price."""
    return (node.kind or node.name, node.region, node.zone, node.spot, node.cpus, node.memory, node.gpus)

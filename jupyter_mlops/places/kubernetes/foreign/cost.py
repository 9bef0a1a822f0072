"""What a foreign cluster costs: its pods' time since they were placed, by the arithmetic of our own ledgers.

Nothing of ours runs beside such a cluster and keeps books: pods that are gone are not in the sum, and it says so. What
its nodes cost is asked for at times, since lists are made every few seconds.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from ....core.base import Seconds, Time
from ....core.cluster import ClusterSpec
from ....core.ledger import Ledger, LedgerEntry
from ....core.price import Cost, HostPrice, Price
from ....core.profile import Group, Profile
from ....home import settings
from ....pricing import Catalogue
from ..api.client import Api, Json
from ..pods import pods
from ..pricelist import price_list
from ..why.facts import condition, containers, moment
from .discover import Discovered, shape_of

#: Seconds that prices are used for before they are asked for anew.
FRESH: Seconds = 300.0

#: Said beside the price.
SINCE = "of the pods that are there, since each was placed"
NO_SHAPE = "its pods name neither CPUs nor memory that they need"


@dataclass(frozen=True)
class Rates:
    """The user's own rates, and the price of each node that is known."""

    price: Price = field(default_factory=Price)
    hosts: Mapping[str, HostPrice] = field(default_factory=dict)

    @property
    def usual(self) -> Price:
        """The user's own rates; where there are none, those of most nodes whose price is known."""
        if self.price.known:
            return self.price
        known = Counter(host.rates.model_dump_json() for host in self.hosts.values() if host.rates.known)
        return Price.model_validate_json(known.most_common(1)[0][0]) if known else self.price


def price_of(cluster: Discovered, rates: Price) -> Price:
    """What counts for the cluster's workers where no node's price does: `rates`, where it is known what they hold."""
    return rates if _has_shapes(cluster) else Price(currency=rates.currency, source=NO_SHAPE)


def _has_shapes(cluster: Discovered) -> bool:
    shapes = [shape_of(pod["spec"]) for pod in cluster.workers]
    shapes = shapes or [shape_of(group.template) for group in cluster.groups]
    return all(shape.known for shape in shapes)


class RateCache:
    """The rates that count now, as for a cluster of ours that was started without a price."""

    def __init__(self) -> None:
        #: By the API's address: for which rates of the user's, when it was asked, and the answer.
        self._known: dict[str, tuple[Price, float, Rates]] = {}

    async def rates(self, api: Api) -> Rates:
        """The rates, no older than `FRESH` seconds."""
        price = (await asyncio.to_thread(settings.load)).price
        of, asked, known = self._known.get(api.host, (None, 0.0, Rates(price)))
        if of == price and time.monotonic() - asked < FRESH:
            return known
        catalogue = Catalogue.unpacked(await price_list(api, _spec(price)))
        fresh = Rates(price, {name: catalogue.price(node) for name, node in catalogue.nodes.items()})
        self._known[api.host] = (price, time.monotonic(), fresh)
        return fresh


def _spec(price: Price) -> ClusterSpec:
    profile = Profile(name="foreign", place="kubernetes", groups=[Group(workers=0)])
    return ClusterSpec(name="foreign", owner="", profile=profile, price=price, created=0)


class Costs:
    """Money and usage of a cluster's workers, whole and by group.

    Parameters
    ----------
    cluster : the cluster.
    rates : what its nodes cost.
    now : until when.
    """

    def __init__(self, cluster: Discovered, rates: Rates, now: Time) -> None:
        self._known, self._now = _has_shapes(cluster), now
        self._price = price_of(cluster, rates.price)
        self._ledger = Ledger(entries_of(cluster, rates.hosts if self._known else {}))

    def cost(self, group: str | None = None) -> Cost:
        """Of one group, or of all."""
        cost = self._ledger.cost(self._price, self._now, group)
        return cost.model_copy(update={"source": f"{cost.source}; {SINCE}"}) if self._known and cost.source else cost


def entries_of(cluster: Discovered, hosts: Mapping[str, HostPrice]) -> list[LedgerEntry]:
    """The ledger that the pods themselves tell."""
    entries: list[LedgerEntry] = []
    for group in cluster.groups:
        for pod in group.pods:
            entries += _entries(group.name, pod)
    entries.sort(key=lambda entry: entry.time)
    used = dict.fromkeys(entry.host for entry in entries if entry.host in hosts)
    return entries + [LedgerEntry(time=entries[-1].time, kind="host", host=host, price=hosts[host]) for host in used]


def _entries(group: str, pod: Json) -> list[LedgerEntry]:
    if not pods.placed(pod):
        return []
    name, shape = str(pod["metadata"]["name"]), shape_of(pod["spec"])
    entries = [
        LedgerEntry(
            time=placed_at(pod),
            kind="open",
            worker=name,
            group=group,
            cpus=shape.cpus,
            memory=shape.memory,
            gpus=shape.gpus,
            host=str(pod["spec"]["nodeName"]),
        )
    ]
    if pods.over(pod):
        entries.append(LedgerEntry(time=max(placed_at(pod), _ended_at(pod)), kind="close", worker=name))
    return entries


def placed_at(pod: Json) -> Time:
    """When a node was set aside for it."""
    scheduled = condition(pod, "PodScheduled") or {}
    return moment(scheduled.get("lastTransitionTime") or pod["metadata"]["creationTimestamp"])


def _ended_at(pod: Json) -> Time:
    ends = [((status.get("state") or {}).get("terminated") or {}).get("finishedAt") for status in containers(pod)]
    times = [moment(end) for end in ends if end]
    return max(times, default=placed_at(pod))

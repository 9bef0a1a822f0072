"""What a cluster of others costs: its pods' time since they were placed, by the arithmetic of our own ledgers. Pure.

Nothing of ours runs beside such a cluster and keeps books: pods that are gone are not in the sum, and it says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....core.base import Time
from ....core.ledger import Ledger, LedgerEntry
from ....core.price import Cost, HostPrice, Price
from ..pods import pods
from ..why.facts import condition, containers, moment
from .found import Found
from .rates import Rates
from .shape import shape_of

Json = dict[str, Any]

#: Said beside the price.
SINCE = "of the pods that are there, since each was placed"
NO_SHAPE = "its pods name neither CPUs nor memory that they need"


class Costs:
    """Money and usage of a cluster's workers, whole and by group.

    Parameters
    ----------
    found : the cluster.
    rates : what its nodes cost.
    now : until when.
    """

    def __init__(self, found: Found, rates: Rates, now: Time) -> None:
        shapes = [shape_of(pod["spec"]) for pod in found.workers]
        shapes = shapes or [shape_of(group.template) for group in found.groups]
        self._known, self._now = all(shape.known for shape in shapes), now
        self._price = rates.price if self._known else Price(currency=rates.price.currency, source=NO_SHAPE)
        self._ledger = Ledger(entries_of(found, rates.hosts if self._known else {}))

    def cost(self, group: str | None = None) -> Cost:
        """Of one group, or of all."""
        cost = self._ledger.cost(self._price, self._now, group)
        return cost.model_copy(update={"source": f"{cost.source}; {SINCE}"}) if self._known and cost.source else cost


def entries_of(found: Found, hosts: Mapping[str, HostPrice]) -> list[LedgerEntry]:
    """The ledger that the pods themselves tell."""
    entries: list[LedgerEntry] = []
    for group in found.groups:
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

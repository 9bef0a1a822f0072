"""From the API's JSON of a pod to what is counted of it: whose it is, what it is part of, what it costs. Pure.

Whose a pod is, in a namespace of one user's, the namespace says, which she has no right to change. Where several users
share one, the pods say it themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ....core.budget import CAUTION
from ....core.price import HostPrice, Price
from ....core.wall import RunningPod
from .. import names
from ..api.client import Json
from ..clouds import GPU
from ..pods import pods
from ..why.facts import moment, requests


class WalledSpace(NamedTuple):
    """A namespace behind the wall; `owner` is empty where several users share it. `closed` and `looked` is what the
    wall has written on it last: who gets no new pods, and when it looked."""

    name: str
    owner: str = ""
    closed: str = ""
    looked: str = ""

    @classmethod
    def of(cls, item: Json) -> WalledSpace:
        """The API's JSON of a namespace."""
        written = item["metadata"].get("annotations") or {}
        marks = (str(written.get(key, "")) for key in (names.CLOSED, names.LOOKED))
        return cls(item["metadata"]["name"], _named(item), *marks)

    def owner_of(self, item: Json) -> str:
        """Whose an object in it is. What names nobody is the namespace's own."""
        return self.owner or _named(item) or self.name

    def tab_of(self, item: Json) -> str:
        """What an object in it is part of: a cluster, service or notebook of its owner's, or else what she runs
        besides."""
        labels = item["metadata"].get("labels") or {}
        kinds = ((names.CLUSTER, "cluster"), (names.SERVICE, "service"), (names.SCHEDULE, "notebook"))
        parts = (f"{noun} {labels[key]}" for key, noun in kinds if labels.get(key))
        return f"{names.label(self.owner_of(item))}/{next(parts, 'pods')}"


def _named(item: Json) -> str:
    """Whom an object names as its owner: in full, if that is who its label says, which the admission policy reads."""
    metadata = item["metadata"]
    label = str((metadata.get("labels") or {}).get(names.OWNER_IN_FULL, ""))
    in_full = str((metadata.get("annotations") or {}).get(names.OWNER_IN_FULL, ""))
    return in_full if names.label(in_full) == label else label


def counted(pod: Json, space: WalledSpace, hosts: Mapping[str, HostPrice], reference: Price) -> RunningPod | None:
    """What is counted of a pod; None where no node is set aside for it, or nobody knows when it ended.

    Parameters
    ----------
    hosts : what nodes cost, by name.
    reference : about what resources cost in a cloud, for nodes without a price.
    """
    until = pods.ended_at(pod) if pods.over(pod) else None
    if not pods.placed(pod) or (pods.over(pod) and until is None):
        return None
    asked = requests(pod)
    shape = (asked.get("cpu", 0.0), asked.get("memory", 0.0), asked.get(GPU, 0.0))
    host = hosts.get(str(pod["spec"]["nodeName"]))
    known = None if host is None else host.rates.per_hour(*shape)
    return RunningPod(
        id=str(pod["metadata"]["uid"]),
        owner=space.owner_of(pod),
        tab=space.tab_of(pod),
        since=pods.placed_at(pod) or moment(pod["metadata"]["creationTimestamp"]),
        until=until,
        per_hour=CAUTION * (reference.per_hour(*shape) or 0.0) if known is None else known,
        priced=known is not None,
    )

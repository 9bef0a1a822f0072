"""Makes workers' pods: the order for one, the request that fulfils it, and what spot groups without nodes get."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from ....core.base import Seconds
from ....core.cluster import ClusterSpec, Problem
from ....core.profile import Group
from .. import names
from ..api.asking import PodOrder
from ..api.client import Answer, Api, Json
from ..options import options_of
from . import pods
from .context import waited
from .template import worker_pod


class SpotFallback:
    """Which groups have fallen back; they stay so, since nodes that come and go cost more than they save.

    Parameters
    ----------
    fell_back : is told of each such group, and for how long it had waited, in seconds.
    """

    def __init__(self, spec: ClusterSpec, fell_back: Callable[[str, Seconds], None]) -> None:
        self._spec, self._fell_back = spec, fell_back
        self._fallen: set[str] = set()

    def shape(self, group: Group) -> Group:
        """The group as its next pod is made."""
        return group.model_copy(update={"spot": False}) if group.name in self._fallen else group

    def mark(self, group: Group, pod: Json) -> None:
        """Write into a spot group's pod that it is made on demand, if it is."""
        if group.name in self._fallen:
            pod["metadata"]["annotations"][names.ON_DEMAND] = "true"

    def look(self, waiting: Collection[Json]) -> list[Json]:
        """Of the pods that don't come, those to be made again on demand."""
        patience = options_of(self._spec.profile).spot_fallback or float("inf")
        for group in self._spec.profile.groups:
            if group.spot and group.name not in self._fallen and waited(group.name, waiting) > patience:
                self._fallen.add(group.name)
                self._fell_back(group.name, patience)
        return [pod for pod in waiting if self._is_to_fall(pod)]

    def _is_to_fall(self, pod: Json) -> bool:
        fallen = pod["metadata"]["labels"].get(names.GROUP) in self._fallen
        on_demand = names.ON_DEMAND in (pod["metadata"].get("annotations") or {})
        return fallen and not on_demand and not pods.placed(pod)


class PodMaker:
    """Makes the pods of a cluster's workers.

    Parameters
    ----------
    owner : the ownerReference to the cluster's record.
    fallback : which spot groups get pods on demand by now.
    """

    def __init__(
        self, api: Api, spec: ClusterSpec, ids: names.ObjectNames, owner: Mapping[str, Any], fallback: SpotFallback
    ) -> None:
        self._api, self._spec, self._ids, self._owner, self._fallback = api, spec, ids, owner, fallback

    def order(self, group: Group, worker: str) -> PodOrder:
        """The order for a worker's pod, as its group is shaped when its turn has come."""

        def body() -> Json:
            pod = worker_pod(self._spec, self._fallback.shape(group), worker, self._ids, self._owner)
            self._fallback.mark(group, pod)
            return pod

        return PodOrder(worker, body)

    async def make(self, order: PodOrder) -> Problem | None:
        """Make the pod. Returns why it never will be, if so; raises `Answer` or `Unreachable` where another try may."""
        try:
            await self._api.request("POST", self._api.path("pods"), order.body(), parse=False)
        except Answer as answer:
            if answer.status != 409:
                raise
            return await self._explain_conflict(order)
        return None

    async def _explain_conflict(self, order: PodOrder) -> Problem | None:
        """The pod exists: it is ours if a request succeeded whose answer got lost."""
        pod = await self._api.request("GET", self._api.path("pods", self._ids.pod(order.worker)))
        owners = {owner.get("uid") for owner in pod["metadata"].get("ownerReferences") or []}
        if self._owner["uid"] in owners:
            return None
        why = f"the name {pod['metadata']['name']} is taken by a pod that isn't this cluster's"
        return Problem(what="The worker's pod can't be made", why=why)

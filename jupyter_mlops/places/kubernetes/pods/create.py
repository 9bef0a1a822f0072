"""Makes workers' pods: the order for one, the request that fulfils it, and what spot groups without nodes get."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....core.cluster import ClusterSpec, Problem
from ....core.profile import Group
from .. import names
from ..api.asking import PodOrder
from ..api.client import Answer, Api, Json
from .template import worker_pod


class PodMaker:
    """Makes the pods of a cluster's workers.

    Parameters
    ----------
    owner : the ownerReference to the cluster's record.
    """

    def __init__(self, api: Api, spec: ClusterSpec, ids: names.ObjectNames, owner: Mapping[str, Any]) -> None:
        self._api, self._spec, self._ids, self._owner = api, spec, ids, owner

    def order(self, group: Group, worker: str) -> PodOrder:
        """The order for a worker's pod, which says so where it is a spot group's and made on demand."""

        def body() -> Json:
            pod = worker_pod(self._spec, group, worker, self._ids, self._owner)
            if self._spec.profile.group(group.name).spot and not group.spot:
                pod["metadata"]["annotations"][names.ON_DEMAND] = "true"
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

"""Makes workers' pods: the order for one, and the request that fulfils it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....core.cluster import ClusterSpec, Problem
from ....core.profile import Group
from .. import names
from ..api.asking import Order
from ..api.client import Answer, Api, Json
from .spot import Fallback
from .template import worker_pod


class Maker:
    """Makes the pods of a cluster's workers.

    Parameters
    ----------
    owner : the ownerReference to the cluster's record.
    fallback : which spot groups get pods on demand by now.
    """

    def __init__(
        self, api: Api, spec: ClusterSpec, ids: names.Names, owner: Mapping[str, Any], fallback: Fallback
    ) -> None:
        self._api, self._spec, self._ids, self._owner, self._fallback = api, spec, ids, owner, fallback

    def order(self, group: Group, worker: str) -> Order:
        """The order for a worker's pod, as its group is shaped when its turn has come."""

        def body() -> Json:
            pod = worker_pod(self._spec, self._fallback.shape(group), worker, self._ids, self._owner)
            self._fallback.mark(group, pod)
            return pod

        return Order(worker, body)

    async def make(self, order: Order) -> Problem | None:
        """Make the pod. Returns why it never will be, if so; raises `Answer` or `Unreachable` where another try may."""
        try:
            await self._api.request("POST", self._api.path("pods"), order.body(), parse=False)
        except Answer as answer:
            if answer.status != 409:
                raise
            return await self._taken(order)
        return None

    async def _taken(self, order: Order) -> Problem | None:
        """The pod exists: it is ours if a request succeeded whose answer got lost."""
        pod = await self._api.request("GET", self._api.path("pods", self._ids.pod(order.worker)))
        owners = {owner.get("uid") for owner in pod["metadata"].get("ownerReferences") or []}
        if self._owner["uid"] in owners:
            return None
        why = f"the name {pod['metadata']['name']} is taken by a pod that isn't this cluster's"
        return Problem(what="The worker's pod can't be made", why=why)

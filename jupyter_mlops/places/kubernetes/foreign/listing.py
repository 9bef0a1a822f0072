"""Asks Kubernetes which clusters of others there are. Two short lists where there are none."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from .. import names
from ..api.client import Answer, Api
from ..records.record import APPS
from .found import CLUSTER, COMPONENT, Found, Json, of_chart, of_dask_chart, of_operator

#: dask-kubernetes' kinds of objects.
DASK = "kubernetes.dask.org/v1"

#: Answers that say that there is nothing to see: no such kind, no right to look.
_NOTHING = (401, 403, 404)

_NOT_OURS = f"{names.MANAGED_BY}!={names.US}"
_CHART = "release,component in (scheduler,worker)"


async def others(api: Api) -> list[Found]:
    """All clusters in the namespace that somebody else made."""
    found = await asyncio.gather(_of_operator(api), _of_chart(api))
    return [cluster for some in found for cluster in some]


async def again(api: Api, known: Found, pods: Sequence[Json]) -> Found | None:
    """One of them as it is now, with these pods, which the caller watches; None when it is gone."""
    if known.kind == "DaskCluster":
        found = of_operator(*await _made_for_operator(api, known.object), pods)
    else:
        found = of_chart(await _made_by_chart(api, known.object), pods)
    return next((each for each in found if (each.object, each.created) == (known.object, known.created)), None)


async def pods_of(api: Api, known: Found) -> list[Json]:
    """All of its pods."""
    return await _list(api, "pods", "", {"labelSelector": known.selector})


async def _of_operator(api: Api) -> list[Found]:
    selector = f"{CLUSTER},{COMPONENT} in (scheduler,worker),{_NOT_OURS}"
    clusters, groups, autoscalers = await _made_for_operator(api)
    if not clusters:
        return []
    return of_operator(clusters, groups, autoscalers, await _list(api, "pods", "", {"labelSelector": selector}))


async def _made_for_operator(api: Api, only: str = "") -> tuple[list[Json], list[Json], list[Json]]:
    """DaskClusters, DaskWorkerGroups and DaskAutoscalers."""
    fields = {"fieldSelector": f"metadata.name={only}"} if only else {}
    clusters = await _list(api, "daskclusters", DASK, {"labelSelector": _NOT_OURS, **fields})
    if not clusters:
        return [], [], []
    groups, autoscalers = await asyncio.gather(
        _list(api, "daskworkergroups", DASK), _list(api, "daskautoscalers", DASK)
    )
    return clusters, groups, autoscalers


async def _of_chart(api: Api) -> list[Found]:
    deployments = await _made_by_chart(api)
    if not deployments:
        return []
    return of_chart(deployments, await _list(api, "pods", "", {"labelSelector": _CHART}))


async def _made_by_chart(api: Api, only: str = "") -> list[Json]:
    """Deployments of the chart."""
    selector = f"{_CHART},release={only}" if only else _CHART
    deployments = await _list(api, "deployments", APPS, {"labelSelector": selector})
    return [deployment for deployment in deployments if of_dask_chart(deployment)]


async def _list(api: Api, plural: str, group: str, query: Mapping[str, Any] | None = None) -> list[Json]:
    """Objects of a kind; none where the kind isn't known, or the user may not list it."""
    try:
        answer = await api.request("GET", api.path(plural, group=group), query=query)
    except Answer as refused:
        if refused.status in _NOTHING:
            return []
        raise
    return answer.get("items") or []

"""What there is of dask-kubernetes in a namespace, and how well it works, for who asks before making a cluster."""

from __future__ import annotations

import time

from ....core.cluster import ClusterSpec
from ....core.profile import Group, Profile
from ..api.client import Answer, Api, Json
from ..names import ObjectNames
from ..why.facts import moment
from . import daskcluster

#: Seconds after which an operator that works has called a DaskCluster Running whose scheduler does.
_LONG = 10.0
_PLAIN = "Clusters are plain Deployments here"


async def installed(api: Api) -> bool:
    """Whether Kubernetes knows DaskClusters. Everybody may ask for that."""
    return await api.exists(f"/apis/{daskcluster.API}")


async def sentences(api: Api) -> list[str]:
    """How a cluster with the record "auto" would be made here, and what is wrong with the operator. Makes nothing."""
    if not await installed(api):
        return [f"{_PLAIN}: the dask-kubernetes operator isn't installed."]
    profile = Profile(name="check", place="kubernetes", groups=[Group(name="default")])
    spec = ClusterSpec(name="jupyter-mlops-check", owner="check", profile=profile, created=0)
    refusal = await daskcluster.try_out(api, spec, ObjectNames(spec.name, api.namespace))
    if refusal is not None:
        return [f"{_PLAIN}. {refusal.words}"]
    said = "Clusters are DaskClusters, too, if the dask-kubernetes operator reacts when one is started."
    stuck = await _stuck(api)
    return [said, _about_kopf(stuck)] if stuck else [said]


async def _stuck(api: Api) -> list[str]:
    """DaskClusters whose scheduler runs, and whose phase is Pending for all that."""
    try:
        held = (await api.request("GET", api.path(daskcluster.CLUSTERS, group=daskcluster.API))).get("items") or []
        path, query = api.path("deployments", group="apps/v1"), {"labelSelector": "dask.org/component=scheduler"}
        schedulers = (await api.request("GET", path, query=query)).get("items") or []
    except Answer as answer:
        if answer.status == 403:
            return []
        raise
    run = {each["metadata"]["name"] for each in schedulers if (each.get("status") or {}).get("availableReplicas")}
    return [
        each["metadata"]["name"] for each in held if _waits(each) and f"{each['metadata']['name']}-scheduler" in run
    ]


def _waits(held: Json) -> bool:
    scheduler = (held.get("spec") or {}).get("scheduler") or {}
    if (scheduler.get("service") or {}).get("type") == "LoadBalancer":
        return False  # it may take minutes, and is Pending until then
    old = time.time() - moment(held["metadata"]["creationTimestamp"]) > _LONG
    return old and (held.get("status") or {}).get("phase") == "Pending"


def _about_kopf(stuck: list[str]) -> str:
    """With kopf 1.42 or newer the operator overwrites its own "Running", up to dask-kubernetes 2026.3.0 at least."""
    return (
        f"The operator calls {', '.join(stuck[:3])} Pending though the scheduler runs: it seems to have kopf 1.42 or "
        "newer, with which dask-kubernetes' own KubeCluster waits in vain. Clusters made here aren't affected. Whoever "
        "runs the operator can pin kopf<1.42, or take a newer dask-kubernetes."
    )

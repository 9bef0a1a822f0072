"""Changes foreign clusters the way their own tools do: their objects are changed, and their makers do the rest."""

from __future__ import annotations

import asyncio

from ....core.errors import OutOfRange, Refused, UnknownGroup
from ....core.profile import MOST_WORKERS
from ..api.client import MERGE_PATCH, Api, Json, delete
from ..records.record import APPS
from .discover import DASK, Discovered, DiscoveredGroup


async def scale(api: Api, cluster: Discovered, workers: int, group: str | None = None) -> None:
    """Want `workers` workers in `group` (the first one).

    A DaskAutoscaler of the cluster is removed first, as `KubeCluster.scale` does: it would undo the change.

    Raises
    ------
    OutOfRange : less than none, or more than anybody has.
    UnknownGroup : it has no such group.
    Answer, Unreachable : as `Api.request`.
    """
    if not 0 <= workers <= MOST_WORKERS:
        raise OutOfRange(f"A group can't have {workers} workers", f"0 to {MOST_WORKERS} are possible")
    chosen = group_of(cluster, group)
    if cluster.kind == "DaskCluster":
        if chosen.bounds is not None:
            await asyncio.gather(*(_delete(api, "daskautoscalers", DASK, name) for name in cluster.autoscalers))
        path = api.path("daskworkergroups", chosen.object, group=DASK)
        body: Json = {"spec": {"worker": {"replicas": workers}}}
    else:
        path, body = api.path("deployments", chosen.object, group=APPS), {"spec": {"replicas": workers}}
    await api.request("PATCH", path, body, content=MERGE_PATCH, parse=False)


async def stop(api: Api, cluster: Discovered) -> None:
    """Remove it, and with it all that its maker made for it. A no-op when it is gone.

    Raises
    ------
    Refused : it is a release of Helm.
    Answer, Unreachable : as `Api.request`.
    """
    if cluster.maker == "helm":
        raise helm_stops(cluster, api.namespace)
    if cluster.kind == "DaskCluster":
        return await _delete(api, "daskclusters", DASK, cluster.object)
    labels = {"labelSelector": cluster.selector.split(",component")[0]}
    services = await api.request("GET", api.path("services"), query=labels)
    going = [_delete(api, "deployments", APPS, name) for name in [cluster.service, *(g.object for g in cluster.groups)]]
    going += [_delete(api, "services", "", str(each["metadata"]["name"])) for each in services.get("items") or []]
    await asyncio.gather(*going)
    return None


def helm_stops(cluster: Discovered, namespace: str) -> Refused:
    """Who ends a release of Helm."""
    return Refused(
        f"The cluster {cluster.name!r} is a release of Helm",
        "Helm keeps a record of it, which would go on without it",
        f"Run `helm uninstall {cluster.object} --namespace {namespace}`; scaled to 0 workers it costs little.",
    )


def group_of(cluster: Discovered, name: str | None) -> DiscoveredGroup:
    """The group of that name, or the first. Raises `UnknownGroup`."""
    for group in cluster.groups:
        if name is None or group.name == name:
            return group
    raise UnknownGroup.named(name or "", [group.name for group in cluster.groups])


async def _delete(api: Api, plural: str, group: str, name: str) -> None:
    await delete(api, api.path(plural, name, group=group), {"propagationPolicy": "Background"})

"""A cluster as a `DaskCluster`, so that `kubectl get daskclusters` and dask-kubernetes' tools see a normal one.

The record stays the Deployment; the DaskCluster owns it, so that deleting the DaskCluster removes everything. What its
operator would make (Deployment, Service, a DaskWorkerGroup without workers) is there before it looks, as it would have
made it: it finds them, and keeps the status. So no cluster waits for an operator that is slow, broken or gone. Where
none reacts, the DaskCluster is withdrawn, and the scheduler goes on as it is.
"""

from __future__ import annotations

import asyncio
import time

from ....core.cluster import ClusterSpec
from ....core.errors import InvalidSpec, MlopsError, NameTaken, Refused, Unavailable
from ....core.formats import FORMAT
from .. import names
from ..api.client import MERGE_PATCH, Answer, Api, Json, Unreachable
from ..names import ObjectNames
from ..options import options_of
from ..pods import template

API = "kubernetes.dask.org/v1"
CLUSTERS, GROUPS = "daskclusters", "daskworkergroups"
KIND = "DaskCluster"
#: What part of a cluster the DaskCluster is. The operator labels all that it makes like it.
PART = "daskcluster"

#: Kubernetes drops fields that a CRD's schema lacks, without a word, unless it is asked to refuse them.
_STRICT = {"fieldValidation": "Strict"}
#: Seconds between two looks at a DaskCluster that the operator is to react to, or that is to go.
_LOOK = 0.25
#: Seconds that the operator may take to let a deleted DaskCluster go.
_LETS_GO = 5.0
#: Seconds between a scheduler's looks at whether its DaskCluster was deleted.
_GLANCE = 10.0
#: How finalizers and annotations of the operator's framework begin.
_KOPF = "kopf."
#: The name that the operator gives each worker that it makes.
_ITS_NAME = "$(DASK_WORKER_NAME)"
_INSTEAD = 'or choose "record": "auto" in the profile.'


async def announce(api: Api, spec: ClusterSpec, ids: ObjectNames) -> Json | None:
    """Make the DaskCluster, if the profile's `record` wants one. None: there is none, and "auto" goes on without.

    Raises
    ------
    NameTaken : there is a DaskCluster of that name.
    Unavailable, Refused, InvalidSpec : the profile's record is "operator", and Kubernetes doesn't take a DaskCluster.
    Answer, Unreachable : as `Api.request`.
    """
    wanted = options_of(spec.profile).record
    if wanted == "deployment":
        return None
    made = body(spec, ids)
    try:
        made |= await api.request("POST", api.path(CLUSTERS, group=API), made, query=_STRICT)
    except Answer as answer:
        if answer.status == 409:
            raise _name_taken(spec.name, api.namespace) from None
        refusal = _refusal(answer)
        if refusal is None:
            raise
        if wanted == "auto":
            return None
        raise refusal from None
    try:
        await api.request("POST", api.path(GROUPS, group=API), _group(spec, ids, names.owner_of(made)), parse=False)
    except Answer as answer:
        if answer.status not in (403, 404, 409):  # the operator makes it, or has made it
            raise
    return made


async def try_out(api: Api, spec: ClusterSpec, ids: ObjectNames) -> MlopsError | None:
    """Why Kubernetes would not take the cluster's DaskCluster; None: it would. Makes nothing."""
    try:
        query = {**_STRICT, "dryRun": "All"}
        await api.request("POST", api.path(CLUSTERS, group=API), body(spec, ids), query=query, parse=False)
    except Answer as answer:
        if answer.status == 409:
            return None
        refusal = _refusal(answer)
        if refusal is None:
            raise
        return refusal
    return None


async def acts(api: Api, ids: ObjectNames, timeout: float) -> bool:
    """Whether an operator reacts to the DaskCluster in `timeout` seconds.

    When the operator has acted, the Service gets the labels that the operator looks for, and the operator then calls
    the cluster Running. A status that we restored would be overwritten by the operator's own "Pending".
    """
    deadline = time.monotonic() + timeout
    while True:
        held = await _read_patiently(api, ids)
        if held is None:  # somebody deleted it already
            return True
        if _done(held) or time.monotonic() > deadline:
            break
        await asyncio.sleep(_LOOK)
    if not _touched(held):
        return False
    await api.request(
        "PATCH", api.path("services", ids.scheduler), {"metadata": {"labels": ids.dask_labels("scheduler")}},
        content=MERGE_PATCH, parse=False,
    )  # fmt: skip
    return True


async def end(api: Api, ids: ObjectNames) -> None:
    """Delete the cluster's DaskCluster, and see to it that it goes. A no-op where there is none."""
    held = await _read(api, ids)
    if held is None:
        return
    path = api.path(CLUSTERS, ids.cluster, group=API)
    precise = {"propagationPolicy": "Background", "preconditions": {"uid": held["metadata"]["uid"]}}
    deadline = time.monotonic() + _LETS_GO
    try:
        await api.request("DELETE", path, precise, parse=False)
        while (held := await _read(api, ids)) is not None:
            if time.monotonic() > deadline:
                # The operator holds it for the sake of a timer of its own, and is gone: nobody else would let go.
                kept = [name for name in held["metadata"].get("finalizers") or [] if not name.startswith(_KOPF)]
                await api.request("PATCH", path, {"metadata": {"finalizers": kept}}, content=MERGE_PATCH, parse=False)
                return
            await asyncio.sleep(_LOOK)
    except Answer as answer:
        if answer.status not in (403, 404, 409):  # gone, or with another uid; rights go with what they are for
            raise


async def until_deleted(api: Api, ids: ObjectNames) -> None:
    """Return when somebody deleted the DaskCluster. While its operator doesn't let it go, nothing else would follow."""
    while True:
        await asyncio.sleep(_GLANCE)
        held = await _read_patiently(api, ids)
        if held is not None and "deletionTimestamp" in held["metadata"]:
            return


def announces(record: Json) -> bool:
    """Whether a DaskCluster owns this Deployment."""
    return any(owner["kind"] == KIND for owner in record["metadata"].get("ownerReferences") or [])


def body(spec: ClusterSpec, ids: ObjectNames) -> Json:
    """The DaskCluster. The operator's own workers are none: how many there are is up to the cluster's controller."""
    pod = template.scheduler_pod(spec, ids)
    scheduler = {"metadata": pod["metadata"], "spec": pod["spec"], "service": template.scheduler_service(ids)}
    return {
        "apiVersion": API,
        "kind": KIND,
        "metadata": _metadata(spec, ids, ids.cluster) | {"labels": ids.labels(spec.owner, PART)},
        "spec": {"scheduler": scheduler, "worker": _workers(spec, ids)},
    }


def _group(spec: ClusterSpec, ids: ObjectNames, owner: Json) -> Json:
    labels = ids.labels(spec.owner, PART) | ids.dask_labels("workergroup")
    return {
        "apiVersion": API,
        "kind": "DaskWorkerGroup",
        "metadata": _metadata(spec, ids, ids.worker_group) | {"labels": labels, "ownerReferences": [owner]},
        "spec": {"cluster": ids.cluster, "worker": _workers(spec, ids)},
    }


def _metadata(spec: ClusterSpec, ids: ObjectNames, name: str) -> Json:
    annotations = {names.OWNER_IN_FULL: spec.owner, names.RECEIPT: ids.receipt, names.FORMAT: str(FORMAT)}
    return {"name": name, "namespace": ids.namespace, "annotations": annotations}


def _workers(spec: ClusterSpec, ids: ObjectNames) -> Json:
    pod = template.worker_pod(spec, spec.profile.groups[0], _ITS_NAME, ids, {})["spec"]
    return {"replicas": 0, "spec": {**pod, "restartPolicy": "Always"}}  # it makes Deployments, which take no other


async def _read(api: Api, ids: ObjectNames) -> Json | None:
    """The cluster's own DaskCluster; None where there is none, or none of this cluster."""
    try:
        held = await api.request("GET", api.path(CLUSTERS, ids.cluster, group=API))
    except Answer as answer:
        if answer.status in (403, 404):
            return None
        raise
    ours = (held["metadata"].get("annotations") or {}).get(names.RECEIPT) == ids.receipt
    return held if ours else None


async def _read_patiently(api: Api, ids: ObjectNames) -> Json | None:
    """As `_read`, again and again while the API doesn't answer: whoever asks can wait."""
    while True:
        try:
            return await _read(api, ids)
        except (Answer, Unreachable):
            await asyncio.sleep(1)


def _done(held: Json) -> bool:
    """Whether the operator has looked for all that it would make."""
    return (held.get("status") or {}).get("phase") not in (None, "Created")


def _touched(held: Json) -> bool:
    marks = [*(held["metadata"].get("finalizers") or []), *(held["metadata"].get("annotations") or {})]
    return bool(held.get("status")) or any(mark.startswith(_KOPF) for mark in marks)


def silent(name: str, timeout: float) -> Unavailable:
    """What is said when the profile insists on an operator, and none reacts."""
    return Unavailable(
        f"Cluster {name!r} was not made: no dask-kubernetes operator acts",
        f"nothing reacted to its DaskCluster in {timeout:.0f} s: the operator isn't running, or not for this namespace",
        f"Start the operator (`kubectl get deployments -A` shows whether it runs), {_INSTEAD}",
    )


def _name_taken(name: str, namespace: str) -> NameTaken:
    why = f"in the namespace {namespace!r}"
    return NameTaken(f"There is a DaskCluster named {name!r} already", why, "Delete it, or choose another name.")


def _refusal(answer: Answer) -> MlopsError | None:
    """What it means that Kubernetes doesn't take a DaskCluster; None: nothing that a DaskCluster has to do with."""
    said = str(answer.answer.get("message", ""))
    if answer.status == 404:
        return Unavailable(
            "Kubernetes doesn't know DaskClusters",
            "the dask-kubernetes operator and its CRDs aren't installed",
            f"Install them (Helm chart dask-kubernetes-operator), {_INSTEAD}",
        )
    if answer.status == 403:
        todo = f"`jupyter mlops kubernetes manifests --operator` is what an administrator would apply, {_INSTEAD}"
        return Refused("You may not make DaskClusters here", answer.problem.what, todo)
    if answer.status in (400, 422):
        todo = f"Apply a newer dask-kubernetes' CRDs (Helm never updates them), change the pod template, {_INSTEAD}"
        return InvalidSpec("The installed CRD of DaskClusters doesn't take this cluster", said, todo)
    return None

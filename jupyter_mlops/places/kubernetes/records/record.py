"""A cluster's objects in Kubernetes, made such that nothing is left behind, whenever the making is interrupted.

The record is a Deployment. It is made first, without pods; all else is owned by it, so that Kubernetes removes it with
the record. Only then the scheduler's pod is asked for. Two Secrets without an owner outlive the cluster. Where
dask-kubernetes' operator acts, a DaskCluster owns the record.
"""

from __future__ import annotations

import asyncio
import time

from ....core.cluster import ClusterSpec
from ....core.errors import NameTaken
from ....core.formats import FORMAT
from ... import keys
from .. import names
from ..api.client import MERGE_PATCH, Answer, Api, Json, delete
from ..names import ObjectNames
from ..options import options_of
from ..pods import template
from . import code, daskcluster, manifests
from .accounts import object_name
from .kept import Storage, secret

APPS = "apps/v1"
RBAC = "rbac.authorization.k8s.io/v1"
NETWORK = "networking.k8s.io/v1"
POLICY = "policy/v1"
#: What a cluster can do without: without a network policy TLS still keeps others out, without a budget only who drains
#: a node must think of the scheduler. Without anything else the cluster can't live.
_SPARE = ("networkpolicies", "poddisruptionbudgets")
#: Seconds that Kubernetes may take to remove what an ended cluster owned, and between two tries meanwhile.
_LEFT, _LOOK = 30.0, 0.25
#: The annotation of the record that holds the spec, without the environment: more people may read it than Secrets.
SPEC = "jupyter-mlops/spec"


def ids_of(spec: ClusterSpec, namespace: str) -> ObjectNames:
    """The names of a cluster's objects."""
    return ObjectNames(spec.name, namespace, spec.created)


async def make(api: Api, spec: ClusterSpec, made_keys: keys.ClusterKeys | None, prices: bytes = b"") -> Json:
    """Make all of a cluster's objects; its scheduler's pod is asked for last. Returns the record.

    Parameters
    ----------
    made_keys : the keys of its parts; None for a cluster without TLS.
    prices : the packed catalogue that its controller prices nodes by.

    Raises
    ------
    NameTaken : there is a record of that name.
    Unavailable, Refused, InvalidSpec : the profile insists on dask-kubernetes' operator, and it isn't there.
    Answer, Unreachable : as `Api.request`; what was made before is removed again.
    """
    ids = ids_of(spec, api.namespace)
    body = _deployment(spec, ids)
    try:
        record = await api.request("POST", api.path("deployments", group=APPS), body)
    except Answer as answer:
        if answer.status != 409:
            raise
        raise NameTaken(
            f"There is a cluster named {spec.name!r} already",
            f"in the namespace {api.namespace!r}",
            "Use it, stop it first, or choose another name.",
        ) from None
    record = {**body, **record}
    try:
        await _all(api, [*_owned(spec, ids, names.owner_of(record), made_keys, prices), *_outliving(spec, ids)])
        announced = await daskcluster.announce(api, spec, ids)
        rights = _rights(spec, ids, names.owner_of(record), announced is not None)
        await _all(api, rights[:-1])
        await _all(api, rights[-1:])  # who isn't admin can't bind a missing role
        await _patch(api, ids, _announced(announced, ids) | {"spec": {"replicas": 1}})
        if announced is not None:
            await _await_operator(api, spec, ids)
    except BaseException:
        await asyncio.shield(asyncio.gather(remove(api, ids), forget(api, ids)))
        raise
    return record


async def remove(api: Api, ids: ObjectNames) -> None:
    """Remove the record, and with it all that it owns. A no-op when it is gone."""
    try:
        await daskcluster.end(api, ids)
    finally:
        await delete(api, api.path("deployments", ids.scheduler, group=APPS), {"propagationPolicy": "Background"})


async def forget(api: Api, ids: ObjectNames, storage: Storage = "secrets") -> None:
    """Remove what outlives the cluster, where it is kept in that kind of objects."""
    await daskcluster.end(api, ids)
    for name in (ids.receipt, ids.history):
        await delete(api, api.path(storage, name))


async def _await_operator(api: Api, spec: ClusterSpec, ids: ObjectNames) -> None:
    """Wait until the operator acts on the DaskCluster; where none does, go on without, or refuse to."""
    options = options_of(spec.profile)
    if await daskcluster.acts(api, ids, options.operator_timeout):
        return
    if options.record == "operator":
        raise daskcluster.silent(spec.name, options.operator_timeout)
    await _patch(api, ids, {"metadata": {"ownerReferences": None, "labels": dict.fromkeys(ids.dask_labels(""))}})
    await daskcluster.end(api, ids)


def _announced(announced: Json | None, ids: ObjectNames) -> Json:
    """What a DaskCluster changes on the record."""
    if announced is None:
        return {}
    return {"metadata": {"ownerReferences": [names.owner_of(announced)], "labels": ids.dask_labels("scheduler")}}


async def _patch(api: Api, ids: ObjectNames, change: Json) -> None:
    path = api.path("deployments", ids.scheduler, group=APPS)
    await api.request("PATCH", path, change, content=MERGE_PATCH, parse=False)


async def _all(api: Api, objects: list[tuple[tuple[str, str], Json]]) -> None:
    await asyncio.gather(*(_post(api, kind, body) for kind, body in objects))


async def _post(api: Api, kind: tuple[str, str], body: Json) -> None:
    """Make an object. What an earlier cluster of that name has left is waited for: Kubernetes is removing it."""
    (plural, group), deadline = kind, time.monotonic() + _LEFT
    while True:
        try:
            await api.request("POST", api.path(plural, group=group), body, parse=False)
            return
        except Answer as answer:
            if plural in _SPARE and answer.status in (403, 404):
                return
            if answer.status != 409 or time.monotonic() > deadline:
                raise
        await asyncio.sleep(_LOOK)


def _metadata(spec: ClusterSpec, ids: ObjectNames, name: str, part: str = "record", owner: Json | None = None) -> Json:
    metadata: Json = {
        "name": name,
        "namespace": ids.namespace,
        "labels": ids.labels(spec.owner, part),
        "annotations": {
            names.OWNER_IN_FULL: spec.owner,
            names.RECEIPT: ids.receipt,
            names.FORMAT: str(FORMAT),
        },
    }
    return metadata | ({"ownerReferences": [owner]} if owner else {})


def _deployment(spec: ClusterSpec, ids: ObjectNames) -> Json:
    pod = template.scheduler_pod(spec, ids)
    metadata = _metadata(spec, ids, ids.scheduler)
    metadata["annotations"][SPEC] = _without_environment(spec).model_dump_json()
    return {
        "apiVersion": APPS,
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "replicas": 0,
            "strategy": {"type": "Recreate"},  # never two schedulers of one cluster
            "selector": {"matchLabels": {names.CLUSTER: ids.cluster, names.PART: "scheduler"}},
            "template": pod,
        },
    }


def _owned(
    spec: ClusterSpec, ids: ObjectNames, owner: Json, made_keys: keys.ClusterKeys | None, prices: bytes
) -> list[tuple[tuple[str, str], Json]]:
    def metadata(name: str, part: str = "record") -> Json:
        return _metadata(spec, ids, name, part, owner)

    files: dict[str, str | bytes] = {
        **code.packed(),
        "spec.json": spec.model_dump_json(),
        "packages.txt": "\n".join(options_of(spec.profile).packages),
        names.PRICES: prices,
    }
    secrets = [secret(metadata(ids.spec), files)]
    if spec.profile.environment:
        secrets.append(secret(metadata(ids.environment), spec.profile.environment))
    if made_keys is not None:
        for role, pair in made_keys.pairs.items():  # no pod has that of clients
            data = {"tls.key": pair.key, "tls.crt": pair.certificate, "ca.crt": made_keys.authority}
            secrets.append({**secret(metadata(ids.tls_of(role)), data), "type": "kubernetes.io/tls"})
    its = {names.CLUSTER: ids.cluster}
    policies = [
        manifests.network_policy(metadata(f"{ids.cluster}-ports"), its, {"podSelector": {"matchLabels": its}}),
        manifests.scheduler_policy(metadata(f"{ids.cluster}-scheduler"), its),
    ]
    return [
        *((("secrets", ""), each) for each in secrets),
        (("services", ""), _service(ids, metadata(ids.scheduler))),
        *((("networkpolicies", NETWORK), each) for each in policies),
        (("poddisruptionbudgets", POLICY), _budget(ids, metadata(ids.scheduler))),
    ]


def _without_environment(spec: ClusterSpec) -> ClusterSpec:
    return spec.model_copy(update={"profile": spec.profile.model_copy(update={"environment": {}})})


def _rights(spec: ClusterSpec, ids: ObjectNames, owner: Json, announced: bool) -> list[tuple[tuple[str, str], Json]]:
    """The service account, the role, and, last, the binding of the cluster's controller."""
    if options_of(spec.profile).service_account:
        return []
    groups = {"serviceaccounts": "", "roles": RBAC, "rolebindings": RBAC}
    accounts = [object_name(account) for account in spec.accounts]
    rights = manifests.rights(ids, _metadata(spec, ids, ids.controller, owner=owner), announced, accounts)
    return [((plural, groups[plural]), body) for plural, body in rights.items()]


def _service(ids: ObjectNames, metadata: Json) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": template.scheduler_service(ids),
    }


def _budget(ids: ObjectNames, metadata: Json) -> Json:
    """That nobody evicts the scheduler, with which all runs would be lost, before the cluster has ended."""
    labels = {names.CLUSTER: ids.cluster, names.PART: "scheduler"}
    return {
        "apiVersion": POLICY,
        "kind": "PodDisruptionBudget",
        "metadata": metadata,
        "spec": {"minAvailable": 1, "selector": {"matchLabels": labels}},
    }


def _outliving(spec: ClusterSpec, ids: ObjectNames) -> list[tuple[tuple[str, str], Json]]:
    """What outlives the cluster: from the start on, so that its controller only needs the right to change it."""
    receipt = {"spec.json": spec.model_dump_json(), "alive": str(time.time())}
    return [
        (("secrets", ""), secret(_metadata(spec, ids, ids.receipt, "receipt"), receipt)),
        (("secrets", ""), secret(_metadata(spec, ids, ids.history, "history"), {})),
    ]

"""A cluster's objects in Kubernetes, made such that nothing is left behind, whenever the making is interrupted.

The record is a Deployment. It is made first, without pods; all else is owned by it, so that Kubernetes removes it with
the record. Only then the scheduler's pod is asked for. Two ConfigMaps without an owner outlive the cluster.
"""

from __future__ import annotations

import asyncio
import base64
import time
from typing import Any

from ...core.cluster import ClusterSpec
from ...core.errors import NameTaken
from . import code, manifests, names, template
from .api import MERGE_PATCH, Answer, Api, Json
from .names import Names

APPS = "apps/v1"
RBAC = "rbac.authorization.k8s.io/v1"
NETWORK = "networking.k8s.io/v1"
#: The annotation of the record that holds the spec.
SPEC = "jupyter-mlops/spec"


def ids_of(spec: ClusterSpec, namespace: str) -> Names:
    """The names of a cluster's objects."""
    return Names(spec.name, namespace, spec.created)


def owner_of(record: Json) -> Json:
    """The ownerReference to a record."""
    return {
        "apiVersion": record["apiVersion"],
        "kind": record["kind"],
        "name": record["metadata"]["name"],
        "uid": record["metadata"]["uid"],
        "blockOwnerDeletion": False,  # it needs a right that users rarely have, and nothing waits for it
    }


async def make(api: Api, spec: ClusterSpec, pair: tuple[str, str] | None) -> Json:
    """Make all of a cluster's objects; its scheduler's pod is asked for last. Returns the record.

    Parameters
    ----------
    pair : the key and certificate; None for a cluster without TLS.

    Raises
    ------
    NameTaken : there is a record of that name.
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
        objects = [*_owned(spec, ids, owner_of(record), pair), *_kept(spec, ids)]
        last = [each for each in objects if each[0][0] == "rolebindings"]  # who isn't admin can't bind a missing role
        await asyncio.gather(*(_post(api, path, each) for path, each in objects if (path, each) not in last))
        await asyncio.gather(*(_post(api, path, each) for path, each in last))
        await api.request(
            "PATCH", api.path("deployments", ids.scheduler, group=APPS), {"spec": {"replicas": 1}}, content=MERGE_PATCH
        )
    except BaseException:
        await asyncio.shield(asyncio.gather(remove(api, ids), forget(api, ids)))
        raise
    return record


async def remove(api: Api, ids: Names) -> None:
    """Remove the record, and with it all that it owns. A no-op when it is gone."""
    body = {"propagationPolicy": "Background"}
    try:
        await api.request("DELETE", api.path("deployments", ids.scheduler, group=APPS), body, parse=False)
    except Answer as answer:
        if answer.status != 404:
            raise


async def forget(api: Api, ids: Names) -> None:
    """Remove what outlives the cluster."""
    for name in (ids.receipt, ids.history):
        try:
            await api.request("DELETE", api.path("configmaps", name), parse=False)
        except Answer as answer:
            if answer.status != 404:
                raise


async def _post(api: Api, kind: tuple[str, str], body: Json) -> None:
    plural, group = kind
    try:
        await api.request("POST", api.path(plural, group=group), body, parse=False)
    except Answer as answer:
        if plural != "networkpolicies" or answer.status not in (403, 404):
            raise  # without a policy TLS still keeps others out; without anything else the cluster can't live


def _metadata(spec: ClusterSpec, ids: Names, name: str, part: str = "record", owner: Json | None = None) -> Json:
    metadata: Json = {
        "name": name,
        "namespace": ids.namespace,
        "labels": ids.labels(spec.owner, part),
        "annotations": {names.OWNER_IN_FULL: spec.owner},
    }
    return metadata | ({"ownerReferences": [owner]} if owner else {})


def _deployment(spec: ClusterSpec, ids: Names) -> Json:
    pod = template.scheduler_pod(spec, ids)
    metadata = _metadata(spec, ids, ids.scheduler)
    metadata["annotations"][SPEC] = spec.model_dump_json()
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
    spec: ClusterSpec, ids: Names, owner: Json, pair: tuple[str, str] | None
) -> list[tuple[tuple[str, str], Json]]:
    def metadata(name: str, part: str = "record") -> Json:
        return _metadata(spec, ids, name, part, owner)

    sent = code.packed()
    data = {
        **sent["data"],
        "spec.json": spec.model_dump_json(),
        "packages.txt": "\n".join(spec.profile.kubernetes.packages),
    }
    objects: list[tuple[tuple[str, str], Json]] = [
        (
            ("configmaps", ""),
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": metadata(ids.spec),
                "data": data,
                "binaryData": sent["binaryData"],
            },
        ),
        (("services", ""), _service(ids, metadata(ids.scheduler))),
        (
            ("networkpolicies", NETWORK),
            manifests.network_policy(
                ids.cluster, ids.namespace, {names.CLUSTER: ids.cluster}, metadata(f"{ids.cluster}-ports")
            ),
        ),
    ]
    if pair is not None:
        encoded = {"tls.key": pair[0], "tls.crt": pair[1]}
        encoded = {name: base64.b64encode(text.encode()).decode() for name, text in encoded.items()}
        secret = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": metadata(ids.tls)}
        objects.append((("secrets", ""), {**secret, "data": encoded}))
    if not spec.profile.kubernetes.service_account:
        groups = {"serviceaccounts": "", "roles": RBAC, "rolebindings": RBAC}
        rights = manifests.rights(ids, metadata(ids.controller))
        objects += [((plural, groups[plural]), body) for plural, body in rights.items()]
    return objects


def _service(ids: Names, metadata: Json) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            "selector": {names.CLUSTER: ids.cluster, names.PART: "scheduler"},
            "ports": [{"name": "tcp-comm", "port": names.SCHEDULER_PORT, "targetPort": names.SCHEDULER_PORT}],
        },
    }


def _kept(spec: ClusterSpec, ids: Names) -> list[tuple[tuple[str, str], Json]]:
    """What outlives the cluster: from the start on, so that its controller only needs the right to change it."""
    receipt: Json = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(spec, ids, ids.receipt, "receipt"),
        "data": {"spec.json": spec.model_dump_json(), "alive": str(time.time())},
    }
    history: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(spec, ids, ids.history, "history"),
    }
    return [(("configmaps", ""), receipt), (("configmaps", ""), history)]

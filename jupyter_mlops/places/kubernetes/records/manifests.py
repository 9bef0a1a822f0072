"""The YAML that an administrator applies, and the same rights as objects of one cluster."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ....core.errors import InvalidInput
from .. import names
from ..names import ObjectNames

Json = dict[str, Any]

#: What a cluster's controller may do in its namespace: make, end and watch pods, and read why they don't come.
CONTROLLER_RULES: list[Json] = [
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["create", "delete", "get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["list", "watch"]},
]

#: What somebody needs in the namespace to make clusters and services, and so a notebook that is run by itself. She must
#: have what her controllers get: nobody can give more than she has.
DRIVER_RULES: list[Json] = [
    *CONTROLLER_RULES,
    {"apiGroups": [""], "resources": ["pods/portforward"], "verbs": ["create", "get"]},
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create", "delete", "get", "list", "patch"]},
    {"apiGroups": [""], "resources": ["services"], "verbs": ["create", "delete", "list", "patch"]},
    {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["create"]},
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["create", "delete", "get", "list", "patch"]},
    {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"], "verbs": ["create"]},
    {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": ["create"]},
    {"apiGroups": ["policy"], "resources": ["poddisruptionbudgets"], "verbs": ["create"]},
]

#: What a user needs in the namespace: all that, and to have notebooks run by themselves.
USER_RULES: list[Json] = [
    *DRIVER_RULES,
    # Clusters of version 0.1.0 keep their records in these.
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["delete", "get", "list", "patch"]},
    {"apiGroups": ["batch"], "resources": ["cronjobs"], "verbs": ["create", "delete", "get", "list", "patch"]},
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["delete", "list"]},
]

#: What she needs besides where dask-kubernetes' operator is: to make clusters that it sees, and to use others' of it.
OPERATOR_RULES: list[Json] = [
    {
        "apiGroups": ["kubernetes.dask.org"],
        "resources": ["daskclusters", "daskworkergroups"],
        "verbs": ["create", "delete", "get", "list", "patch", "watch"],
    },
    {"apiGroups": ["kubernetes.dask.org"], "resources": ["daskautoscalers"], "verbs": ["delete", "list"]},
]

#: Optional, and of no namespace: what nodes there are, for their prices.
NODES: Json = {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list"]}
#: Optional, and for all namespaces: what pods there are on the nodes, for how much is free. It shows everybody's pods.
ALL_PODS: Json = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}

_RBAC = "rbac.authorization.k8s.io/v1"
_RBAC_GROUP = "rbac.authorization.k8s.io"
#: What the names of a hub's users, as the hub writes them in the names of objects, are made of.
_SLUG = re.compile(r"[a-z0-9]([a-z0-9-]{0,55}[a-z0-9])?")


def controller_rules(ids: ObjectNames, announced: bool = False, accounts: Sequence[str] = ()) -> list[Json]:
    """The rights of the controller of one cluster: its pods, its own record, what outlives it, and the Secrets of the
    `accounts` that it holds money of.

    `announced` is whether the record has a DaskCluster, which it must be able to remove. ("patch" is for the finalizer
    of an operator that is gone.)
    """
    announcement = {
        "apiGroups": ["kubernetes.dask.org"],
        "resources": ["daskclusters"],
        "resourceNames": [ids.cluster],
        "verbs": ["delete", "get", "patch"],
    }
    return [
        *([announcement] if announced else []),
        *CONTROLLER_RULES,
        {
            "apiGroups": [""],
            "resources": ["secrets"],
            "resourceNames": [ids.receipt, ids.history, *accounts],
            "verbs": ["get", "patch"],
        },
        {
            "apiGroups": ["apps"],
            "resources": ["deployments"],
            "resourceNames": [ids.scheduler],
            "verbs": ["delete", "get"],
        },
    ]


def shared_rules(namespace: str, announced: bool = False) -> list[Json]:
    """The rights of a service account that is ready for the controllers of all clusters in a namespace: what one has
    for the objects of its own cluster, this one has for all of the namespace."""
    own = controller_rules(ObjectNames("c", namespace, 0.0), announced)
    return [{key: value for key, value in rule.items() if key != "resourceNames"} for rule in own]


def rights(ids: ObjectNames, metadata: Json, announced: bool = False, accounts: Sequence[str] = ()) -> dict[str, Json]:
    """The service account, role and binding of one cluster's controller, by the path of their kind.

    Other parameters are those of `controller_rules`.
    """
    return bound(ids.controller, ids.namespace, metadata, controller_rules(ids, announced, accounts))


def bound(name: str, namespace: str, metadata: Json, rules: list[Json]) -> dict[str, Json]:
    """A service account of that name with these rights, by the path of the kinds of its objects."""
    subject, role = _account(name, namespace), {"apiGroup": _RBAC_GROUP, "kind": "Role", "name": name}
    return {
        "serviceaccounts": {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        "roles": {"apiVersion": _RBAC, "kind": "Role", "metadata": metadata, "rules": rules},
        "rolebindings": {
            "apiVersion": _RBAC,
            "kind": "RoleBinding",
            "metadata": metadata,
            "subjects": [subject],
            "roleRef": role,
        },
    }


def network_policy(metadata: Json, selector: dict[str, str], *sources: Json) -> Json:
    """Pods with these labels are reached by the peers `sources` and by no others. (A port-forward comes from the node
    itself.) What several policies allow for a pod adds up."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata,
        "spec": {
            "podSelector": {"matchLabels": selector},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": list(sources)}],
        },
    }


def scheduler_policy(metadata: Json, selector: dict[str, str], *more: Json) -> Json:
    """Schedulers with these labels are reached by the namespace's pods, where notebooks are, and by the peers `more`.

    Workers are not: what the ranks of a gang send each other has neither a password nor encryption.
    """
    return network_policy(metadata, {**selector, names.PART: "scheduler"}, {"podSelector": {}}, *more)


def manifests(
    namespace: str,
    user: str = "",
    service_account: str = "",
    nodes: bool = True,
    operator: bool = False,
    room: bool = False,
) -> list[Json]:
    """What an administrator applies once for a namespace, and for one who makes clusters in it.

    Parameters
    ----------
    namespace : where clusters will be made.
    user, service_account : who will make them: a user of the kubeconfig, or a service account of the namespace.
    nodes, room : as in `node_rights`; without both nobody gets rights beyond the namespace.
    operator : whether dask-kubernetes' operator is there, and its clusters may be used.

    Raises
    ------
    InvalidInput : neither a user nor a service account is named. (All of the namespace's would be those of the clusters
        themselves, too.)
    """
    if not user and not service_account:
        raise InvalidInput("Who is to make clusters?", todo="Name a user, a service account, or a hub and its user.")
    subject = _user(user) if user else _account(service_account, namespace)
    return [
        *_rights(namespace, subject, operator),
        scheduler_policy({"name": "jupyter-mlops", "namespace": namespace}, {names.MANAGED_BY: names.US}),
        *(node_rights(namespace, subject, room=room) if nodes or room else []),
    ]


def hub_manifests(hub: str, user: str, nodes: bool = True, operator: bool = False, room: bool = False) -> list[Json]:
    """What an administrator applies for one user of a JupyterHub: a service account beside the hub without any right
    there, and a namespace for this user's clusters alone.

    Parameters
    ----------
    hub : the namespace of the hub and its users' pods.
    user : her name as the hub writes it in the names of objects (`{username}`).
    nodes, room : as in `node_rights`.
    operator : whether dask-kubernetes' operator is there.

    Raises
    ------
    InvalidInput : that can't be a part of names of objects.
    """
    if not _SLUG.fullmatch(user):
        why = "it is made of small letters, digits and dashes there, 57 at most"
        todo = f"`kubectl -n {hub} get pods -L {names.HUB_USER}` shows it for users whose server runs."
        raise InvalidInput(f"{user!r} can't be how a hub writes a user's name", why, todo)
    name = f"mlops-{user}"
    labels = {names.MANAGED_BY: names.US}
    # Who may make pods without such a level may make one that is root on its node.
    level = {"pod-security.kubernetes.io/enforce": "restricted"}
    subject = _account(name, hub)
    pods = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": hub}},
        "podSelector": {"matchLabels": {names.HUB_USER: user}},
    }
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels | level}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": hub, "labels": labels}},
        *_rights(name, subject, operator),
        scheduler_policy({"name": "jupyter-mlops", "namespace": name}, labels, pods),
        *(node_rights(name, subject, room=room) if nodes or room else []),
    ]


def driver_manifests(namespace: str, name: str) -> list[Json]:
    """The same as `controller_manifests` of the pods that run notebooks by themselves: a service account that may make
    clusters there, which profiles name."""
    return _account_manifests(namespace, name, DRIVER_RULES)


def controller_manifests(namespace: str, name: str, operator: bool = False) -> list[Json]:
    """What an administrator applies once for users of a namespace who may not make roles, as with the ClusterRole
    "edit": a service account for the controllers of all their clusters, which their profiles name.

    Parameters
    ----------
    namespace, name : of the service account.
    operator : whether dask-kubernetes' operator is there, and clusters are DaskClusters, too.
    """
    return _account_manifests(namespace, name, shared_rules(namespace, operator))


def _account_manifests(namespace: str, name: str, rules: list[Json]) -> list[Json]:
    metadata: Json = {"name": name, "namespace": namespace, "labels": {names.MANAGED_BY: names.US}}
    return list(bound(name, namespace, metadata, rules).values())


def node_rights(namespace: str, *subjects: Json, room: bool = False) -> list[Json]:
    """The right to read nodes, for their prices, for the controllers of a namespace and these `subjects`.

    With `room`, also to list the pods of all namespaces, for how much is free on the nodes.
    """
    name = f"jupyter-mlops-{namespace}"
    metadata: Json = {"name": name, "labels": {names.MANAGED_BY: names.US}}
    controllers = {"apiGroup": _RBAC_GROUP, "kind": "Group", "name": f"system:serviceaccounts:{namespace}"}
    rules = [NODES, *([ALL_PODS] if room else [])]
    return [
        {"apiVersion": _RBAC, "kind": "ClusterRole", "metadata": metadata, "rules": rules},
        {
            "apiVersion": _RBAC,
            "kind": "ClusterRoleBinding",
            "metadata": metadata,
            "subjects": [*subjects, controllers],
            "roleRef": {"apiGroup": _RBAC_GROUP, "kind": "ClusterRole", "name": name},
        },
    ]


def _rights(namespace: str, subject: Json, operator: bool) -> list[Json]:
    name = "jupyter-mlops-user"
    metadata: Json = {"name": name, "namespace": namespace, "labels": {names.MANAGED_BY: names.US}}
    rules = USER_RULES + (OPERATOR_RULES if operator else [])
    ref = {"apiGroup": _RBAC_GROUP, "kind": "Role", "name": name}
    return [
        {"apiVersion": _RBAC, "kind": "Role", "metadata": metadata, "rules": rules},
        {"apiVersion": _RBAC, "kind": "RoleBinding", "metadata": metadata, "subjects": [subject], "roleRef": ref},
    ]


def _user(name: str) -> Json:
    return {"apiGroup": _RBAC_GROUP, "kind": "User", "name": name}


def _account(name: str, namespace: str) -> Json:
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


def as_yaml(documents: list[Json]) -> str:
    """The documents as one text for `kubectl apply -f -`, short lists in one line."""
    import yaml

    class Whole(yaml.SafeDumper):
        """Writes out what stands in several places, such as the metadata."""

        def ignore_aliases(self, data: object) -> bool:
            return True

    texts = (yaml.dump(each, Dumper=Whole, sort_keys=False, default_flow_style=None, width=120) for each in documents)
    return "---\n".join(map(str, texts))

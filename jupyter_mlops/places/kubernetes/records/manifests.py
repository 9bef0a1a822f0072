"""The YAML that an administrator applies, and the same rights as objects of one cluster."""

from __future__ import annotations

from typing import Any

from .. import names
from ..names import ObjectNames

Json = dict[str, Any]

#: What a cluster's controller may do in its namespace: make, end and watch pods, and read why they don't come.
CONTROLLER_RULES: list[Json] = [
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["create", "delete", "get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["list", "watch"]},
]

#: What a user needs in the namespace. She must have what her controllers get: nobody can give more than she has.
USER_RULES: list[Json] = [
    *CONTROLLER_RULES,
    {"apiGroups": [""], "resources": ["pods/portforward"], "verbs": ["create", "get"]},
    {
        "apiGroups": [""],
        "resources": ["services", "secrets", "configmaps", "serviceaccounts"],
        "verbs": ["create", "delete", "get", "list", "patch"],
    },
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["create", "delete", "get", "list", "patch"]},
    {
        "apiGroups": ["rbac.authorization.k8s.io"],
        "resources": ["roles", "rolebindings"],
        "verbs": ["create", "delete", "get"],
    },
    {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": ["create", "delete", "get"]},
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

#: Optional and for all namespaces: prices of nodes, and room on them.
CLUSTER_RULES: list[Json] = [{"apiGroups": [""], "resources": ["nodes", "pods"], "verbs": ["get", "list"]}]

_RBAC = "rbac.authorization.k8s.io/v1"
_RBAC_GROUP = "rbac.authorization.k8s.io"


def controller_rules(ids: ObjectNames, announced: bool = False) -> list[Json]:
    """The rights of the controller of one cluster: its pods, its own record, and what outlives it.

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
            "resources": ["configmaps"],
            "resourceNames": [ids.receipt, ids.history],
            "verbs": ["get", "patch"],
        },
        {
            "apiGroups": ["apps"],
            "resources": ["deployments"],
            "resourceNames": [ids.scheduler],
            "verbs": ["delete", "get"],
        },
    ]


def rights(ids: ObjectNames, metadata: Json, announced: bool = False) -> dict[str, Json]:
    """The service account, role and binding of one cluster's controller, by the path of their kind.

    Other parameters are those of `controller_rules`.
    """
    subject = {"kind": "ServiceAccount", "name": ids.controller, "namespace": ids.namespace}
    role = {"apiGroup": _RBAC_GROUP, "kind": "Role", "name": ids.controller}
    return {
        "serviceaccounts": {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        "roles": {"apiVersion": _RBAC, "kind": "Role", "metadata": metadata, "rules": controller_rules(ids, announced)},
        "rolebindings": {
            "apiVersion": _RBAC,
            "kind": "RoleBinding",
            "metadata": metadata,
            "subjects": [subject],
            "roleRef": role,
        },
    }


def network_policy(name: str, namespace: str, selector: dict[str, str], metadata: Json | None = None) -> Json:
    """Only pods of the same namespace reach pods with these labels. (A port-forward comes from the node itself.)"""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata or {"name": name, "namespace": namespace},
        "spec": {
            "podSelector": {"matchLabels": selector},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": {}}]}],
        },
    }


def manifests(
    namespace: str, user: str = "", service_account: str = "", nodes: bool = True, operator: bool = False
) -> list[Json]:
    """What an administrator applies once for a namespace.

    Parameters
    ----------
    namespace : where clusters will be made.
    user, service_account : who will make them: a user of the kubeconfig, or a service account of the namespace (as
        JupyterHub's). Without either, every logged in user of the namespace's service accounts.
    nodes : whether they may also read nodes, for prices and for how much is free.
    operator : whether dask-kubernetes' operator is there, and its clusters may be used.
    """
    labels = {names.MANAGED_BY: names.US}
    name = "jupyter-mlops-user"
    rules = USER_RULES + (OPERATOR_RULES if operator else [])
    if user:
        subject: Json = {"apiGroup": _RBAC_GROUP, "kind": "User", "name": user}
    elif service_account:
        subject = {"kind": "ServiceAccount", "name": service_account, "namespace": namespace}
    else:
        subject = {"apiGroup": _RBAC_GROUP, "kind": "Group", "name": f"system:serviceaccounts:{namespace}"}
    metadata: Json = {"name": name, "namespace": namespace, "labels": labels}
    ref = {"apiGroup": _RBAC_GROUP, "kind": "Role", "name": name}
    documents: list[Json] = [
        {"apiVersion": _RBAC, "kind": "Role", "metadata": metadata, "rules": rules},
        {"apiVersion": _RBAC, "kind": "RoleBinding", "metadata": metadata, "subjects": [subject], "roleRef": ref},
        network_policy("jupyter-mlops", namespace, labels),
    ]
    if nodes:
        wide: Json = {"name": f"jupyter-mlops-{namespace}", "labels": labels}
        documents += [
            {"apiVersion": _RBAC, "kind": "ClusterRole", "metadata": wide, "rules": CLUSTER_RULES},
            {
                "apiVersion": _RBAC,
                "kind": "ClusterRoleBinding",
                "metadata": wide,
                "subjects": [
                    subject,
                    {"apiGroup": _RBAC_GROUP, "kind": "Group", "name": f"system:serviceaccounts:{namespace}"},
                ],
                "roleRef": {**ref, "kind": "ClusterRole", "name": wide["name"]},
            },
        ]
    return documents


def as_yaml(documents: list[Json]) -> str:
    """The documents as one text for `kubectl apply -f -`."""
    import yaml

    return "---\n".join(str(yaml.safe_dump(document, sort_keys=False)) for document in documents)

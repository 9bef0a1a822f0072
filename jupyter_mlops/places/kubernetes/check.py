"""Whether this user may do what clusters need, what is missing, and the YAML that would give it."""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass, field

from ...core.errors import Refused
from .api.client import Answer, Api, Json
from .records import dask_operator
from .records.manifests import OPERATOR_RULES, USER_RULES, as_yaml

_GIVES = "`jupyter mlops kubernetes manifests --operator` gives the right"
#: What works without, with less comfort: what is lost then.
OPTIONAL = {
    "networkpolicies": "other namespaces can reach the clusters' ports (TLS still keeps them out)",
    "poddisruptionbudgets": "a node that is drained takes the scheduler along, and with it its runs",
    "configmaps": "clusters of version 0.1.0 aren't listed",
    "daskclusters": f"clusters aren't DaskClusters, and those that others made aren't listed ({_GIVES})",
    "daskworkergroups": f"DaskClusters that others made can't be scaled ({_GIVES})",
    "daskautoscalers": f"DaskClusters that others made are scaled back by their autoscalers ({_GIVES})",
}


@dataclass(frozen=True)
class Right:
    """One thing that may or may not be done."""

    group: str
    resource: str
    verb: str

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{'.' + self.group if self.group else ''}"


@dataclass(frozen=True)
class Report:
    """What was found out in one namespace."""

    host: str
    namespace: str
    user: str
    missing: list[Right] = field(default_factory=list)
    without: list[str] = field(default_factory=list)
    #: What there is of dask-kubernetes' operator.
    operator: list[str] = field(default_factory=list)

    @property
    def yaml(self) -> str:
        """The Role and RoleBinding that would give exactly what is missing; empty when nothing is."""
        if not self.missing:
            return ""
        rules = [{"apiGroups": [r.group], "resources": [r.resource], "verbs": [r.verb]} for r in self.missing]
        metadata = {"name": "jupyter-mlops-missing", "namespace": self.namespace}
        api = "rbac.authorization.k8s.io"
        role = {"apiVersion": f"{api}/v1", "kind": "Role", "metadata": metadata, "rules": rules}
        binding = {
            "apiVersion": f"{api}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "subjects": [_subject(self.user)],
            "roleRef": {"apiGroup": api, "kind": "Role", "name": metadata["name"]},
        }
        return as_yaml([role, binding])

    def raise_missing(self) -> None:
        """Raise `Refused` when something that is needed is missing."""
        if self.missing:
            raise Refused(
                f"You may not make clusters in the namespace {self.namespace!r}",
                f"{self.user or 'you'} may not {_list(self.missing)}",
                "`jupyter mlops kubernetes check` prints what an administrator would apply.",
            )


async def check(api: Api) -> Report:
    """Ask Kubernetes about every right that clusters need. Makes nothing."""
    rules = USER_RULES + (OPERATOR_RULES if await dask_operator.installed(api) else [])
    wanted = [
        Right(group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]
    allowed = await asyncio.gather(*(_allowed(api, right) for right in wanted))
    refused = [right for right, yes in zip(wanted, allowed, strict=True) if not yes]
    return Report(
        host=api.host,
        namespace=api.namespace,
        user=await _user(api),
        missing=[right for right in refused if right.resource not in OPTIONAL],
        without=sorted({OPTIONAL[right.resource] for right in refused if right.resource in OPTIONAL}),
    )


async def report(context: str = "", namespace: str = "") -> Report:
    """The report on a context and namespace; empty: the current ones.

    Raises
    ------
    Unavailable : there is no way to a Kubernetes cluster, or it doesn't answer.
    InvalidSpec : the kubeconfig lacks the context.
    """
    api = await Api.connect(context, namespace)
    try:
        return dataclasses.replace(await check(api), operator=await dask_operator.sentences(api))
    except Answer as answer:
        raise answer.error from None
    finally:
        await api.close()


async def _allowed(api: Api, right: Right) -> bool:
    resource, _, part = right.resource.partition("/")
    attributes: Json = {"namespace": api.namespace, "group": right.group, "resource": resource, "verb": right.verb}
    if part:
        attributes["subresource"] = part
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    path = api.path("selfsubjectaccessreviews", group="authorization.k8s.io/v1", namespace="")
    answer = await api.request("POST", path, body)
    return bool(answer["status"].get("allowed"))


async def _user(api: Api) -> str:
    path = api.path("selfsubjectreviews", group="authentication.k8s.io/v1", namespace="")
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    answer = await api.request("POST", path, body)
    return str(answer["status"]["userInfo"].get("username", ""))


def _subject(user: str) -> Json:
    if user.startswith("system:serviceaccount:"):
        _, _, namespace, name = user.split(":", 3)
        return {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}


def _list(rights: list[Right]) -> str:
    shown = ", ".join(str(right) for right in rights[:6])
    return shown + (f" and {len(rights) - 6} more" if len(rights) > 6 else "")

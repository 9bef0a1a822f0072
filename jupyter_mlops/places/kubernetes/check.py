"""Whether this user may do what clusters need, what is missing, and the YAML that would give it."""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass, field

from ...core.errors import Refused
from .api.client import Answer, Api, Json
from .records import dask_operator
from .records.manifests import OPERATOR_RULES, USER_RULES, as_yaml, shared_rules

_GIVES = "`jupyter mlops kubernetes manifests --operator` gives the right"
_GIVES_CONTROLLER = (
    "An administrator would apply what `jupyter mlops kubernetes manifests --namespace {0.namespace} "
    "--controller {0.controller}` prints."
)
#: What works without, with less comfort: what is lost then.
OPTIONAL = {
    "networkpolicies": "other namespaces can reach the clusters' ports (TLS still keeps them out)",
    "poddisruptionbudgets": "a node that is drained takes the scheduler along, and with it its runs",
    "cronjobs": "notebooks can't be scheduled there",
    "jobs": "nobody can say how scheduled notebooks went",
    "configmaps": "clusters of version 0.1.0 aren't listed",
    "daskclusters": f"clusters aren't DaskClusters, and those that others made aren't listed ({_GIVES})",
    "daskworkergroups": f"DaskClusters that others made can't be scaled ({_GIVES})",
    "daskautoscalers": f"DaskClusters that others made are scaled back by their autoscalers ({_GIVES})",
}


#: What only those need who make an account for each cluster's controller.
ACCOUNTS = frozenset({"serviceaccounts", "roles", "rolebindings"})


@dataclass(frozen=True)
class Right:
    """One thing that may or may not be done."""

    group: str
    resource: str
    verb: str


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
    #: Whether accounts are a fence or a wall.
    guard: str = ""
    #: The service account that is ready for clusters' controllers, and what it lacks. Empty: each gets one of its own.
    controller: str = ""
    lacking: str = ""

    @property
    def yaml(self) -> str:
        """The Role and RoleBinding that would give exactly what is missing; empty when nothing is."""
        if not self.missing:
            return ""
        rules = [
            {"apiGroups": [group], "resources": resources, "verbs": verbs}
            for group, resources, verbs in _together(self.missing)
        ]
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

    @property
    def needs_controller(self) -> bool:
        """Whether nothing is missing but the rights to make accounts, as with Kubernetes' ClusterRole "edit": then a
        service account that is ready is enough."""
        return bool(self.missing) and {right.resource for right in self.missing} <= ACCOUNTS

    @property
    def why(self) -> str:
        """What is missing, in a line; empty when nothing is."""
        parts = [
            f"{', '.join(verbs)} {', '.join(resource + ('.' + group if group else '') for resource in resources)}"
            for group, resources, verbs in _together(self.missing)
        ]
        return f"{self.user or 'you'} may not {'; '.join(parts)}" if parts else ""

    @property
    def todo(self) -> str:
        """How clusters can be made without what is missing; empty where they can't."""
        if not self.needs_controller:
            return ""
        return (
            "Let an administrator apply what `jupyter mlops kubernetes manifests --namespace "
            f"{self.namespace} --controller mlops-controller` prints, and name that service account in the profile: "
            '"options": {"service_account": "mlops-controller"}.'
        )

    def raise_missing(self) -> None:
        """Raise `Refused` when something that is needed is missing."""
        what = f"You may not make clusters in the namespace {self.namespace!r}"
        if self.missing:
            otherwise = "`jupyter mlops kubernetes check` prints what an administrator would apply."
            raise Refused(what, self.why, self.todo or otherwise)
        if self.lacking:
            raise Refused(what, self.lacking, _GIVES_CONTROLLER.format(self))


async def check(api: Api, controller: str = "") -> Report:
    """Ask Kubernetes about every right that clusters need. Makes nothing.

    Parameters
    ----------
    controller : the service account that is ready for clusters' controllers; empty: each gets one of its own.
    """
    rules = USER_RULES + (OPERATOR_RULES if await dask_operator.installed(api) else [])
    wanted = [right for right in _rights(rules) if not controller or right.resource not in ACCOUNTS]
    allowed = await asyncio.gather(*(_allowed(api, right) for right in wanted))
    refused = [right for right, yes in zip(wanted, allowed, strict=True) if not yes]
    return Report(
        host=api.host,
        namespace=api.namespace,
        user=await _user(api),
        missing=[right for right in refused if right.resource not in OPTIONAL],
        without=sorted({OPTIONAL[right.resource] for right in refused if right.resource in OPTIONAL}),
        controller=controller,
        lacking=await _lacking(api, controller) if controller else "",
    )


async def report(context: str = "", namespace: str = "", controller: str = "") -> Report:
    """The report on a context and namespace; empty: the current ones. `controller` is as for `check`.

    Raises
    ------
    Unavailable : there is no way to a Kubernetes cluster, or it doesn't answer.
    InvalidSpec : the kubeconfig lacks the context.
    """
    from .wall import probe  # clusters' pods are sent this module, and no wall

    api = await Api.connect(context, namespace)
    try:
        found = await check(api, controller)
        return dataclasses.replace(found, operator=await dask_operator.sentences(api), guard=await probe.sentence(api))
    except Answer as answer:
        raise answer.error from None
    finally:
        await api.close()


def _rights(rules: list[Json]) -> list[Right]:
    return [
        Right(group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]


def _together(rights: list[Right]) -> list[tuple[str, list[str], list[str]]]:
    """Groups, resources and verbs, such that each right is in one line, and there are few of them."""
    verbs: dict[tuple[str, str], list[str]] = {}
    for right in rights:
        known = verbs.setdefault((right.group, right.resource), [])
        if right.verb not in known:
            known.append(right.verb)
    resources: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (group, resource), found in verbs.items():
        resources.setdefault((group, tuple(sorted(found))), []).append(resource)
    return [(group, names, list(found)) for (group, found), names in resources.items()]


async def _lacking(api: Api, controller: str) -> str:
    """What a ready service account lacks, as far as this user may know it."""
    wanted = list(dict.fromkeys(_rights(shared_rules(api.namespace))))
    who = f"system:serviceaccount:{api.namespace}:{controller}"
    try:
        if not await api.exists(api.path("serviceaccounts", controller)):
            return f"there is no service account {controller!r} in the namespace"
        allowed = await asyncio.gather(*(_allowed(api, right, who) for right in wanted))
    except Answer as answer:
        if answer.status in (403, 404):  # not everybody may ask about others
            return ""
        raise
    missing = [right for right, yes in zip(wanted, allowed, strict=True) if not yes]
    return Report(api.host, api.namespace, f"the service account {controller!r}", missing).why


async def _allowed(api: Api, right: Right, who: str = "") -> bool:
    """Whether we may do it; or `who` may."""
    resource, _, part = right.resource.partition("/")
    attributes: Json = {"namespace": api.namespace, "group": right.group, "resource": resource, "verb": right.verb}
    if part:
        attributes["subresource"] = part
    body: Json = {"apiVersion": "authorization.k8s.io/v1", "spec": {"resourceAttributes": attributes}}
    if who:
        body |= {"kind": "LocalSubjectAccessReview", "metadata": {"namespace": api.namespace}}
        body["spec"]["user"] = who
        path = api.path("localsubjectaccessreviews", group="authorization.k8s.io/v1")
    else:
        body["kind"] = "SelfSubjectAccessReview"
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

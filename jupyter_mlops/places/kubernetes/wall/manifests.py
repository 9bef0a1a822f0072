"""The YAML of the wall: a namespace of its own with one small program, and what is in each namespace behind it."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from ....core.base import read_input
from ....core.errors import InvalidInput, MlopsError
from ....core.profile import Group, Profile
from ....core.rules import Rules
from ....home import settings
from .. import names
from ..pods.template import default_image
from ..pricelist import MOST, catalogue_of
from ..records import code
from ..records.kept import secret
from .policy import policy
from .program import RULES, check_currency
from .store import BOOKS

Json = dict[str, Any]

#: The namespace of the wall, if nobody names another; the objects of no namespace are called as it is.
WALL = "jupyter-mlops-wall"

_NAME, _CODE, _RULES = "wall", "wall-code", "wall-rules"
_FOLDER = "/opt/jupyter-mlops/wall"
_RBAC_GROUP = "rbac.authorization.k8s.io"
_RBAC = f"{_RBAC_GROUP}/v1"

#: What it may do in its own namespace, in all, and in those behind it: there it reads no Secret.
OWN_RULES: list[Json] = [
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create"]},
    {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [BOOKS], "verbs": ["get", "patch"]},
]
EVERYWHERE_RULES: list[Json] = [
    {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list"]},
    {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list"]},
]
BEHIND_RULES: list[Json] = [
    {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["patch"]},  # the one that the role is in
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "delete"]},
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list", "patch", "delete"]},
    {"apiGroups": ["kubernetes.dask.org"], "resources": ["daskclusters"], "verbs": ["delete"]},
]


def wall_manifests(
    namespace: str, rules: str, *, owner: str = "", image: str = "", cpus: str = "", memory: str = "", wall: str = WALL
) -> list[Json]:
    """What an administrator applies for a namespace behind the wall; again, for the next one.

    Parameters
    ----------
    namespace : where clusters are made.
    rules : the text of the file of rules. All that give money by the month have an account.
    owner : whose namespace it is, as rules name her; empty: several users share it, and its pods say whose they are.
    image : has Python and pip, or what the wall needs; empty: Dask's.
    cpus, memory : how much may be asked for in the namespace at once, as Kubernetes writes it; empty: any amount.
    wall : the namespace in which the wall is.

    Raises
    ------
    InvalidInput : the rules aren't valid, or there is nothing for a wall to do.
    Unavailable : they count money in another currency than the prices.
    """
    found = _rules(rules)
    prices, currency = _prices()
    check_currency(found, currency)
    return [
        *_program(wall, rules, prices, image or default_image()),
        *policy(wall, found.contact),
        *_behind(wall, namespace, owner, cpus, memory),
    ]


def _rules(text: str) -> Rules:
    try:
        rules = read_input(Rules, json.loads(text), "file of rules")
    except (ValueError, MlopsError) as error:
        raise InvalidInput("The rules can't be read", str(error), "Repair that file.") from None
    if not any(rule.month is not None for rule in rules.rules):
        why = "a wall keeps accounts, and none of them has 'month'"
        raise InvalidInput("The rules give no money by the month", why, 'Write it like "month": 300.')
    return rules


def _prices() -> tuple[bytes, str]:
    """The packed catalogue of the user's own prices, and its currency."""
    profile = Profile(name=_NAME, place="kubernetes", groups=[Group(workers=0)])
    price = settings.load().price
    return catalogue_of(profile, price, {}).packed(MOST), price.currency


def _program(wall: str, rules: str, prices: bytes, image: str) -> list[Json]:
    """The wall's own namespace, and all that is in it."""
    files = code.packed_for_wall()
    coded = base64.b64encode(prices).decode()
    version = hashlib.sha256(prices + str(sorted(files.items())).encode()).hexdigest()[:16]
    level = {"pod-security.kubernetes.io/enforce": "restricted"}
    account = {"kind": "ServiceAccount", "name": _NAME, "namespace": wall}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": wall, "labels": _labels() | level}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _metadata(_NAME, wall)},
        *_bound("Role", _metadata(_NAME, wall), OWN_RULES, account),
        *_bound("ClusterRole", {"name": wall, "labels": _labels()}, EVERYWHERE_RULES, account),
        secret(_metadata(_CODE, wall), files),
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": _metadata(_RULES, wall),
            "data": {RULES: rules},
            "binaryData": {names.PRICES: coded},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": _metadata(_NAME, wall),
            "spec": {
                "replicas": 1,
                "strategy": {"type": "Recreate"},  # one alone keeps the books
                "selector": {"matchLabels": {names.PART: _NAME}},
                "template": _pod(image, version),
            },
        },
    ]


def _pod(image: str, version: str) -> Json:
    container = {
        "name": _NAME,
        "image": image,
        "args": ["python", f"{names.SPEC}/start.py", _NAME, _FOLDER],
        "workingDir": names.SCRATCH,
        "env": [{"name": "PYTHONUNBUFFERED", "value": "1"}, {"name": "HOME", "value": names.SCRATCH}],
        "resources": {"requests": {"cpu": "20m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}},
        "volumeMounts": [
            {"name": "code", "mountPath": names.SPEC, "readOnly": True},
            {"name": "rules", "mountPath": _FOLDER, "readOnly": True},
            {"name": "scratch", "mountPath": names.SCRATCH},
        ],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    user = {"runAsNonRoot": True, "runAsUser": 1000, "runAsGroup": 1000}
    return {
        "metadata": {
            "labels": _labels() | {names.PART: _NAME},
            "annotations": {"jupyter-mlops/version": version},  # other prices want another pod
        },
        "spec": {
            "serviceAccountName": _NAME,
            "enableServiceLinks": False,
            "securityContext": {**user, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
            "volumes": [
                {"name": "code", "secret": {"secretName": _CODE}},
                {"name": "rules", "configMap": {"name": _RULES}},
                {"name": "scratch", "emptyDir": {}},
            ],
        },
    }


def _behind(wall: str, namespace: str, owner: str, cpus: str, memory: str) -> list[Json]:
    """What makes a namespace one behind the wall: its label, and the wall's rights there."""
    account = {"kind": "ServiceAccount", "name": _NAME, "namespace": wall}
    metadata: Json = {"name": wall, "namespace": namespace, "labels": _labels()}
    space: Json = {"name": namespace, "labels": {names.WALL: wall}}
    if owner:
        space["labels"][names.OWNER_IN_FULL] = names.label(owner)
        space["annotations"] = {names.OWNER_IN_FULL: owner}
    found: list[Json] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": space},
        *_bound("Role", metadata, BEHIND_RULES, account),
    ]
    most = {name: amount for name, amount in (("requests.cpu", cpus), ("requests.memory", memory)) if amount}
    if most:
        quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": most}}
        found.append(quota)
    return found


def _bound(kind: str, metadata: Json, rules: list[Json], subject: Json) -> list[Json]:
    """A role of that kind, and its binding to who has it."""
    ref = {"apiGroup": _RBAC_GROUP, "kind": kind, "name": metadata["name"]}
    return [
        {"apiVersion": _RBAC, "kind": kind, "metadata": metadata, "rules": rules},
        {"apiVersion": _RBAC, "kind": f"{kind}Binding", "metadata": metadata, "subjects": [subject], "roleRef": ref},
    ]


def _metadata(name: str, namespace: str) -> Json:
    return {"name": name, "namespace": namespace, "labels": _labels()}


def _labels() -> Json:
    return {names.MANAGED_BY: names.US}

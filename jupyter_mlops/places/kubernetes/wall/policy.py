"""What Kubernetes itself refuses behind the wall, before there is a pod: an admission policy, in CEL.

It sees one pod and its namespace, and can't count: who has no money left is written on the namespace by the wall. While
nothing is, since no wall has ever looked, no pod is let in. (Parameters of a policy would be the usual way. But an API
server from which the last policy with a ConfigMap was removed may find none for the next one until it is restarted.)
"""

from __future__ import annotations

import json

from .. import names
from ..api.client import Json
from .probe import PART, SAID

_API = "admissionregistration.k8s.io/v1"
_OF_POD = f"variables.labels[?'{names.OWNER_IN_FULL}'].orValue('')"


def policy(wall: str, contact: str) -> list[Json]:
    """The policy and its binding, for the namespaces behind the wall that is in the namespace `wall`."""
    whom = contact or "your administrator"
    binding: Json = {
        "policyName": wall,
        "validationActions": ["Deny"],
    }
    metadata: Json = {"name": wall, "labels": {names.MANAGED_BY: names.US}}
    return [
        {"apiVersion": _API, "kind": "ValidatingAdmissionPolicy", "metadata": metadata, "spec": _spec(wall, whom)},
        {"apiVersion": _API, "kind": "ValidatingAdmissionPolicyBinding", "metadata": metadata, "spec": binding},
    ]


def _spec(wall: str, whom: str) -> Json:
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    asks = " && ".join(f"'{resource}' in c.resources.requests" for resource in ("cpu", "memory"))
    return {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [pods],
            "namespaceSelector": {"matchLabels": {names.WALL: wall}},
        },
        "variables": [
            {"name": "labels", "expression": "object.metadata.?labels.orValue({})"},
            {"name": "owner", "expression": _owner()},
            {"name": "closed", "expression": f"{_written(names.CLOSED)}.split(',')"},
            {"name": "looked", "expression": _written(names.LOOKED)},
        ],
        "validations": [
            _validation(
                f"variables.labels[?'{names.PART}'].orValue('') != '{PART}'",
                f"{_text(f'{SAID}, which has looked last at ')} + variables.looked",
            ),
            _validation("variables.looked != ''", _text("the wall around this namespace has not looked at it yet")),
            _validation("variables.owner != ''", _text(f"a pod here has a label {names.OWNER_IN_FULL}")),
            _validation(
                f"dyn(object).spec.containers.all(c, has(c.resources) && has(c.resources.requests) && {asks})",
                _text("every container here has to name the CPU and the memory that it requests"),
            ),
            _validation(
                "!(variables.owner in variables.closed)",
                f"{_text('the account of ')} + variables.owner + {_text(f' is empty: ask {whom} for more')}",
            ),
        ],
    }


def _owner() -> str:
    """Whose a pod is: the namespace says so, else the pod."""
    return f"namespaceObject.metadata.?labels[?'{names.OWNER_IN_FULL}'].orValue({_OF_POD})"


def _written(key: str) -> str:
    """What the wall has written on the namespace."""
    return f"namespaceObject.metadata.?annotations[?'{key}'].orValue('')"


def _validation(expression: str, message: str) -> Json:
    return {"expression": expression, "messageExpression": message, "reason": "Forbidden"}


def _text(text: str) -> str:
    """As CEL writes it."""
    return json.dumps(text, ensure_ascii=True)

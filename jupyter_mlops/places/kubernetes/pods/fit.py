"""Whether a kind of node takes a pod: by what the pod asks for, its selectors, and the taints that it bears."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ....pricing import Node
from .. import quantity
from ..node import node_of
from ..why.facts import requests

#: Taints with this beginning are a node's state (not ready, cordoned, under pressure), and say nothing of its kind.
_STATE = "node.kubernetes.io/"


@dataclass(frozen=True)
class Offer:
    """A node, what of it pods may ask for, and whom it keeps away."""

    node: Node
    allocatable: Mapping[str, float]
    labels: Mapping[str, str]
    taints: tuple[Mapping[str, Any], ...]

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> Offer:
        """The `Offer` of the API's JSON of a node."""
        taints = (item.get("spec") or {}).get("taints") or []
        allocatable = (item.get("status") or {}).get("allocatable") or {}
        return cls(
            node_of(item),
            {resource: quantity.parse(amount) for resource, amount in allocatable.items()},
            item["metadata"].get("labels") or {},
            tuple(each for each in taints if _repels(each)),
        )

    def takes(self, pod: Mapping[str, Any]) -> int:
        """How many such pods an empty node of this kind has room for; 0 where it takes none."""
        spec = pod.get("spec") or {}
        selector = spec.get("nodeSelector") or {}
        if any(self.labels.get(key) != value for key, value in selector.items()):
            return 0
        if not all(any(_bears(each, taint) for each in spec.get("tolerations") or []) for taint in self.taints):
            return 0
        affinity = ((spec.get("affinity") or {}).get("nodeAffinity")) or {}
        terms = (affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get("nodeSelectorTerms")
        if terms is not None and not any(self._matches(term) for term in terms):
            return 0
        asked = {**requests(pod), "pods": 1.0}
        rooms = [self.allocatable.get(name, 0.0) / amount for name, amount in asked.items() if amount > 0]
        return int(min(rooms) + 1e-9)

    def _matches(self, term: Mapping[str, Any]) -> bool:
        wanted = term.get("matchExpressions") or []
        fields = term.get("matchFields") or []
        named = {"metadata.name": self.node.name}
        return bool(wanted or fields) and (
            all(_holds(each, self.labels) for each in wanted) and all(_holds(each, named) for each in fields)
        )


def _repels(taint: Mapping[str, Any]) -> bool:
    return taint.get("effect") != "PreferNoSchedule" and not str(taint.get("key", "")).startswith(_STATE)


def _bears(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") not in (None, "", taint.get("effect")):
        return False
    if toleration.get("key") not in (None, "", taint.get("key")):
        return False
    exists = toleration.get("operator") == "Exists"
    return exists or (bool(toleration.get("key")) and (toleration.get("value") or "") == (taint.get("value") or ""))


def _holds(asked: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a requirement of a node selector holds, as Kubernetes reads it."""
    key, values = str(asked.get("key")), [str(value) for value in asked.get("values") or []]
    found = labels.get(key)
    operator = asked.get("operator")
    if operator == "In":
        return found in values
    if operator == "NotIn":
        return found not in values
    if operator == "Exists":
        return found is not None
    if operator == "DoesNotExist":
        return found is None
    try:  # Gt and Lt compare whole numbers
        is_more = int(found or "") > int(values[0])
        return is_more if operator == "Gt" else operator == "Lt" and int(found or "") < int(values[0])
    except (ValueError, IndexError):
        return False

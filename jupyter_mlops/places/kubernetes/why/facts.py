"""What is known of a pod besides the pod itself."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .. import quantity

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Facts:
    """What the API and Dask know beside the pod itself; whatever may not be read is left out.

    `events` are the pod's, oldest first. `free` is node name → resource → what no pod has asked for there, of the nodes
    that take pods; None when nodes may not be read. `node` is the pod's node. `logs` are its last lines. `peak` is the
    most memory that Dask measured in it, in bytes. `spot` is whether it is, or was, on a spot node. `details` are what
    else is to be said: "node" is "gone" where the node is, and "unknown" where nobody may ask; "on demand after" is how
    long a pod may wait for a spot node.
    """

    events: Sequence[Json] = ()
    free: Mapping[str, Mapping[str, float]] | None = None
    node: Json | None = None
    logs: Sequence[str] = ()
    peak: float | None = None
    spot: bool = False
    details: Mapping[str, str] = field(default_factory=dict)

    def event(self, *reasons: str) -> Json | None:
        """The newest event with one of these reasons."""
        return next((event for event in reversed(self.events) if event.get("reason") in reasons), None)

    def message(self, *reasons: str, but: str = "") -> str:
        """What the newest event with one of these reasons says; those that begin with `but` tell nothing."""
        said = (sentence(event.get("message")) for event in reversed(self.events) if event.get("reason") in reasons)
        return next((words for words in said if not but or not words.startswith(but)), "")


def sentence(text: object) -> str:
    """One line of `text`, without its full stop, to be put into a sentence."""
    return " ".join(str(text or "").split()).rstrip(".")


def moment(text: str) -> float:
    """Seconds since the epoch of a time as Kubernetes writes it."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def requests(pod: Json) -> dict[str, float]:
    """What a pod asks a node for: the sum of its containers, as a scheduler counts it."""
    spec = pod.get("spec", {})
    total: dict[str, float] = {}
    for container in spec.get("containers", []):
        for resource, amount in _asked(container).items():
            total[resource] = total.get(resource, 0.0) + amount
    for container in spec.get("initContainers", []):
        for resource, amount in _asked(container).items():
            total[resource] = max(total.get(resource, 0.0), amount)
    return total


def _asked(container: Json) -> dict[str, float]:
    resources = container.get("resources") or {}
    asked = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return {name: quantity.parse(amount) for name, amount in asked.items()}


def condition(pod: Json, kind: str) -> Json | None:
    """The pod's condition of that type."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return next((each for each in conditions if each.get("type") == kind), None)


def is_ready(pod: Json) -> bool:
    """Whether the pod says that it is ready, and isn't about to go."""
    said = condition(pod, "Ready")
    return said is not None and said.get("status") == "True" and "deletionTimestamp" not in pod["metadata"]


def no_node(pod: Json) -> Json | None:
    """Kubernetes' word that it has looked for a node for the pod in vain, if it has."""
    scheduled = condition(pod, "PodScheduled")
    return scheduled if scheduled and scheduled.get("status") == "False" else None


def containers(pod: Json) -> list[Json]:
    """The statuses of the pod's containers, those that run before the others first."""
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def free(nodes: Sequence[Json], pods: Sequence[Json]) -> dict[str, dict[str, float]]:
    """What is not asked for on each node that takes pods, by node name."""
    left = {
        node["metadata"]["name"]: {
            resource: quantity.parse(amount) for resource, amount in (node["status"].get("allocatable") or {}).items()
        }
        for node in nodes
        if not (node.get("spec") or {}).get("unschedulable")
    }
    for pod in pods:
        node = (pod.get("spec") or {}).get("nodeName")
        if node in left and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed"):
            for resource, amount in {**requests(pod), "pods": 1.0}.items():
                left[node][resource] = left[node].get(resource, 0.0) - amount
    return left

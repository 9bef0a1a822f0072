"""What a pod's JSON says of its worker, as the controller is told. Pure."""

from __future__ import annotations

from typing import Any

from ....controller.pool import Notice
from ....core.base import Time
from ....core.cluster import Problem, WorkerPhase
from .. import names
from ..clouds import GPU
from ..why import SPOT_TAKEN, Facts, pending
from ..why.facts import condition, containers, moment, requests

Json = dict[str, Any]


def worker_of(pod: Json) -> str:
    """The name of the worker in it."""
    return str(pod["metadata"]["labels"][names.WORKER])


def over(pod: Json) -> bool:
    """Whether its containers have ended for good."""
    return (pod.get("status") or {}).get("phase") in ("Failed", "Succeeded")


def leaving(pod: Json) -> bool:
    """Whether somebody has asked for its end."""
    return "deletionTimestamp" in pod["metadata"]


def placed(pod: Json) -> bool:
    """Whether a node is set aside for it: from here on it costs."""
    return bool((pod.get("spec") or {}).get("nodeName"))


def placed_at(pod: Json) -> Time | None:
    """Since when a node is set aside for it."""
    scheduled = condition(pod, "PodScheduled") if placed(pod) else None
    when = (scheduled or {}).get("lastTransitionTime")
    return moment(when) if when else None


def ended_at(pod: Json) -> Time | None:
    """When its last container ended; None where some have not, or nobody knows."""
    ends = [((status.get("state") or {}).get("terminated") or {}).get("finishedAt") for status in containers(pod)]
    known = [moment(end) for end in ends if end]
    return max(known) if known and len(known) == len(ends) else None


def step(pod: Json) -> str:
    """How far a pod is, in a word: pending, pulling, starting or running."""
    if not placed(pod):
        return "pending"
    statuses = containers(pod)
    if any("running" in (status.get("state") or {}) for status in statuses):
        return "running"
    reasons = {((status.get("state") or {}).get("waiting") or {}).get("reason") for status in statuses}
    return "pulling" if reasons & {"ErrImagePull", "ImagePullBackOff"} else "starting"


def notice(pod: Json, facts: Facts | None = None) -> Notice:
    """What the controller is told of a pod that has not ended."""
    phase: WorkerPhase = "starting" if placed(pod) else "pending"
    return describe(pod, phase, pending(pod, facts))


def describe(
    pod: Json, phase: WorkerPhase, problem: Problem | None = None, seen: Time | None = None, unseen: bool = False
) -> Notice:
    """A notice of the pod's worker in this phase; `seen` is when it was found to be gone, `unseen` as in `Notice`."""
    spec = pod.get("spec") or {}
    details = {"group": str(pod["metadata"]["labels"].get(names.GROUP, "")), "pod": str(pod["metadata"]["name"])}
    shape = None
    if placed(pod):
        details |= {"step": step(pod)}
        asked = requests(pod)
        shape = (asked.get("cpu", 0.0), asked.get("memory", 0.0), asked.get(GPU, 0.0))
    host = str(spec.get("nodeName") or "")
    on_demand = names.ON_DEMAND in (pod["metadata"].get("annotations") or {})
    taken = problem is not None and problem.what == SPOT_TAKEN
    began, ended = placed_at(pod), (ended_at(pod) or seen) if phase in ("ended", "lost") else None
    return Notice(worker_of(pod), phase, problem, host, None, shape, began, ended, on_demand, unseen, taken, details)

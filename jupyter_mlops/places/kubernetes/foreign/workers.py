"""Workers of others' clusters: a row for each pod, as Kubernetes tells and, when it was asked, Dask. Pure."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ....core.cluster import Counts, Problem, WorkerPhase, WorkerState
from ..pods import pods
from ..why import Facts, death, pending, restarted
from ..why.facts import condition, moment
from .daskview import DaskView, DaskWorker
from .found import Found, FoundGroup
from .shape import memory_limit

Json = dict[str, Any]

#: Seconds for which a worker that died counts as lost.
RECENT = 600.0

#: What is known around a pod.
FactsOf = Callable[[Json], Facts]


def rows(found: Found, dask: DaskView | None = None, facts: FactsOf | None = None) -> list[WorkerState]:
    """All workers of a cluster.

    Parameters
    ----------
    dask : what its scheduler says; None: it wasn't asked, or doesn't answer.
    facts : what is known around a pod; without it, the pods alone are looked at.
    """
    known = {worker.host: worker for worker in dask.workers} if dask is not None else None
    if known is None and running_scheduler(found) is None:
        known = {}  # nobody can be connected
    names = names_of(found)
    return [
        row(names[pod["metadata"]["name"]], group, pod, known, facts) for group in found.groups for pod in group.pods
    ]


def running_scheduler(found: Found) -> Json | None:
    """Its scheduler's pod, if that runs."""
    running = (pod for pod in found.schedulers if pods.step(pod) == "running" and not pods.leaving(pod))
    return next(running, None)


def names_of(found: Found) -> dict[str, str]:
    """What the worker of each pod is called: its group and the end of the pod's name, which nearly always tells them
    apart; where it doesn't, the pod's name."""
    short = {
        str(pod["metadata"]["name"]): f"{group.name}-{pod['metadata']['name'].rpartition('-')[2]}"
        for group in found.groups
        for pod in group.pods
    }
    times = Counter(short.values())
    return {pod: name if times[name] == 1 else pod for pod, name in short.items()}


def row(
    name: str, group: FoundGroup, pod: Json, dask: Mapping[str, DaskWorker] | None, facts: FactsOf | None = None
) -> WorkerState:
    """The worker in `pod`. `dask` is Dask's workers by their pods' addresses; None when nobody knows."""
    around = facts(pod) if facts is not None else Facts()
    worker = dask.get(str((pod.get("status") or {}).get("podIP", ""))) if dask is not None else None
    phase = _phase(pod, dask is not None, worker)
    state = WorkerState(
        name=name,
        group=group.name,
        phase=phase,
        host=str((pod.get("spec") or {}).get("nodeName") or ""),
        since=moment(pod["metadata"]["creationTimestamp"]),
        memory=memory_limit(pod),
        problem=_problem(pod, phase, around),
    )
    if worker is None or phase not in ("idle", "busy", "retiring"):
        return state
    told = {
        "address": worker.address,
        "cpu": worker.cpu,
        "memory_used": worker.memory_used,
        "memory": worker.memory or state.memory,
        "threads": worker.threads,
        "processing": worker.processing,
    }
    return state.model_copy(update=told)


def counts(workers: Iterable[WorkerState], missing: int = 0) -> Counts:
    """How many there are in each phase; `missing` are wanted and have no pod yet."""
    found = Counts(requested=max(0, missing))
    for worker in workers:
        if worker.phase != "ended":
            setattr(found, worker.phase, getattr(found, worker.phase) + 1)
    return found


def disrupted(pod: Json) -> bool:
    """Whether Kubernetes took the pod away, and not who scales or stops the cluster."""
    target = condition(pod, "DisruptionTarget")
    return target is not None and target.get("status") == "True"


def _phase(pod: Json, asked: bool, worker: DaskWorker | None) -> WorkerPhase:
    if pods.leaving(pod):
        return "retiring"
    if pods.over(pod):
        return "ended" if pod["status"].get("phase") == "Succeeded" else "lost"
    if not pods.placed(pod):
        return "pending"
    if pods.step(pod) != "running" or (asked and worker is None):
        return "starting"
    return "busy" if worker is not None and worker.processing else "idle"


def _problem(pod: Json, phase: WorkerPhase, facts: Facts) -> Problem | None:
    if phase == "lost":
        return death(pod, facts)
    waiting = pending(pod, facts) if phase in ("pending", "starting") else None
    return waiting or restarted(pod, "Its container was started again", facts, time.time() - RECENT)

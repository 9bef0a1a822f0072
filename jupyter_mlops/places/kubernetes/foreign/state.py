"""A foreign cluster and its workers as a card shows them, and the cluster as a spec. Pure."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from ....core.base import Time, read_record
from ....core.cluster import (
    ClusterPhase,
    ClusterSpec,
    ClusterState,
    Counts,
    GroupState,
    Problem,
    Sample,
    Work,
    WorkerPhase,
    WorkerState,
)
from ....core.price import Cost, Price
from ....core.profile import MOST_WORKERS, Group, Limits, Profile
from .. import names
from ..api.client import Json
from ..pods import pods
from ..why import Facts, death, pending, restarted
from ..why.facts import condition, moment
from .cost import Costs, Rates
from .discover import Discovered, DiscoveredGroup, Shape, memory_limit, shape_of
from .scheduler import DaskView, DaskWorker

#: Seconds for which a worker that died counts as lost.
RECENT = 600.0

#: Nobody limits these clusters from here.
NO_LIMITS = Limits(idle_timeout=None, lifetime=None, budget=None)

#: What the controls offer, at least; a slider over all that is possible would start hundreds by a slip of the hand.
OFFERED = 100

#: Seconds for the operator to make something of a DaskCluster.
OPERATOR = 30.0

#: What is known around a pod.
FactsOf = Callable[[Json], Facts]


def rows(cluster: Discovered, dask: DaskView | None = None, facts: FactsOf | None = None) -> list[WorkerState]:
    """All workers of a cluster.

    Parameters
    ----------
    dask : what its scheduler says; None: it wasn't asked, or doesn't answer.
    facts : what is known around a pod; without it, the pods alone are looked at.
    """
    known = {worker.host: worker for worker in dask.workers} if dask is not None else None
    if known is None and cluster.running_scheduler is None:
        known = {}  # nobody can be connected
    names = cluster.worker_names
    return [
        row(names[pod["metadata"]["name"]], group, pod, known, facts) for group in cluster.groups for pod in group.pods
    ]


def row(
    name: str, group: DiscoveredGroup, pod: Json, dask: Mapping[str, DaskWorker] | None, facts: FactsOf | None = None
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
    by_dask = {
        "address": worker.address,
        "cpu": worker.cpu,
        "memory_used": worker.memory_used,
        "memory": worker.memory or state.memory,
        "threads": worker.threads,
        "processing": worker.processing,
    }
    return state.model_copy(update=by_dask)


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


def spec_of(cluster: Discovered, namespace: str, price: Price, context: str = "") -> ClusterSpec:
    """What was asked for, as far as its objects tell."""
    profile = Profile(
        name=names.fitting(cluster.maker),
        title=f"Made with {cluster.maker}",
        place="kubernetes",
        groups=[_group(group) for group in cluster.groups[:16]] or [Group(workers=0)],
        limits=NO_LIMITS,
        options={"context": context, "namespace": namespace, "tls": False},
    )
    return ClusterSpec(
        name=cluster.name,
        owner=cluster.owner,
        profile=profile,
        price=price,
        created=cluster.created,
        maker=cluster.maker,
    )


def state_of(
    cluster: Discovered,
    rates: Rates,
    *,
    dask: DaskView | None = None,
    facts: FactsOf | None = None,
    problem: Problem | None = None,
    timeline: Sequence[Sample] = (),
    runs: Sequence[str] = (),
    workers: Sequence[WorkerState] | None = None,
    now: Time | None = None,
) -> ClusterState:
    """What a card shows.

    Parameters
    ----------
    rates : what its nodes cost.
    dask : what its scheduler says; None: it wasn't asked, or doesn't answer, for the reason `problem`.
    facts : what is known around a pod.
    workers : as `rows` gives them, when that was done already.
    """
    now = time.time() if now is None else now
    workers = rows(cluster, dask, facts) if workers is None else workers
    costs = Costs(cluster, rates, now)
    groups = [
        _group_state(group, [each for each in workers if each.group == group.name], costs.cost(group.name))
        for group in cluster.groups
    ]
    up = [worker for worker in workers if worker.phase in ("idle", "busy", "retiring")]
    phase = _cluster_phase(cluster)
    return ClusterState(
        name=cluster.name,
        place="kubernetes",
        namespace=cluster.namespace,
        uid=cluster.uid,
        profile=names.fitting(cluster.maker),
        owner=cluster.owner,
        maker=cluster.maker,
        phase=phase,
        created=cluster.created,
        started=dask.started if dask is not None else None,
        groups=groups,
        counts=_total([group.counts for group in groups]),
        work=dask.work if dask is not None else Work(),
        cpu=sum(worker.cpu for worker in up),
        cpus=sum(group.cpus * _up(group.counts) for group in groups),
        memory_used=sum(worker.memory_used for worker in up),
        memory=sum(worker.memory for worker in up),
        cost=costs.cost(),
        limits=NO_LIMITS,
        problem=cluster.fault or scheduler_problem(cluster, facts, now) or problem,
        timeline=list(timeline),
        runs=list(runs),
        commands=cluster.commands,
    )


def sample_of(state: ClusterState, now: Time) -> Sample:
    """A point of the timeline."""
    waiting = state.counts.requested + state.counts.pending + state.counts.starting
    return Sample(
        time=now,
        wanted=sum(group.wanted for group in state.groups),
        pending=waiting,
        running=_up(state.counts),
        busy=state.counts.busy,
        cpu=round(state.cpu, 2),
        memory=state.memory_used,
        amount=state.cost.amount,
    )


def scheduler_problem(cluster: Discovered, facts: FactsOf | None = None, now: Time | None = None) -> Problem | None:
    """Why there is no scheduler that answers."""
    now = time.time() if now is None else now
    if not cluster.schedulers:
        if cluster.leaving or now - cluster.created < OPERATOR:
            return None
        if cluster.kind == "DaskCluster":
            return Problem(
                what="Nothing has been made for this DaskCluster",
                why="its scheduler has no pod",
                todo="Check that the dask-kubernetes operator runs, and its log.",
            )
        return Problem(what="Its scheduler has no pod", todo=f"Look at the Deployment {cluster.service!r}.")
    pod = cluster.schedulers[0]
    around = facts(pod) if facts is not None else Facts()
    return pending(pod, around) or restarted(pod, "The scheduler was started again", around, now - RECENT)


def _cluster_phase(cluster: Discovered) -> ClusterPhase:
    if cluster.leaving:
        return "stopping"
    return "running" if cluster.running_scheduler else "starting"


def _group_state(group: DiscoveredGroup, workers: Sequence[WorkerState], cost: Cost) -> GroupState:
    shape = shape_of(group.template)
    there = sum(worker.phase not in ("ended", "lost", "retiring") for worker in workers)
    bounds = group.bounds or (0, _most(group))
    threads = max((worker.threads for worker in workers), default=1)
    return GroupState(
        name=group.name,
        cpus=shape.cpus or threads,
        memory=round(shape.memory or max((worker.memory for worker in workers), default=0)),
        gpus=round(shape.gpus),
        minimum=bounds[0],
        maximum=bounds[1],
        adaptive=group.bounds is not None,
        wanted=group.wanted,
        counts=counts(workers, group.wanted - there),
        cost=cost,
        problem=next(
            (each.problem for each in workers if each.problem and each.phase in ("pending", "starting")), None
        ),
    )


def _group(group: DiscoveredGroup) -> Group:
    shape: Shape = shape_of(group.template)
    fields = {
        "name": group.name,
        "cpus": min(1024, shape.cpus) or 1,
        "memory": round(shape.memory) or 1,
        "gpus": round(shape.gpus),
        "workers": min(MOST_WORKERS, group.wanted),
        "maximum": _most(group),
    }
    return read_record(Group, fields)  # nobody is asked to mean it: it is there


def _most(group: DiscoveredGroup) -> int:
    return min(MOST_WORKERS, max(OFFERED, 2 * group.wanted))


def _up(counts: Counts) -> int:
    return counts.idle + counts.busy + counts.retiring


def _total(parts: Sequence[Counts]) -> Counts:
    return Counts(**{name: sum(getattr(part, name) for part in parts) for name in Counts.model_fields})

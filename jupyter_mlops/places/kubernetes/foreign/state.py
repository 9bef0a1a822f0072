"""A cluster of others as a card shows it, and as a spec. Pure."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from ....core.base import Time
from ....core.cluster import (
    ClusterPhase,
    ClusterSpec,
    ClusterState,
    Counts,
    GroupState,
    Problem,
    Sample,
    Work,
    WorkerState,
)
from ....core.kubernetes import KubernetesOptions
from ....core.price import Cost, Price
from ....core.profile import MOST_WORKERS, Group, Limits, Profile
from ..why import Facts, pending, restarted
from .cost import Costs
from .daskview import DaskView
from .found import Found, FoundGroup, fitting
from .rates import Rates
from .shape import Shape, shape_of
from .workers import RECENT, FactsOf, counts, rows, running_scheduler

Json = dict[str, Any]

#: Nobody limits these clusters from here.
NO_LIMITS = Limits(idle_timeout=None, lifetime=None, budget=None)

#: What the controls offer, at least; a slider over all that is possible would start hundreds by a slip of the hand.
OFFERED = 100

#: Seconds for the operator to make something of a DaskCluster.
OPERATOR = 30.0


def spec_of(found: Found, namespace: str, price: Price, context: str = "") -> ClusterSpec:
    """What was asked for, as far as its objects tell."""
    profile = Profile(
        name=fitting(found.maker),
        title=f"Made with {found.maker}",
        place="kubernetes",
        groups=[_group(group) for group in found.groups[:16]] or [Group(workers=0)],
        limits=NO_LIMITS,
        kubernetes=KubernetesOptions(context=context, namespace=namespace, tls=False),
    )
    return ClusterSpec(
        name=found.name,
        owner=found.owner,
        profile=profile,
        price=price,
        created=found.created,
        maker=found.maker,
    )


def state_of(
    found: Found,
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
    workers = rows(found, dask, facts) if workers is None else workers
    costs = Costs(found, rates, now)
    groups = [
        _group_state(group, [each for each in workers if each.group == group.name], costs.cost(group.name))
        for group in found.groups
    ]
    up = [worker for worker in workers if worker.phase in ("idle", "busy", "retiring")]
    phase = _phase(found)
    return ClusterState(
        name=found.name,
        place="kubernetes",
        profile=fitting(found.maker),
        owner=found.owner,
        maker=found.maker,
        phase=phase,
        created=found.created,
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
        problem=scheduler_problem(found, facts, now) or problem,
        timeline=list(timeline),
        runs=list(runs),
        commands=found.commands,
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


def scheduler_problem(found: Found, facts: FactsOf | None = None, now: Time | None = None) -> Problem | None:
    """Why there is no scheduler that answers."""
    now = time.time() if now is None else now
    if not found.schedulers:
        if found.leaving or now - found.created < OPERATOR:
            return None
        if found.kind == "DaskCluster":
            return Problem(
                what="Nothing has been made for this DaskCluster",
                why="its scheduler has no pod",
                todo="Check that the dask-kubernetes operator runs, and its log.",
            )
        return Problem(what="Its scheduler has no pod", todo=f"Look at the Deployment {found.service!r}.")
    pod = found.schedulers[0]
    around = facts(pod) if facts is not None else Facts()
    return pending(pod, around) or restarted(pod, "The scheduler was started again", around, now - RECENT)


def _phase(found: Found) -> ClusterPhase:
    if found.leaving:
        return "stopping"
    return "running" if running_scheduler(found) else "starting"


def _group_state(group: FoundGroup, workers: Sequence[WorkerState], cost: Cost) -> GroupState:
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


def _group(group: FoundGroup) -> Group:
    shape: Shape = shape_of(group.template)
    return Group(
        name=group.name,
        cpus=min(1024, shape.cpus) or 1,
        memory=round(shape.memory) or 1,
        gpus=round(shape.gpus),
        workers=min(MOST_WORKERS, group.wanted),
        maximum=_most(group),
    )


def _most(group: FoundGroup) -> int:
    return min(MOST_WORKERS, max(OFFERED, 2 * group.wanted))


def _up(counts: Counts) -> int:
    return counts.idle + counts.busy + counts.retiring


def _total(parts: Sequence[Counts]) -> Counts:
    return Counts(**{name: sum(getattr(part, name) for part in parts) for name in Counts.model_fields})

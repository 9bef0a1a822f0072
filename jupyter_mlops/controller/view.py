"""The cluster as its watchers see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..core.base import Time
from ..core.cluster import (
    ClusterSpec,
    ClusterState,
    Counts,
    GroupState,
    Sample,
    Work,
    WorkerPhase,
)
from ..core.price import reference_of
from .changes import ChangeTracker
from .disk import Disk
from .events import Events
from .ledger_file import LedgerFile
from .lifecycle import Lifecycle
from .plugin import ClusterPlugin
from .runs.registry import RunRegistry
from .runs.states import RunStates
from .till import Till
from .timeline import Timeline
from .workers.groupscale import GroupScale
from .workers.registry import WorkerRegistry
from .workers.scaling import Scaling
from .workers.spending import Spending
from .workers.waste import WasteWatch

if TYPE_CHECKING:
    from distributed import Scheduler

#: What a controller can be asked to do. Older ones can't be asked for other limits, or to let workers go.
COMMANDS = ["scale", "let_go", "adapt", "limit", "stop", "run", "try_sizes"]

_PHASES: tuple[WorkerPhase, ...] = ("requested", "pending", "starting", "idle", "busy", "retiring")


@dataclass(kw_only=True)
class StateView:
    """Puts the state of the parts together for watchers, and notices when it differs from what they got last.

    It only reads the parts. `tasks` counts Dask's tasks.
    """

    scheduler: Scheduler
    spec: ClusterSpec
    lifecycle: Lifecycle
    workers: WorkerRegistry
    scaling: Scaling
    till: Till
    waste: WasteWatch
    spending: Spending
    tasks: ClusterPlugin
    ledger: LedgerFile
    runs: RunRegistry
    run_states: RunStates
    events: Events
    timeline: Timeline
    disk: Disk
    changes: ChangeTracker
    _sent: tuple[Any, ...] = ()

    def refresh(self) -> None:
        """Note that the state changed, if it did. What only grows with time (money) goes with the next sample."""
        life = self.lifecycle
        stop = life.stop and (life.stop.cause, round(life.stop.at, -1))
        now = (
            life.phase,
            life.idle_since,
            stop,
            self._work(),
            round(self.workers.cpu, 1),
            self.workers.memory_used,
            [
                (scale.wanted, scale.adaptive, scale.minimum, scale.maximum, scale.trouble, dict(counts))
                for scale, counts in ((s, self.workers.counts[s.group.name]) for s in self.scaling.groups.values())
            ],
            life.fault,
            life.place_problem,
            self.waste.found,
            life.limits,
            life.budget and life.budget.step,
            life.account and (life.account.step, life.account.name, life.account.limit),
            self.till.problem,
            self.disk.problem,
            self.runs.live,
            self.runs.advice,
            self.timeline.card[-1:],
        )
        if now != self._sent:
            self._sent = now
            self.changes.changed("state")

    def state(self) -> dict[str, Any]:
        """A `ClusterState` as it is sent."""
        life, spec, groups = self.lifecycle, self.spec, [self._group(scale) for scale in self.scaling.groups.values()]
        cost = self.ledger.cost()
        own = [life.fault, life.place_problem, self.disk.problem, self.till.problem]
        problems = [*own, *(group.problem for group in groups)]
        state = ClusterState(
            name=spec.name,
            place=spec.profile.place,
            profile=spec.profile.name,
            owner=spec.owner,
            maker=spec.maker,
            phase=life.phase,
            created=spec.created,
            started=life.started,
            ended=life.ended,
            cause=life.cause,
            groups=groups,
            counts=_total([group.counts for group in groups]),
            work=self._work(),
            cpu=self.workers.cpu,
            cpus=sum(group.cpus * _up(group.counts) for group in groups),
            memory_used=self.workers.memory_used,
            memory=sum(group.memory * _up(group.counts) for group in groups),
            cost=cost,
            reference=reference_of(cost, spec.reference),
            limits=life.limits,
            budget=life.budget,
            account=life.account,
            idle_since=life.idle_since,
            stop=life.stop,
            problem=next((problem for problem in problems if problem), None),
            waste=self.waste.found,
            advice=self.runs.advice,
            spend=self.spending.spend,
            runs=self.runs.live,
            commands=COMMANDS,
        )
        return state.model_dump() | {"timeline": self.timeline.card_rows}

    def sample(self, now: Time) -> Sample:
        """A point of the timeline."""
        counts = _total([self._counts(scale) for scale in self.scaling.groups.values()])
        return Sample(
            time=now,
            wanted=sum(scale.wanted for scale in self.scaling.groups.values()),
            pending=counts.requested + counts.pending + counts.starting,
            running=_up(counts),
            busy=counts.busy,
            cpu=round(self.workers.cpu, 2),
            memory=self.workers.memory_used,
            amount=self.ledger.cost().amount,
        )

    def answer(self, since: int | None, workers: bool) -> dict[str, Any]:
        """A `ClusterView` as it is sent: what changed after `since`, or the whole when that can't be told."""
        changes, entries = self.changes, self.workers.entries
        if since is None or not changes.knows(since):
            rows = [entry.row() for entry in entries.values()] if workers else []
            gone: list[str] = []
            events, runs, whole = self.events.all(), self.run_states.all(), True
        else:
            names = changes.after("worker", since) if workers else []
            rows = [entries[name].row() for name in names if name in entries]
            gone = changes.gone("worker", since) if workers else []
            events, whole = self.events.after(since), False
            runs = self.run_states.after(since)
        return {
            "seq": changes.seq,
            "state": self.state(),
            "workers": rows,
            "gone": gone,
            "events": [event.model_dump() for event in events],
            "runs": [run.model_dump() for run in runs],
            "whole": whole,
        }

    def _work(self) -> Work:
        scheduler = self.scheduler
        return Work(
            queued=len(scheduler.queued) + len(scheduler.unrunnable),
            processing=self.workers.processing,
            done=self.tasks.done,
            erred=self.tasks.erred,
        )

    def _group(self, scale: GroupScale) -> GroupState:
        group = scale.group
        return GroupState(
            name=group.name,
            cpus=group.cpus,
            memory=group.memory,
            gpus=group.gpus,
            spot=group.spot,
            minimum=scale.minimum,
            maximum=scale.maximum,
            adaptive=scale.adaptive,
            wanted=scale.wanted,
            counts=self._counts(scale),
            cost=self.ledger.cost(group.name),
            problem=scale.trouble or self.scaling.pending_problem(scale),
            spot_break=self.scaling.spot_break(scale),
        )

    def _counts(self, scale: GroupScale) -> Counts:
        counts = self.workers.counts[scale.group.name]
        phases = {phase: counts[phase] for phase in _PHASES}
        return Counts(**phases, lost=len(scale.deaths))


def _up(counts: Counts) -> int:
    return counts.idle + counts.busy + counts.retiring


def _total(parts: list[Counts]) -> Counts:
    return Counts(**{name: sum(getattr(part, name) for part in parts) for name in Counts.model_fields})

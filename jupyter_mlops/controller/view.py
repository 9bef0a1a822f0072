"""The cluster as it is told to watchers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core.base import Time
from ..core.cluster import (
    ClusterPhase,
    ClusterSpec,
    ClusterState,
    Counts,
    EndCause,
    GroupState,
    Problem,
    Sample,
    Stop,
    Work,
    WorkerPhase,
)
from .changes import ChangeTracker
from .disk import Disk
from .events import Events
from .ledger_file import LedgerFile
from .plugin import Watcher
from .runs.states import Runs
from .timeline import Timeline
from .workers.groupscale import GroupScale
from .workers.roster import Roster
from .workers.scaling import Scaling

if TYPE_CHECKING:
    from distributed import Scheduler

_PHASES: tuple[WorkerPhase, ...] = ("requested", "pending", "starting", "idle", "busy", "retiring")


class View:
    """Gathers the state of the parts, and says when it differs from what was told last."""

    def __init__(
        self,
        scheduler: Scheduler,
        spec: ClusterSpec,
        changes: ChangeTracker,
        roster: Roster,
        scaling: Scaling,
        watcher: Watcher,
        events: Events,
        timeline: Timeline,
        runs: Runs,
        disk: Disk,
        book: LedgerFile,
    ) -> None:
        self._scheduler, self._spec, self._changes = scheduler, spec, changes
        self._roster, self._scaling, self._watcher = roster, scaling, watcher
        self._events, self._timeline, self._runs, self._disk, self._book = events, timeline, runs, disk, book
        self.phase: ClusterPhase = "starting"
        self.started: Time | None = None
        self.ended: Time | None = None
        self.cause: EndCause | None = None
        self.idle_since: Time | None = None
        self.stop: Stop | None = None
        #: A fault of the controller itself, and what keeps the place from answering.
        self.fault: Problem | None = None
        self.trouble: Problem | None = None
        self._told: tuple[Any, ...] = ()

    def refresh(self) -> None:
        """Say that the state changed, if it did. What only grows with time (money) is told with the next sample."""
        stop = self.stop and (self.stop.cause, round(self.stop.at, -1))
        now = (
            self.phase,
            self.idle_since,
            stop,
            self._work(),
            round(self._roster.cpu, 1),
            self._roster.memory_used,
            [
                (scale.wanted, scale.adaptive, scale.minimum, scale.maximum, scale.problem, dict(counts))
                for scale, counts in ((s, self._roster.counts[s.group.name]) for s in self._scaling.groups.values())
            ],
            self.fault,
            self.trouble,
            self._disk.problem,
            self._runs.live,
            self._timeline.card[-1:],
        )
        if now != self._told:
            self._told = now
            self._changes.changed("state")

    def state(self) -> dict[str, Any]:
        """A `ClusterState` as it is sent."""
        spec, groups = self._spec, [self._group(scale) for scale in self._scaling.groups.values()]
        problems = [self.fault, self.trouble, self._disk.problem, *(group.problem for group in groups)]
        state = ClusterState(
            name=spec.name,
            place=spec.profile.place,
            profile=spec.profile.name,
            owner=spec.owner,
            maker=spec.maker,
            phase=self.phase,
            created=spec.created,
            started=self.started,
            ended=self.ended,
            cause=self.cause,
            groups=groups,
            counts=_total([group.counts for group in groups]),
            work=self._work(),
            cpu=self._roster.cpu,
            cpus=sum(group.cpus * _up(group.counts) for group in groups),
            memory_used=self._roster.memory_used,
            memory=sum(group.memory * _up(group.counts) for group in groups),
            cost=self._book.cost(),
            limits=spec.profile.limits,
            idle_since=self.idle_since,
            stop=self.stop,
            problem=next((problem for problem in problems if problem), None),
            runs=self._runs.live,
        )
        return state.model_dump() | {"timeline": self._timeline.card_rows}

    def sample(self, now: Time) -> Sample:
        """A point of the timeline."""
        counts = _total([self._counts(scale) for scale in self._scaling.groups.values()])
        return Sample(
            time=now,
            wanted=sum(scale.wanted for scale in self._scaling.groups.values()),
            pending=counts.requested + counts.pending + counts.starting,
            running=_up(counts),
            busy=counts.busy,
            cpu=round(self._roster.cpu, 2),
            memory=self._roster.memory_used,
            amount=self._book.cost().amount,
        )

    def shape(self) -> dict[str, int]:
        """Connected workers by group."""
        return {name: sum(counts[p] for p in ("idle", "busy")) for name, counts in self._roster.counts.items()}

    def answer(self, since: int | None, workers: bool) -> dict[str, Any]:
        """A `ClusterView` as it is sent: what changed after `since`, or the whole when that can't be told."""
        changes, members = self._changes, self._roster.members
        if since is None or not changes.knows(since):
            rows = [member.row() for member in members.values()] if workers else []
            gone: list[str] = []
            events, runs, whole = self._events.all(), list(self._runs.states.values()), True
        else:
            names = changes.after("worker", since) if workers else []
            rows = [members[name].row() for name in names if name in members]
            gone = changes.gone("worker", since) if workers else []
            events, whole = self._events.after(since), False
            runs = [self._runs.states[run] for run in changes.after("run", since) if run in self._runs.states]
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
        scheduler = self._scheduler
        return Work(
            queued=len(scheduler.queued) + len(scheduler.unrunnable),
            processing=self._roster.processing,
            done=self._watcher.done,
            erred=self._watcher.erred,
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
            cost=self._book.cost(group.name),
            problem=scale.problem or self._scaling.pending_problem(scale),
        )

    def _counts(self, scale: GroupScale) -> Counts:
        counts = self._roster.counts[scale.group.name]
        phases = {phase: counts[phase] for phase in _PHASES}
        return Counts(**phases, lost=len(scale.deaths))


def _up(counts: Counts) -> int:
    return counts.idle + counts.busy + counts.retiring


def _total(parts: list[Counts]) -> Counts:
    return Counts(**{name: sum(getattr(part, name) for part in parts) for name in Counts.model_fields})

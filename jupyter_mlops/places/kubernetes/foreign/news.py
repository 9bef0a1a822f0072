"""What watchers of a cluster of others are told: its state and workers, what changed in them, and that in words."""

from __future__ import annotations

import time
from collections.abc import Iterable

from ....controller.changes import ChangeTracker
from ....controller.disk import Disk
from ....controller.events import Events
from ....controller.link import ClusterView
from ....controller.timeline import Timeline
from ....core.base import Seconds, Time
from ....core.cluster import ClusterState, Event, Problem, Sample, WorkerState
from ....core.run import RunState
from .found import Found
from .guests import GuestNews
from .state import sample_of

#: Deaths that get an event of their own, at one look.
SINGLE = 5


class News:
    """Compares each look with the one before. On one event loop only."""

    def __init__(self, found: Found) -> None:
        nowhere = Disk(None)
        self._changes = ChangeTracker()
        self._events = Events(nowhere, self._changes, time.time)
        self._timeline = Timeline(nowhere, time.time())
        self._workers: dict[str, WorkerState] = {}
        self._runs: dict[str, RunState] = {}
        self._told: tuple[object, ...] = ()
        self._state: ClusterState | None = None
        self._events.add("cluster", f"Seen from here for the first time; it was made with {found.maker}")

    @property
    def timeline(self) -> list[Sample]:
        """What a card's chart shows."""
        return self._timeline.card

    @property
    def events(self) -> list[Event]:
        """What was seen, oldest first."""
        return self._events.all()

    @property
    def runs(self) -> list[RunState]:
        """The runs that its scheduler knows."""
        return list(self._runs.values())

    def since(self, moment: Time) -> list[Sample]:
        """The timeline after `moment`, as far as somebody looked."""
        return self._timeline.since(moment)

    def take(self, state: ClusterState, workers: Iterable[WorkerState], guest: GuestNews, now: Time) -> None:
        """A look at the cluster."""
        before, self._state = self._state, state
        self._take_workers({worker.name: worker for worker in workers}, first=before is None)
        if before is not None:
            self._tell_scale(before, state)
            self._tell_problem(before.problem, state.problem)
        for run in guest.runs:
            self._runs[run.id] = run
            self._changes.changed("run", run.id)
        for text, about, problem in guest.events:
            self._events.add("run", text, run=about, problem=problem)
        if self._timeline.due(now):
            self._timeline.add(sample_of(state, now))
        groups = [group.model_copy(update={"cost": None}) for group in state.groups]
        same = {"cost": None, "timeline": [], "cpu": round(state.cpu, 1), "groups": groups}
        told = (state.model_copy(update=same), self._timeline.card[-1:])
        if told != self._told:  # what only grows with time (money) is told with the next sample
            self._told = told
            self._changes.changed("state")

    def view(self, since: int | None, workers: bool) -> ClusterView:
        """What changed after `since`; everything when that can't be told."""
        assert self._state is not None
        changes = self._changes
        state = self._state.model_copy(update={"timeline": list(self._timeline.card)})
        if since is None or not changes.knows(since):
            rows = list(self._workers.values()) if workers else []
            return ClusterView(changes.seq, state, rows, [], self._events.all(), self.runs, whole=True)
        names = changes.after("worker", since) if workers else []
        return ClusterView(
            changes.seq,
            state,
            [self._workers[name] for name in names if name in self._workers],
            changes.gone("worker", since) if workers else [],
            self._events.after(since),
            [self._runs[run] for run in changes.after("run", since) if run in self._runs],
        )

    async def wait(self, since: int, timeout: Seconds, workers: bool) -> None:
        """Return when there is something to tell after `since`, or after `timeout` seconds."""
        nouns = {"state", "event", "run"} | ({"worker"} if workers else set())
        await self._changes.wait(since, nouns, timeout)  # type: ignore[arg-type]  # a set of literals

    def wake(self) -> None:
        """Let all who wait go."""
        self._changes.wake()

    def _take_workers(self, now: dict[str, WorkerState], first: bool) -> None:
        before, self._workers = self._workers, now
        for name in [name for name in before if name not in now]:
            self._changes.dropped("worker", name)
        for name, worker in now.items():
            if before.get(name) != worker:
                self._changes.changed("worker", name)
        if first:
            return
        joined = [name for name, worker in now.items() if _up(worker) and not _up(before.get(name))]
        left = [name for name, worker in before.items() if name not in now and worker.phase != "lost"]
        self._tell(joined, "joined")
        self._tell(left, "left")
        for name, worker in now.items():
            known = before.get(name)
            if worker.phase == "lost" and (known is None or known.phase != "lost"):
                self._events.add("worker", f"Worker {name} died", worker=name, problem=worker.problem)

    def _tell(self, names: list[str], verb: str) -> None:
        for name in names if len(names) <= SINGLE else []:
            self._events.add("worker", f"Worker {name} {verb}", worker=name)
        if len(names) > SINGLE:
            self._events.add("worker", f"{len(names)} workers {verb}")

    def _tell_scale(self, before: ClusterState, now: ClusterState) -> None:
        wanted = {group.name: group.wanted for group in before.groups}
        for group in now.groups:
            if group.wanted != wanted.get(group.name, group.wanted):
                text = f"Group {group.name} shall have {group.wanted} workers, no longer {wanted[group.name]}"
                self._events.add("scale", text)

    def _tell_problem(self, before: Problem | None, now: Problem | None) -> None:
        if now is not None and (before is None or before.what != now.what):
            self._events.add("problem", now.what, problem=now)


def _up(worker: WorkerState | None) -> bool:
    return worker is not None and worker.phase in ("idle", "busy", "retiring")

"""Workers as they are: what the place says of them, merged with what Dask knows.

A worker holds its resources from when the place says `starting` until the place says that it is gone, whatever Dask
thinks of its connection; that is what costs money. A worker that nobody asked us for (a peer's, or one started by
hand) is known by Dask only, and holds resources while it is connected.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from ...core.base import Seconds, Time
from ...core.cluster import Problem, WorkerPhase
from ...core.profile import Group
from ...core.resources import group_in
from .. import dask
from ..changes import ChangeTracker
from ..pool import Notice
from .entry import WorkerEntry, WorkerListener

if TYPE_CHECKING:
    from distributed.scheduler import WorkerState as DaskWorker

#: Workers that ended or died and are still listed.
REMEMBERED = 200

#: Seconds for the place to say why a worker's connection is gone, before it is told to end it.
SILENCE: Seconds = 10.0


class WorkerRegistry:
    """All workers by name. Its methods cost what changed, except `refresh`, which looks at each worker once.

    Parameters
    ----------
    groups : the cluster's groups.
    changes : told of each worker that changed.
    """

    def __init__(self, groups: Sequence[Group], changes: ChangeTracker, clock: Callable[[], Time] = time.time) -> None:
        self.entries: dict[str, WorkerEntry] = {}
        self.groups = {group.name: group for group in groups}
        self.counts: dict[str, Counter[WorkerPhase]] = {name: Counter() for name in self.groups}
        #: Sums over connected workers, as of the last `refresh`.
        self.cpu = self.memory_used = 0.0
        self.processing = 0
        #: How many workers ever joined.
        self.arrivals = 0
        self._by_address: dict[str, WorkerEntry] = {}
        self._over: deque[str] = deque()
        self._changes = changes
        self._listeners: list[WorkerListener] = []
        self._clock = clock

    def subscribe(self, listener: WorkerListener) -> None:
        """Tell `listener`, too, of what matters to money, scaling and events."""
        self._listeners.append(listener)

    def request(self, group: str, names: Iterable[str], on_demand: bool | None = None) -> None:
        """The controller asks the pool for these workers, of a spot group perhaps `on_demand`."""
        now = self._clock()
        for name in names:
            self._add(WorkerEntry(name, group, "requested", since=now, on_demand=on_demand))

    def at(self, address: str) -> WorkerEntry | None:
        """The worker with that Dask address."""
        return self._by_address.get(address)

    def of(self, group: str) -> list[WorkerEntry]:
        """The workers of a group that are not gone."""
        return [entry for entry in self.entries.values() if entry.group == group and not entry.over]

    def apply(self, notice: Notice) -> None:
        """Take in what the place says."""
        entry = self.entries.get(notice.worker)
        if entry is None:
            if notice.phase in ("ended", "lost"):
                return  # nothing that was ever listed, or no longer
            group = self._group_named(notice.worker, notice.details.get("group", ""))
            entry = self._add(WorkerEntry(notice.worker, group, "requested", since=self._clock()))
        entry.host, entry.pid = notice.host or entry.host, notice.pid or entry.pid
        entry.shape = notice.shape or entry.shape
        if notice.on_demand is not None and self.groups[entry.group].spot:
            entry.on_demand = notice.on_demand
        if entry.foreign and entry.held:  # Dask was first: now it is known what it holds, and where
            entry.foreign = False
            for listener in self._listeners:
                listener.began(entry, notice.began)
        entry.foreign = False
        if notice.phase in ("ended", "lost"):
            if notice.began is not None and not entry.was_held:  # over before it was heard of
                self._hold(entry, notice.began)
            self._gone(entry, notice)
        elif not entry.over and entry.dask is None:
            entry.problem = notice.problem
            if notice.phase == "starting":
                self._hold(entry, notice.began)
            self._move(entry, "retiring" if entry.expected else notice.phase)

    def joined(self, ws: DaskWorker) -> WorkerEntry:
        """A worker connected to the scheduler."""
        name = str(ws.name)
        entry = self.entries.get(name)
        if entry is None or entry.over:
            group = self._group_of(ws, name)
            entry = self._add(WorkerEntry(name, group, "starting", since=self._clock(), foreign=True))
        entry.address, entry.dask, entry.metrics = ws.address, ws, None
        entry.left = entry.silent_since = None
        entry.host, entry.pid = entry.host or str(ws.host), ws.pid or entry.pid
        entry.threads, entry.memory = ws.nthreads, float(ws.memory_limit)
        entry.problem = None
        self._by_address[ws.address] = entry
        self.arrivals += 1
        self._hold(entry)
        self._move(entry, "retiring" if entry.expected else "idle")
        for listener in self._listeners:
            listener.joined(entry)
        return entry

    def left(self, address: str, expected: bool) -> None:
        """A worker's connection to the scheduler is gone."""
        entry = self._by_address.pop(address, None)
        if entry is None:
            return
        entry.dask, entry.metrics, entry.left = None, None, self._clock()
        entry.cpu = entry.memory_used = 0.0
        entry.processing = 0
        entry.expected |= expected
        if entry.foreign:
            self._gone(entry, Notice(entry.name, "ended" if entry.expected else "lost"))
        elif entry.expected:
            self._move(entry, "retiring")
        elif not entry.over:
            entry.silent_since = entry.left
            entry.problem = Problem(what=f"Worker {entry.name} lost its connection to the scheduler")
            self._move(entry, "lost")
            for listener in self._listeners:
                listener.died(entry)

    def expect(self, entries: Iterable[WorkerEntry], going: bool = True) -> None:
        """These workers are wanted to go, or, if it can't be done, to stay after all."""
        for entry in entries:
            entry.expected = going
            entry.replaced = entry.replaced and going
            if not entry.over:
                self._move(entry, "retiring" if going else "idle" if entry.dask else "starting")

    def connected(self) -> dict[str, int]:
        """Connected workers by group."""
        return {name: counts["idle"] + counts["busy"] for name, counts in self.counts.items()}

    def silent(self, unheard: Time = 0.0) -> list[WorkerEntry]:
        """Workers whose connection is gone, and of which the place has not said anything for long. It was `unheard`,
        whatever it had to say, until then."""
        before = self._clock() - SILENCE
        if before < unheard:
            return []
        return [m for m in self.entries.values() if m.silent_since is not None and m.silent_since < before]

    def waiting(self, longer_than: Seconds) -> list[WorkerEntry]:
        """Workers that have started, but have not connected for this long."""
        now = self._clock()
        return [m for m in self.entries.values() if m.phase == "starting" and now - m.since > longer_than]

    def give_up(self, entry: WorkerEntry, problem: Problem) -> None:
        """Count a worker as dead although the place does not say so. It holds its resources until it does."""
        entry.silent_since, entry.problem = None, problem
        if not entry.over:
            self._move(entry, "lost")
            for listener in self._listeners:
                listener.died(entry)
        self._changes.changed("worker", entry.name)
        for listener in self._listeners:
            listener.explained(entry)

    def refresh(self) -> None:
        """Look at Dask's workers; say which changed."""
        cpu = memory_used = 0.0
        processing = 0
        changed = self._changes.changed
        for entry in self._by_address.values():
            ws = entry.dask
            assert ws is not None
            count, moved = len(ws.processing), False
            if count != entry.processing:
                entry.processing, moved = count, True
            if ws.metrics is not entry.metrics:
                entry.metrics = ws.metrics
                used = float(round(dask.memory_of(ws) / 1e6) * 1e6)
                share = round(dask.cpu_of(ws), 1)
                moved |= used != entry.memory_used or share != entry.cpu
                entry.memory_used, entry.cpu = used, share
            phase: WorkerPhase = "retiring" if entry.expected else "busy" if count else "idle"
            if phase != entry.phase:
                self._move(entry, phase)
            elif moved:
                changed("worker", entry.name)
            processing += count
            cpu += entry.cpu
            memory_used += entry.memory_used
        self.cpu, self.memory_used, self.processing = cpu, memory_used, processing

    def _add(self, entry: WorkerEntry) -> WorkerEntry:
        old = self.entries.pop(entry.name, None)
        if old is not None:
            self.counts[old.group][old.phase] -= 1
        group = self.groups[entry.group]
        entry.threads, entry.memory = group.threads, float(group.memory)
        self.entries[entry.name] = entry
        self.counts[entry.group][entry.phase] += 1
        self._changes.changed("worker", entry.name)
        return entry

    def _move(self, entry: WorkerEntry, phase: WorkerPhase) -> None:
        if phase != entry.phase:
            counts = self.counts[entry.group]
            counts[entry.phase] -= 1
            counts[phase] += 1
            steady = {"idle", "busy"}
            if not {phase, entry.phase} <= steady:
                entry.since = self._clock()
            entry.phase = phase
            if phase in ("ended", "lost"):
                self._forget_old(entry)
        self._changes.changed("worker", entry.name)

    def _hold(self, entry: WorkerEntry, at: Time | None = None) -> None:
        if not entry.held:
            entry.held = entry.was_held = True
            for listener in self._listeners:
                listener.began(entry, at)

    def _gone(self, entry: WorkerEntry, notice: Notice) -> None:
        was_over, silent = entry.over, entry.silent_since is not None
        if entry.unheard and entry.may_be_taken and notice.phase == "lost":  # only now it is known why
            entry.unheard, silent = False, True
        entry.taken = notice.taken and entry.may_be_taken
        entry.silent_since = None
        expected = entry.expected or notice.phase == "ended"
        if entry.held:
            entry.held = False
            for listener in self._listeners:
                listener.ceased(entry, notice.ended or (entry.left if notice.unseen else None))
        if not expected and notice.problem is not None:
            entry.problem = notice.problem
        elif expected and not was_over:
            entry.problem = None
        if was_over:
            self._changes.changed("worker", entry.name)
            if silent:
                for listener in self._listeners:
                    listener.explained(entry)
            return
        self._move(entry, "ended" if expected else "lost")
        if expected:
            for listener in self._listeners:
                listener.ended(entry)
        else:
            for listener in self._listeners:
                listener.died(entry)
            for listener in self._listeners:
                listener.explained(entry)

    def _forget_old(self, entry: WorkerEntry) -> None:
        self._over.append(entry.name)
        while len(self._over) > REMEMBERED:
            name = self._over.popleft()
            old = self.entries.get(name)
            if old is not None and old.over and not old.held and name not in self._over:
                self.counts[old.group][old.phase] -= 1
                del self.entries[name]
                self._changes.dropped("worker", name)

    def _group_of(self, ws: DaskWorker, name: str) -> str:
        return self._group_named(name, group_in(ws.resources) or "")

    def _group_named(self, name: str, hint: str = "") -> str:
        if hint in self.groups:
            return hint
        prefix = name.rpartition("-")[0]
        return prefix if prefix in self.groups else next(iter(self.groups))

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
from ..changes import ChangeTracker
from ..pool import Notice
from .member import Listener, Member

if TYPE_CHECKING:
    from distributed.scheduler import WorkerState as DaskWorker

#: Workers that ended or died and are still listed.
REMEMBERED = 200

#: What a worker declares as a Dask resource to belong to a group; a run's tasks ask for 1 of it.
RESOURCE = "group:{}"

#: Seconds for the place to say why a worker's connection is gone, before it is told to end it.
SILENCE: Seconds = 10.0


class Roster:
    """All workers by name. Its methods cost what changed, except `refresh`, which looks at each worker once.

    Parameters
    ----------
    groups : the cluster's groups.
    changes : told of each worker that changed.
    listener : told of what matters to money, scaling and events.
    """

    def __init__(
        self, groups: Sequence[Group], changes: ChangeTracker, listener: Listener, clock: Callable[[], Time] = time.time
    ) -> None:
        self.members: dict[str, Member] = {}
        self.groups = {group.name: group for group in groups}
        self.counts: dict[str, Counter[WorkerPhase]] = {name: Counter() for name in self.groups}
        #: Sums over connected workers, as of the last `refresh`.
        self.cpu = self.memory_used = 0.0
        self.processing = 0
        self._by_address: dict[str, Member] = {}
        self._over: deque[str] = deque()
        self._changes = changes
        self._listener = listener
        self._clock = clock

    def asked(self, group: str, names: Iterable[str]) -> None:
        """The controller asks the pool for these workers."""
        now = self._clock()
        for name in names:
            self._add(Member(name, group, "requested", since=now))

    def at(self, address: str) -> Member | None:
        """The worker with that Dask address."""
        return self._by_address.get(address)

    def of(self, group: str) -> list[Member]:
        """The workers of a group that are not gone."""
        return [member for member in self.members.values() if member.group == group and not member.over]

    def take(self, notice: Notice) -> None:
        """Take in what the place says."""
        member = self.members.get(notice.worker)
        if member is None:
            if notice.phase in ("ended", "lost"):
                return  # nothing that was ever listed, or no longer
            group = self._group_named(notice.worker, notice.details.get("group", ""))
            member = self._add(Member(notice.worker, group, "requested", since=self._clock()))
        member.host, member.pid = notice.host or member.host, notice.pid or member.pid
        member.shape = notice.shape or member.shape
        if member.foreign and member.held:  # Dask was first: now it is known what it holds, and where
            member.foreign = False
            self._listener.began(member, notice.began)
        member.foreign = False
        if notice.phase in ("ended", "lost"):
            if notice.began is not None and not member.was_held:  # over before it was heard of
                self._hold(member, notice.began)
            self._gone(member, notice)
        elif not member.over and member.dask is None:
            member.problem = notice.problem
            if notice.phase == "starting":
                self._hold(member, notice.began)
            self._move(member, "retiring" if member.expected else notice.phase)

    def joined(self, ws: DaskWorker) -> Member:
        """A worker connected to the scheduler."""
        name = str(ws.name)
        member = self.members.get(name)
        if member is None or member.over:
            group = self._group_of(ws, name)
            member = self._add(Member(name, group, "starting", since=self._clock(), foreign=True))
        member.address, member.dask, member.metrics = ws.address, ws, None
        member.left = member.silent_since = None
        member.host, member.pid = member.host or str(ws.host), ws.pid or member.pid
        member.threads, member.memory = ws.nthreads, float(ws.memory_limit)
        member.problem = None
        self._by_address[ws.address] = member
        self._hold(member)
        self._move(member, "retiring" if member.expected else "idle")
        self._listener.joined(member)
        return member

    def left(self, address: str, expected: bool) -> None:
        """A worker's connection to the scheduler is gone."""
        member = self._by_address.pop(address, None)
        if member is None:
            return
        member.dask, member.metrics, member.left = None, None, self._clock()
        member.cpu = member.memory_used = 0.0
        member.processing = 0
        member.expected |= expected
        if member.foreign:
            self._gone(member, Notice(member.name, "ended" if member.expected else "lost"))
        elif member.expected:
            self._move(member, "retiring")
        elif not member.over:
            member.silent_since = member.left
            member.problem = Problem(what=f"Worker {member.name} lost its connection to the scheduler")
            self._move(member, "lost")
            self._listener.died(member)

    def expect(self, members: Iterable[Member], going: bool = True) -> None:
        """These workers are wanted to go, or, if it can't be done, to stay after all."""
        for member in members:
            member.expected = going
            if not member.over:
                self._move(member, "retiring" if going else "idle" if member.dask else "starting")

    def silent(self, unheard: Time = 0.0) -> list[Member]:
        """Workers whose connection is gone, and of which the place has not said anything for long. It was `unheard`,
        whatever it had to say, until then."""
        before = self._clock() - SILENCE
        if before < unheard:
            return []
        return [m for m in self.members.values() if m.silent_since is not None and m.silent_since < before]

    def waiting(self, longer_than: Seconds) -> list[Member]:
        """Workers that have started, but have not connected for this long."""
        now = self._clock()
        return [m for m in self.members.values() if m.phase == "starting" and now - m.since > longer_than]

    def give_up(self, member: Member, problem: Problem) -> None:
        """Count a worker as dead although the place does not say so. It holds its resources until it does."""
        member.silent_since, member.problem = None, problem
        if not member.over:
            self._move(member, "lost")
            self._listener.died(member)
        self._changes.changed("worker", member.name)
        self._listener.explained(member)

    def refresh(self) -> None:
        """Look at Dask's workers; say which changed."""
        cpu = memory_used = 0.0
        processing = 0
        changed = self._changes.changed
        for member in self._by_address.values():
            ws = member.dask
            assert ws is not None
            count, moved = len(ws.processing), False
            if count != member.processing:
                member.processing, moved = count, True
            if ws.metrics is not member.metrics:
                member.metrics = ws.metrics
                used = float(round(ws.metrics.get("memory", 0) / 1e6) * 1e6)
                share = round(ws.metrics.get("cpu", 0) / 100, 1)
                moved |= used != member.memory_used or share != member.cpu
                member.memory_used, member.cpu = used, share
            phase: WorkerPhase = "retiring" if member.expected else "busy" if count else "idle"
            if phase != member.phase:
                self._move(member, phase)
            elif moved:
                changed("worker", member.name)
            processing += count
            cpu += member.cpu
            memory_used += member.memory_used
        self.cpu, self.memory_used, self.processing = cpu, memory_used, processing

    def _add(self, member: Member) -> Member:
        old = self.members.pop(member.name, None)
        if old is not None:
            self.counts[old.group][old.phase] -= 1
        group = self.groups[member.group]
        member.threads, member.memory = group.threads, float(group.memory)
        self.members[member.name] = member
        self.counts[member.group][member.phase] += 1
        self._changes.changed("worker", member.name)
        return member

    def _move(self, member: Member, phase: WorkerPhase) -> None:
        if phase != member.phase:
            counts = self.counts[member.group]
            counts[member.phase] -= 1
            counts[phase] += 1
            steady = {"idle", "busy"}
            if not {phase, member.phase} <= steady:
                member.since = self._clock()
            member.phase = phase
            if phase in ("ended", "lost"):
                self._forget_old(member)
        self._changes.changed("worker", member.name)

    def _hold(self, member: Member, at: Time | None = None) -> None:
        if not member.held:
            member.held = member.was_held = True
            self._listener.began(member, at)

    def _gone(self, member: Member, notice: Notice) -> None:
        was_over, silent = member.over, member.silent_since is not None
        member.silent_since = None
        expected = member.expected or notice.phase == "ended"
        if member.held:
            member.held = False
            self._listener.ceased(member, notice.ended or (member.left if notice.unseen else None))
        if not expected and notice.problem is not None:
            member.problem = notice.problem
        elif expected and not was_over:
            member.problem = None
        if was_over:
            self._changes.changed("worker", member.name)
            if silent:
                self._listener.explained(member)
            return
        self._move(member, "ended" if expected else "lost")
        if expected:
            self._listener.ended(member)
        else:
            self._listener.died(member)
            self._listener.explained(member)

    def _forget_old(self, member: Member) -> None:
        self._over.append(member.name)
        while len(self._over) > REMEMBERED:
            name = self._over.popleft()
            old = self.members.get(name)
            if old is not None and old.over and not old.held and name not in self._over:
                self.counts[old.group][old.phase] -= 1
                del self.members[name]
                self._changes.dropped("worker", name)

    def _group_of(self, ws: DaskWorker, name: str) -> str:
        for group in self.groups:
            if RESOURCE.format(group) in ws.resources:
                return group
        return self._group_named(name)

    def _group_named(self, name: str, hint: str = "") -> str:
        if hint in self.groups:
            return hint
        prefix = name.rpartition("-")[0]
        return prefix if prefix in self.groups else next(iter(self.groups))

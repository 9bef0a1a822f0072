"""What happened to a cluster, in words, kept in `events.jsonl`."""

from __future__ import annotations

from collections.abc import Callable

from ..core.base import Time
from ..core.changes import ChangeLog
from ..core.cluster import Event, EventKind, Problem
from ..core.lines import read_lines
from ..home.clusters import EVENTS
from .changes import ChangeTracker
from .disk import Disk

#: Events that are kept in memory and told to who asks for everything; the file has all.
RECENT = 1000


class Events:
    """Numbers events from 1, across restarts of the scheduler."""

    def __init__(self, disk: Disk, changes: ChangeTracker, clock: Callable[[], Time]) -> None:
        self._disk = disk
        self._changes = changes
        self._clock = clock
        earlier = read_lines(Event, disk.read(EVENTS))
        #: When the first event was, which is when the cluster first started; None for a new cluster.
        self.began: Time | None = earlier[0].time if earlier else None
        self._last = earlier[-1].seq if earlier else 0
        self._recent = ChangeLog(RECENT, earlier)

    def add(
        self,
        kind: EventKind,
        text: str,
        *,
        worker: str | None = None,
        run: str | None = None,
        problem: Problem | None = None,
    ) -> Event:
        """Record that something happened now."""
        self._last += 1
        event = Event(seq=self._last, time=self._clock(), kind=kind, text=text, worker=worker, run=run, problem=problem)
        self._recent.add(event, self._changes.changed("event"))
        self._disk.append(EVENTS, event.model_dump_json(exclude_none=True))
        return event

    def after(self, seq: int) -> list[Event]:
        """The events that were recorded after the change `seq`, oldest first."""
        return self._recent.after(seq)

    def all(self) -> list[Event]:
        """The recent events, oldest first."""
        return list(self._recent)

"""The hub: what browsers should know, numbered.

The managers put states in; each browser has a `Subscriber`, which says what to send it next. A state is turned into
text once, however many browsers there are.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ..encode import array, encode
from .feed import ClusterFeed, RunFeed
from .table import Table

if TYPE_CHECKING:
    from pydantic import BaseModel

    from ...core.cluster import Event, WorkerState
    from ...core.run import Entry
    from .subscriber import Subscriber

#: The nouns of a snapshot, and their names in it.
NOUNS = {"cluster": "clusters", "run": "runs", "operation": "operations"}


class Hub:
    """The newest state of everything, with the number of its last change. `epoch` names this run of the server."""

    def __init__(self) -> None:
        self.epoch = uuid.uuid4().hex
        self.seq = 0
        self.table: Table[tuple[str, str]] = Table()
        self.clusters: dict[str, ClusterFeed] = {}
        self.runs: dict[str, RunFeed] = {}
        self.subscribers: set[Subscriber] = set()
        #: Called when a browser comes or goes, or follows something else.
        self.on_follow: list[Callable[[], None]] = []

    def put(self, noun: str, key: str, value: BaseModel | list[BaseModel] | None) -> None:
        """`key` is now `value`, or gone."""
        seq = self.seq + 1
        if value is None:
            changed = self.table.drop((noun, key), seq)
        else:
            changed = self.table.put((noun, key), encode(value), seq)
        if changed:
            self._changed()

    def put_workers(self, name: str, workers: Iterable[WorkerState], gone: Iterable[str], whole: bool) -> None:
        """Workers of the followed cluster `name` that changed, or all."""
        feed = self.clusters.get(name)
        if feed is None:
            return
        seq = self.seq + 1
        there = set()
        changed = False
        for worker in workers:
            there.add(worker.name)
            changed |= feed.workers.put(worker.name, encode(worker), seq)
        if whole:
            gone = [worker for worker, _ in feed.workers.items() if worker not in there]
        for worker_name in gone:
            changed |= feed.workers.drop(worker_name, seq)
        if changed:
            self._changed()

    def put_events(self, name: str, events: Iterable[Event]) -> None:
        """New events of the followed cluster `name`; those that are known are ignored."""
        feed = self.clusters.get(name)
        new = [event for event in events if event.seq > feed.last_event] if feed else []
        if feed is None or not new:
            return
        for event in new:
            feed.events.add(encode(event), self.seq + 1)
        feed.last_event = new[-1].seq
        self._changed()

    def put_entries(self, run: str, entries: Iterable[Entry]) -> None:
        """New lines of the journal of the followed run; those that are known are ignored."""
        feed = self.runs.get(run)
        new = [entry for entry in entries if entry.seq > feed.last_entry] if feed else []
        if feed is None or not new:
            return
        for entry in new:
            feed.entries.add(encode(entry), self.seq + 1)
        feed.last_entry = new[-1].seq
        self._changed()

    def set_ready(self, feed: ClusterFeed | RunFeed | None) -> None:
        """What is in `feed` is all there is: from now on browsers are told."""
        if feed is not None and not feed.ready:
            feed.ready = True
            self._changed()

    def snapshot(self) -> str:
        """Everything that is told to every browser, as a message."""
        values: dict[str, list[str]] = {noun: [] for noun in NOUNS}
        profiles = "[]"
        for (noun, _), text in self.table.items():
            if noun == "profiles":
                profiles = text
            else:
                values[noun].append(text)
        parts = [f'"{plural}":{array(values[noun])}' for noun, plural in NOUNS.items()]
        return f'{{"type":"snapshot",{self._stamp()},{",".join(parts)},"profiles":{profiles}}}'

    def changes(self, changes: Iterable[str]) -> str:
        """`changes`, JSON texts, as a message."""
        return f'{{"type":"changes",{self._stamp()},"changes":{array(changes)}}}'

    def refollow(self) -> None:
        """Make a feed for what somebody follows, and drop the others."""
        clusters = {name for subscriber in self.subscribers for name in subscriber.follow_clusters}
        runs = {run for subscriber in self.subscribers for run in subscriber.follow_runs}
        self.clusters = {name: self.clusters.get(name) or ClusterFeed() for name in clusters}
        self.runs = {run: self.runs.get(run) or RunFeed() for run in runs}
        for follow in self.on_follow:
            follow()

    def _stamp(self) -> str:
        return f'"epoch":"{self.epoch}","seq":{self.seq},"now":{time.time():.3f}'

    def _changed(self) -> None:
        self.seq += 1
        for subscriber in self.subscribers:
            subscriber.wake.set()

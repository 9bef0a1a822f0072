"""The hub: what browsers should know, numbered; and its subscribers, one for each browser.

The managers put states in; a browser's `Subscriber` says what to send it next. A state is turned into text once,
however many browsers there are.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ...core.changes import ChangeTable, KeyT
from ...core.schedule import ScheduleList
from ..encode import array, encode
from .feed import ClusterFeed, RunFeed

if TYPE_CHECKING:
    from pydantic import BaseModel

    from ...core.cluster import Event, WorkerState
    from ...core.run import Entry
    from ...core.stream import Hello

#: The nouns of a snapshot, and their names in it.
NOUNS = {"place": "places", "cluster": "clusters", "run": "runs", "operation": "operations"}

#: What is put, and told, as one, and how it is told where there is nothing.
LISTS = dict.fromkeys(("profiles", "silent", "models", "services"), "[]") | {
    "schedules": ScheduleList().model_dump_json()
}

#: Seconds within which a browser hears something, so that it can tell a quiet server from a dead connection.
BEAT = 4.0

#: The most clusters and runs that one browser may follow, so that a faulty page can't ask for everything.
MOST_FOLLOWED = 64


class Hub:
    """The newest state of everything, with the number of its last change. `epoch` names this run of the server."""

    def __init__(self) -> None:
        self.epoch = uuid.uuid4().hex
        self.seq = 0
        self.table: ChangeTable[tuple[str, str], str] = ChangeTable()
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
            changed = _put(self.table, (noun, key), encode(value), seq)
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
            changed |= _put(feed.workers, worker.name, encode(worker), seq)
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

    def snapshot(self, hidden: frozenset[str] = frozenset()) -> str:
        """Everything that is told to every browser, as a message; `hidden` lists are empty in it."""
        values: dict[str, list[str]] = {noun: [] for noun in NOUNS}
        lists = dict(LISTS)
        for (noun, _), text in self.table.items():
            if noun in hidden:
                continue
            if noun in lists:
                lists[noun] = text
            else:
                values[noun].append(text)
        parts = [f'"{plural}":{array(values[noun])}' for noun, plural in NOUNS.items()]
        parts += [f'"{noun}":{text}' for noun, text in lists.items()]
        return f'{{"type":"snapshot",{self._stamp()},{",".join(parts)}}}'

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
        return f'"epoch":"{self.epoch}","seq":{self.seq},"now":{time.time():.3f},"beat":{BEAT:g}'

    def _changed(self) -> None:
        self.seq += 1
        for subscriber in self.subscribers:
            subscriber.wake.set()


class Subscriber:
    """What one browser is told.

    A subscriber holds a number and some names, never messages. While the browser's connection is busy, nothing is built
    for this browser; when the connection is free again, the browser gets what changed meanwhile, each thing once.

    Parameters
    ----------
    hidden : the lists that its user may not see.
    """

    def __init__(self, hub: Hub, hidden: Iterable[str] = ()) -> None:
        self._hub, self._hidden = hub, frozenset(hidden)
        self._seen: int | None = None
        #: What it follows and has not yet got whole.
        self._fresh: set[tuple[str, str]] = set()
        self._greeted = False
        #: Whether a hello waits for its answer.
        self._asked = False
        self.follow_clusters: set[str] = set()
        self.follow_runs: set[str] = set()
        #: Set when there may be something to send.
        self.wake = asyncio.Event()
        hub.subscribers.add(self)

    def hello(self, hello: Hello) -> None:
        """The browser says what it saw last and what it wants to follow."""
        known = hello.epoch == self._hub.epoch
        if not known:
            self._seen = None
        elif not self._greeted and hello.seq is not None and self._hub.table.floor <= hello.seq <= self._hub.seq:
            self._seen = hello.seq
        self._greeted = self._asked = True
        clusters = set(hello.follow_clusters[:MOST_FOLLOWED])
        runs = set(hello.follow_runs[:MOST_FOLLOWED])
        wanted = {("cluster", name) for name in clusters} | {("run", run) for run in runs}
        had = {("cluster", name) for name in self.follow_clusters} | {("run", run) for run in self.follow_runs}
        self._fresh = (self._fresh & wanted) | (wanted - had)
        self.follow_clusters, self.follow_runs = clusters, runs
        self._hub.refollow()
        self.wake.set()

    def message(self, beat: bool = False) -> str | None:
        """What to send now: a snapshot, changes, or nothing. It is taken as seen.

        On a `beat`, and after a hello, that nothing changed is said, too.
        """
        if not self._greeted:
            return None
        due, self._asked = beat or self._asked, False
        seen = self._seen
        if seen is None or seen < self._hub.table.floor:
            self._seen = self._hub.seq
            # What it follows comes whole with the next message: the snapshot made the browser forget it.
            self._fresh |= {("cluster", name) for name in self.follow_clusters}
            self._fresh |= {("run", run) for run in self.follow_runs}
            if self._fresh:
                self.wake.set()
            return self._hub.snapshot(self._hidden)
        changed = self._hub.table.after(seen)
        changes = [_change(noun, key, text) for (noun, key), text in changed if noun not in self._hidden]
        changes += self._followed(seen)
        self._seen = self._hub.seq
        return self._hub.changes(changes) if changes or due else None

    def _followed(self, seen: int) -> list[str]:
        changes = []
        for noun, names, feeds in (
            ("cluster", self.follow_clusters, self._hub.clusters),
            ("run", self.follow_runs, self._hub.runs),
        ):
            for name in names:
                feed = feeds.get(name)
                if feed is not None and feed.ready:
                    whole = (noun, name) in self._fresh
                    self._fresh.discard((noun, name))
                    changes += feed.changes(name, seen, whole)
        return changes

    def close(self) -> None:
        """The browser is gone."""
        self._hub.subscribers.discard(self)
        self._hub.refollow()


def _change(noun: str, key: str, text: str | None) -> str:
    return f'{{"noun":"{noun}","id":{encode(key)},"value":{text or "null"}}}'


def _put(table: ChangeTable[KeyT, str], key: KeyT, text: str, seq: int) -> bool:
    """`key` is now `text`; False when it was already."""
    if table.get(key) == text:
        return False
    table.put(key, text, seq)
    return True

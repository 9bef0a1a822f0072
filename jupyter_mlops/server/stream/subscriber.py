"""One browser's view of the hub: what it has seen, what it follows, what to send it next."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..encode import encode

if TYPE_CHECKING:
    from ...core.stream import Hello
    from .hub import Hub

#: The most clusters and runs that one browser may follow, so that a faulty page can't ask for everything.
MOST_FOLLOWED = 64


class Subscriber:
    """What one browser is told.

    It holds a number and some names, never messages: while the browser's connection is busy nothing is built for it,
    and when it is free again it gets what changed meanwhile, each thing once.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._seen: int | None = None
        #: What it follows and has not yet got whole.
        self._fresh: set[tuple[str, str]] = set()
        self._greeted = False
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
        self._greeted = True
        clusters = set(hello.follow_clusters[:MOST_FOLLOWED])
        runs = set(hello.follow_runs[:MOST_FOLLOWED])
        wanted = {("cluster", name) for name in clusters} | {("run", run) for run in runs}
        had = {("cluster", name) for name in self.follow_clusters} | {("run", run) for run in self.follow_runs}
        self._fresh = (self._fresh & wanted) | (wanted - had)
        self.follow_clusters, self.follow_runs = clusters, runs
        self._hub.refollow()
        self.wake.set()

    def message(self) -> str | None:
        """What to send now: a snapshot, changes, or nothing. It is taken as seen."""
        if not self._greeted:
            return None
        seen = self._seen
        if seen is None or seen < self._hub.table.floor:
            self._seen = self._hub.seq
            # What it follows comes whole with the next message: the snapshot made the browser forget it.
            self._fresh |= {("cluster", name) for name in self.follow_clusters}
            self._fresh |= {("run", run) for run in self.follow_runs}
            if self._fresh:
                self.wake.set()
            return self._hub.snapshot()
        changes = [_change(noun, key, text) for (noun, key), text in self._hub.table.since(seen)]
        changes += self._followed(seen)
        self._seen = self._hub.seq
        return self._hub.changes(changes) if changes else None

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

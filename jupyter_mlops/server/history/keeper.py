"""Keeps the history off the event loop, and keeps the server going when the disk doesn't.

One thread owns the file. What can't be written (a full disk, a file that another server holds) is put in a short queue
and tried again; meanwhile `problem` says so, and clusters are shown all the same.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from logging import Logger
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ...core.base import Seconds, read_record
from ...core.cluster import ClusterState, Event, Problem, Receipt, Sample
from ...core.errors import Unreadable
from ...core.lines import read_lines
from ...core.naming import ClusterName
from ...core.run import RunState, unreadable_run
from .store import Store

if TYPE_CHECKING:
    from collections.abc import Awaitable

_T = TypeVar("_T")

#: Seconds between two kept points of a timeline.
SAMPLE_EVERY: Seconds = 15.0

#: Seconds between two writes of the state of a cluster whose phase stays.
STATE_EVERY: Seconds = 10.0

#: Writes that wait for a disk with room; the oldest go first, for the places' own records hold them too.
MOST_WAITING = 1000

#: For SQLite: no limit.
_ALL = -1


class Keeper:
    """The history's door for the managers.

    Parameters
    ----------
    path : the file.
    keep : seconds that things are kept after their end.
    log : where a fault is said, once.
    """

    def __init__(self, path: Path, keep: Seconds, log: Logger) -> None:
        self._path, self._keep, self._log = path, keep, log
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mlops-history")
        self._store: Store | None = None
        self._waiting: deque[Callable[[Store], None]] = deque(maxlen=MOST_WAITING)
        self._written: dict[str, tuple[str, float]] = {}
        self._sampled: dict[str, float] = {}
        self.problem: Problem | None = None

    # Writing returns at once.

    def put_cluster(self, state: ClusterState) -> None:
        """Keep the newest state and the points of its timeline that are due."""
        last = max(self._sampled.get(state.id, 0.0), state.created)
        due = []
        for sample in state.timeline:
            if sample.time >= last + SAMPLE_EVERY:
                due.append((sample.time, sample.model_dump_json()))
                last = sample.time
        phase, at = self._written.get(state.id, ("", 0.0))
        now = time.time()
        if not due and phase == state.phase and (phase == "ended" or now - at < STATE_EVERY):
            return
        self._sampled[state.id], self._written[state.id] = last, (state.phase, now)
        text = state.model_dump_json()

        def write(store: Store) -> None:
            store.put_cluster(state, now, state.ended, text)
            store.put_samples(state.id, due)

        self._write(write)

    def put_events(self, state: ClusterState, events: list[Event]) -> None:
        """Keep new events."""
        if events:
            rows = [(event.seq, event.model_dump_json()) for event in events]
            self._write(lambda store: store.put_events(state.id, rows))

    def put_run(self, run: RunState) -> None:
        """Keep the newest state of a run."""
        text = run.model_dump_json()
        self._write(lambda store: store.put_run(run.id, run.cluster, run.created, text))

    def put_end(
        self, state: ClusterState, receipt: Receipt | None, events: list[Event], timeline: list[Sample]
    ) -> None:
        """Keep all of a cluster that ended, before its place removes it."""
        rows = [(event.seq, event.model_dump_json()) for event in events]
        points = [(sample.time, sample.model_dump_json()) for sample in timeline]
        now, text = time.time(), state.model_dump_json()

        def write(store: Store) -> None:
            store.put_cluster(state, now, state.ended or now, text)
            store.put_events(state.id, rows)
            store.put_samples(state.id, points)
            if receipt is not None:
                store.put_receipt(state.id, receipt.model_dump_json())
            store.set_whole(state.id)

        self._write(write)

    def forget(self, cluster: str) -> None:
        """List the cluster with that id no more."""
        self._write(lambda store: store.forget(cluster))

    def remove_run(self, run: str) -> None:
        """Keep nothing of that run."""
        self._write(lambda store: store.remove_run(run))

    def prune(self) -> None:
        """Remove what is older than it should be."""
        before = time.time() - self._keep
        self._write(lambda store: store.prune(before))

    # Reading gives nothing when the file can't be read: the history is a comfort, not the truth. What is asked by a
    # name is told of the newest cluster that has it; an id means that one only.

    async def clusters(self, limit: int = 100) -> list[tuple[ClusterState, bool]]:
        """The newest clusters that are not forgotten, and whether all of each is here."""
        rows = await self._read(lambda store: store.clusters(limit), list[tuple[str, float, bool, str]]())
        return [(self._state(cluster, created, state), whole) for cluster, created, whole, state in rows]

    async def cluster(self, name: str) -> ClusterState | None:
        """One cluster."""
        row = await self._read(lambda store: store.cluster(name), None)
        return None if row is None else self._state(row[0], row[1], row[2])

    async def receipt(self, name: str) -> Receipt | None:
        """The receipt of a cluster; raises `Unreadable`."""
        row = await self._read(lambda store: store.cluster(name), None)
        if row is None or row[3] is None:
            return None
        return read_record(Receipt, row[3], f"receipt of {ClusterName.of(row[0]).name!r} in the history")

    async def events(self, name: str) -> list[Event]:
        """The events of a cluster."""
        rows = await self._read(lambda store: store.events(_id(store, name)), list[str]())
        return read_lines(Event, "\n".join(rows))

    async def timeline(self, name: str, since: float) -> list[Sample]:
        """The timeline of a cluster."""
        rows = await self._read(lambda store: store.samples(_id(store, name), since), list[str]())
        return read_lines(Sample, "\n".join(rows))

    async def runs(self, limit: int, cluster: str | None = None) -> list[RunState]:
        """The newest runs of one cluster, as `core.naming` understands it, or of all."""
        asked = None if cluster is None else ClusterName.of(cluster)
        most = limit if asked is None or not asked.exact else _ALL
        name = None if asked is None else asked.name
        rows = await self._read(lambda store: store.runs(most, name), list[tuple[str, str, float, str]]())
        runs = [self._run(*row) for row in rows]
        return [run for run in runs if asked is None or asked.means(run.ran_on)][:limit]

    async def run(self, run: str) -> RunState | None:
        """One run."""
        row = await self._read(lambda store: store.run(run), None)
        return None if row is None else self._run(*row)

    def _state(self, cluster: str, created: float, text: str) -> ClusterState:
        """What the row of the cluster with that id says, or that it can't be read."""
        known = ClusterName.of(cluster)
        try:
            return read_record(ClusterState, text, f"row of {known.name!r} in the history")
        except Unreadable as fault:
            namespace, _, place = known.where.rpartition(".")
            return ClusterState(
                name=known.name,
                place=place,
                namespace=namespace,
                uid=known.uid,
                profile="",
                owner="",
                phase="ended",
                created=created,
                ended=created,
                cause="other",
                problem=self._problem(fault),
                commands=[],
                unreadable=True,
            )

    def _run(self, run: str, cluster: str, created: float, text: str) -> RunState:
        try:
            return read_record(RunState, text, f"row of the run {run} in the history")
        except Unreadable as fault:
            row = unreadable_run(run, cluster, created, fault)
            return row.model_copy(update={"problem": self._problem(fault)})

    def _problem(self, fault: Unreadable) -> Problem:
        return Problem(what=fault.what, why=fault.why, todo=fault.todo or f"It is in {self._path}.")

    async def close(self) -> None:
        """Write what waits, and close the file."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=True)

    def _write(self, job: Callable[[Store], None]) -> None:
        self._waiting.append(job)
        self._thread.submit(self._drain)

    def _read(self, question: Callable[[Store], _T], nothing: _T) -> Awaitable[_T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, partial(self._ask, question, nothing))

    # From here on, on the thread.

    def _ask(self, question: Callable[[Store], _T], nothing: _T) -> _T:
        try:
            return question(self._opened())
        except (sqlite3.Error, OSError) as error:
            self._fault(error)
            return nothing

    def _drain(self) -> None:
        """Write all that waits in one transaction: one write to the disk, however many changes came meanwhile."""
        jobs = list(self._waiting)
        if not jobs:
            return
        try:
            store = self._opened()
            with store.writing():
                for job in jobs:
                    job(store)
        except (sqlite3.Error, OSError) as error:
            self._fault(error)
            return
        written = set(map(id, jobs))
        while self._waiting and id(self._waiting[0]) in written:  # a full queue may have dropped some meanwhile
            self._waiting.popleft()
        self.problem = None

    def _opened(self) -> Store:
        if self._store is None:
            self._store = Store(self._path)
        return self._store

    def _fault(self, error: Exception) -> None:
        if self.problem is None:
            self._log.warning("jupyter-mlops: the history in %s can't be used: %s", self._path, error)
        full = "full" in str(error) or "No space" in str(error)
        self.problem = Problem(
            what="The history isn't kept",
            why=f"{self._path}: {error}",
            todo="Make room on that disk." if full else "Look at that file; remove it to begin a new one.",
        )

    def _close(self) -> None:
        self._drain()
        if self._store is not None:
            self._store.close()
            self._store = None


def _id(store: Store, name: str) -> str:
    row = store.cluster(name)
    return "" if row is None else row[0]

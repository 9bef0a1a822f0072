"""A run as the scheduler sees it: which of its tasks compute, what is done, what it costs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..core.cluster import ClusterSpec
from ..core.estimate import time_left
from ..core.model import Time
from ..core.price import HOUR, Cost, Usage
from ..core.run import FINAL, ItemError, RunPhase, RunState
from .disk import Disk
from .journal import Journal

#: Errors of items that a run's state shows; the result has all of them.
ERRORS = 20

#: Money per hour of one thread of the worker at an address; None when unknown.
Rate = Callable[[str], float | None]


class LiveRun:
    """The book's page for one run.

    Parameters
    ----------
    state : what the kernel says of it.
    spec : the cluster, whose price counts.
    folder : the run's own folder; None keeps it in memory only.
    rate : see `Rate`.
    """

    def __init__(self, state: RunState, spec: ClusterSpec, folder: Path | None, rate: Rate) -> None:
        self.state = state
        self._spec, self._rate = spec, rate
        self.disk = Disk(folder)
        self.journal = Journal(lambda line: self.disk.append("journal.jsonl", line))
        #: Grows with every change, so that a watcher knows what it has seen.
        self.seq = 1
        self.changed = asyncio.Event()
        self.ended = asyncio.Event()
        #: The Dask client that feeds an attached run, once it is known.
        self.client: str | None = None
        self.seen: Time = time.time()
        #: Keys of all tasks of a detached run, once they are planned; and those that are over.
        self.planned: set[str] | None = None
        self.over: set[str] = set()
        #: Tasks that compute: key → (worker, since).
        self.computing: dict[str, tuple[str, Time]] = {}
        self._items: dict[str, tuple[int, int]] = {}
        self._amount: float | None = 0.0
        self.timer: asyncio.TimerHandle | None = None

    @property
    def live(self) -> bool:
        """Whether it is not over."""
        return self.state.phase not in FINAL

    @property
    def timeout(self) -> float | None:
        """Seconds that it may take."""
        timeout = self.state.options.get("timeout")
        return float(timeout) if timeout else None

    def touch(self) -> None:
        """Something changed: wake who watches."""
        self.seq += 1
        self.changed.set()

    def say(self, now: Time, **what: Any) -> None:
        """Add an entry to the journal."""
        self.seq += 1
        self.journal.add(self.seq, now, **what)
        self.changed.set()

    def started(self, key: str, worker: str, now: Time) -> None:
        """A task began to compute."""
        self.computing[key] = (worker, now)
        if self.state.phase == "starting":
            self.state.phase = "running"
            self.say(now, kind="phase", text="running", worker=worker)

    def paused(self, key: str, now: Time) -> None:
        """A task doesn't compute any more: it ended, or its worker did. What it computed is paid for."""
        if key in self.computing:
            worker, since = self.computing.pop(key)
            self._pay(worker, max(0.0, now - since))

    def items(self, key: str, done: int, failed: int) -> None:
        """So many items of a task are done, of which some failed. A task that is repeated counts once."""
        before = self._items.get(key, (0, 0))
        self._items[key] = (done, failed)
        self.state.done += done - failed - before[0] + before[1]
        self.state.failed += failed - before[1]

    def errors(self, errors: list[dict[str, Any]]) -> None:
        """These items raised."""
        known = {error.index for error in self.state.errors}
        new = [ItemError(**error) for error in errors if error["index"] not in known]
        self.state.errors = sorted([*self.state.errors, *new], key=lambda error: error.index)[:ERRORS]

    def first_error(self) -> str:
        """The first error of its items, in words."""
        state = self.state
        if not state.errors:
            return f"{state.failed} items failed"
        first = state.errors[0]
        return f"item {first.index} ({first.item}): {first.error}" if state.kind == "map" else first.error

    def snapshot(self, now: Time | None = None) -> RunState:
        """The run now, with cost and time left."""
        now = self.state.ended or now or time.time()
        state = self.state.model_copy()
        threads = [(worker, max(0.0, now - since)) for worker, since in self.computing.values()]
        state.busy = self.state.busy + sum(seconds for _, seconds in threads)
        state.cost = self._cost(threads, state.busy)
        if state.kind == "map" and state.phase == "running":
            state.left = time_left(state.total, state.done + state.failed, state.created, now)
        else:
            state.left = None
        return state

    def end(self, phase: RunPhase, error: str, now: Time) -> None:
        """It is over."""
        for key in list(self.computing):
            self.paused(key, now)
        self.state.phase, self.state.error, self.state.ended = phase, error, now
        self.ended.set()
        if self.timer is not None:
            self.timer.cancel()
        self.say(now, kind="phase", text=phase)
        self.write()

    def write(self) -> None:
        """Write the record."""
        if self.disk.folder is not None:
            self.state.repeatable = (self.disk.folder / "payload.pkl").exists()
        self.disk.replace("record.json", self.snapshot().model_dump_json())

    def _pay(self, worker: str, seconds: float) -> None:
        self.state.busy += seconds
        rate = self._rate(worker)
        self._amount = None if rate is None or self._amount is None else self._amount + rate * seconds / HOUR

    def _cost(self, threads: list[tuple[str, float]], busy: float) -> Cost:
        price = self._spec.price
        rates = [(self._rate(worker), seconds) for worker, seconds in threads]
        known = all(rate is not None for rate, _ in rates) and price.per_hour(1, 0) is not None
        amount = per_hour = None
        if known and self._amount is not None:
            amount = self._amount + sum((rate or 0) * seconds / HOUR for rate, seconds in rates)
            per_hour = sum(rate or 0 for rate, _ in rates)
        usage = Usage(worker_hours=busy / HOUR, cpu_hours=busy / HOUR)
        return Cost(
            amount=amount,
            per_hour=per_hour,
            currency=price.currency,
            source=price.source,
            date=price.date,
            usage=usage,
        )

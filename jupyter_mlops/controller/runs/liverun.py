"""A run as the scheduler sees it: which of its tasks compute, what is done, what it costs."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from ...core.base import Seconds, Time, read_record
from ...core.budget import Budget, sooner
from ...core.estimate import time_left, to_finish
from ...core.price import Cost
from ...core.projection import projection_of, projection_of_steps
from ...core.run import FINAL, ItemError, RunPhase, RunState
from ...core.spot import Due
from ...core.sweep import TrialReport
from ...core.whereabouts import GangWhereabouts
from ...core.words import count
from ...home.runs import CURVES, JOURNAL, RECORD, RunFolder
from ..disk import Disk
from .curves import CurveKeeper
from .journal import Journal
from .runcost import RunCost
from .use import GroupAt, UseKeeper

#: Errors of items that a run's state shows; the result has all of them.
ERRORS = 20

#: Reports of trials that are kept for who drives a sweep.
REPORTS = 10_000

#: Seconds between two records of a run that goes on.
BETWEEN: Seconds = 5.0

#: What is left of the money that a run may cost, of which it has cost so much.
BudgetOfRun = Callable[[float, Cost], Budget]

#: Takes what happened to a run, as a sentence, and the run's id.
TellOfRun = Callable[[str, str], None]


class LiveRun:
    """One run.

    Parameters
    ----------
    state : what the kernel says of it.
    disk : of the run's own folder; without one it is in memory only.
    cost : adds up what it costs.
    group_at : see `GroupAt`.
    """

    def __init__(self, state: RunState, disk: Disk, cost: RunCost, group_at: GroupAt = lambda address: None) -> None:
        self.state, self.disk, self.cost = state, disk, cost
        self.use = UseKeeper(group_at, together=state.in_gangs)
        self.journal = Journal(lambda line: self.disk.append(JOURNAL, line))
        write = (lambda line: self.disk.append(CURVES, line)) if disk.folder is not None else None
        self.curves = CurveKeeper(write, self.say)
        #: Grows with every change, so that a watcher knows what it has seen.
        self.seq = 1
        self.changed = asyncio.Event()
        self.ended = asyncio.Event()
        #: The Dask client that sends its tasks, once it is known.
        self.client: str | None = None
        self.seen = time.monotonic()
        #: Keys of all tasks of a detached run, once they are planned; and those that are over.
        self.planned: set[str] | None = None
        self.over: set[str] = set()
        self._items: dict[str, tuple[int, int]] = {}
        self._rows: dict[int, int] = {}
        #: What the trials of a sweep reported, each with the `seq` it came with.
        self._reports: deque[tuple[int, TrialReport]] = deque(maxlen=REPORTS)
        self.timer: asyncio.TimerHandle | None = None
        #: Until a gang has made all of its steps, as its ranks tell; None where they don't.
        self.seconds_left: Seconds | None = None
        #: Where the ranks of a gang were, once it is over.
        self.whereabouts: Callable[[], GangWhereabouts | None] = lambda: None
        #: For how long an item has been computed at most.
        self._longest: Seconds = 0.0
        #: Its phase as its record was written, and when.
        self._written = ("", 0.0)
        #: What the cluster's budget has left.
        self.budget: Callable[[], Budget | None] = lambda: None
        #: See `BudgetOfRun`.
        self.budget_of: BudgetOfRun | None = None

    @property
    def live(self) -> bool:
        """Whether it is not over."""
        return self.state.phase not in FINAL

    @property
    def fed(self) -> bool:
        """Whether it still needs its kernel: an attached run until its end, a detached one until all of it is sent."""
        return self.live and self.planned is None

    @property
    def timeout(self) -> float | None:
        """Seconds that it may take."""
        timeout = self.state.options.get("timeout")
        return float(timeout) if timeout else None

    def touch(self) -> None:
        """Something changed: wake who watches."""
        self.seq += 1
        self.changed.set()

    def log(self, now: Time, **what: Any) -> None:
        """Add an entry to the journal."""
        self.seq += 1
        self.journal.add(self.seq, now, **what)
        self.changed.set()

    def say(self, text: str) -> None:
        """Tell who watches it."""
        self.log(time.time(), kind="print", text=text, stream="stderr")

    def started(self, key: str, worker: str, now: Time) -> None:
        """A task began to compute."""
        self.cost.began(key, worker, now)
        if self.state.phase == "starting":
            self.state.phase = "running"
            self.log(now, kind="phase", text="running", worker=worker)

    def paused(self, key: str, now: Time) -> None:
        """A task doesn't compute any more: it ended, or its worker did. What it computed is paid for."""
        self.cost.ended(key, now)

    def items(self, key: str, done: int, failed: int) -> None:
        """So many items of a task are done, of which some failed. A task that is repeated counts once."""
        before = self._items.get(key, (0, 0))
        self._items[key] = (done, failed)
        self.state.done += done - failed - before[0] + before[1]
        self.state.failed += failed - before[1]

    def scored(self, part: int, rows: int) -> None:
        """So many rows of a part of a table were scored. A part that is repeated counts once."""
        self.state.rows += rows - self._rows.get(part, 0)
        self._rows[part] = rows

    def reported(self, trial: int, count: int, value: float) -> None:
        """A trial reported its value of that number."""
        self.touch()
        self._reports.append((self.seq, TrialReport(trial=trial, count=count, value=value)))

    def trial_failed(self, trial: int, error: str) -> None:
        """A trial that is a gang has failed, and none of its ranks can tell of it."""
        self.items(f"trial {trial}", 1, 1)
        self.errors([{"index": trial, "item": "", "error": error}])
        self.touch()
        self._reports.append((self.seq, TrialReport(trial=trial, error=error)))

    def reports_since(self, seq: int) -> list[TrialReport]:
        """What trials reported after that."""
        found = []
        for at, report in reversed(self._reports):
            if at <= seq:
                break
            found.append(report)
        return found[::-1]

    def note_best(self, value: float, params: dict[str, Any]) -> None:
        """The best trial of a sweep so far."""
        self._draw_best(value)
        self.state.params.update({name: str(given) for name, given in params.items()})

    def _draw_best(self, value: float) -> None:
        """How the best value of a sweep got better, over the trials, is a curve."""
        point = {"steps": [self.state.tried], "values": [value], "times": [time.time()]}
        self.curves.take({"columns": {"best": point}}, self.state.metrics)

    def errors(self, errors: list[dict[str, Any]]) -> None:
        """These items raised."""
        known = {error.index for error in self.state.errors}
        new = [read_record(ItemError, error) for error in errors if error["index"] not in known]
        self.state.errors = sorted([*self.state.errors, *new], key=lambda error: error.index)[:ERRORS]

    def first_error(self) -> str:
        """The first error of its items, in words."""
        state = self.state
        if not state.errors:
            return f"{count(state.failed, 'item')} failed"
        first = state.errors[0]
        if state.kind == "gang":
            return f"rank {first.index}: {first.error}"
        if state.kind == "sweep":
            return f"trial {first.index}: {first.error}"
        return f"item {first.index} ({first.item}): {first.error}" if state.kind == "map" else first.error

    def snapshot(self, now: Time | None = None) -> RunState:
        """The run now, with cost and time left."""
        now = self.state.ended or now or time.time()
        state = self.state.model_copy()
        state.busy, state.cost = self.cost.busy(now), self.cost.cost(now)
        state.left, state.use = self.left(now), self.use.groups
        state.whereabouts = None if self.live else self.whereabouts()
        budget, own = (self.budget(), self.own_budget(state.cost)) if self.live else (None, None)
        ends = sooner(own, budget)
        done = state.done + state.failed
        if self.maps:
            most = self._most if state.kind == "sweep" else None
            state.projection = projection_of(state.cost, self._total, done, state.left, ends, now, most)
        elif state.kind == "gang":
            age, rest = now - state.created, to_finish(state.cost, state.left)
            state.to_finish = rest
            state.projection = projection_of_steps(state.cost, rest, age, state.left, ends, now)
        if state.projection is not None:
            state.projection.own = ends is not None and ends is own
        state.budget = "" if budget is None else budget.sentence
        return state

    @property
    def _most(self) -> float | None:
        """Money that it may cost."""
        most = self.state.options.get("budget")
        return float(most) if most else None

    def own_budget(self, cost: Cost) -> Budget | None:
        """What is left of the money at which it is stopped, when it has cost so much; None where nobody said one. A
        sweep keeps to its own."""
        if self._most is None or self.budget_of is None or self.state.kind == "sweep":
            return None
        return self.budget_of(self._most, cost)

    @property
    def maps(self) -> bool:
        """Whether it is a map or a sweep that runs."""
        return self.state.kind in ("map", "sweep") and self.state.phase == "running"

    def left(self, now: Time) -> Seconds | None:
        """Seconds until it is done, at the speed so far; None where that can't be said."""
        state = self.state
        if state.kind == "gang":
            return self.seconds_left if state.phase == "running" else None
        return time_left(self._total, state.done + state.failed, state.created, now) if self.maps else None

    def due(self, threads: int, most: int, now: Time) -> Due | None:
        """What it needs, if it is a map that is to be done until a moment.

        Parameters
        ----------
        threads : that its group is to have.
        most : that it may have: what the map is held to while it tries sizes, since it chooses one for its deadline.
        """
        state, total = self.state, self._total
        by = state.ladder.by if state.ladder is not None else None
        if by is None or not total or state.kind not in ("map", "sweep") or by <= state.created:
            return None
        each, begun = self.cost.of_items(now)
        self._longest = max([self._longest, *begun])
        threads = threads if state.ladder is not None and state.ladder.phase == "done" else max(threads, most)
        over, passed, whole = state.done + state.failed, now - state.created, by - state.created
        return Due.of_items(state.name, passed, whole, total, over, each, begun, self._longest, threads)

    @property
    def _total(self) -> int | None:
        """Items that it has to do: not those trials that were known when it began."""
        return None if self.state.total is None else self.state.total - self.state.known

    def end(self, phase: RunPhase, error: str, now: Time) -> None:
        """It is over."""
        self.cost.end(now)
        if self.state.best is not None:
            self._draw_best(self.state.best)  # until then it was no better
        self.state.phase, self.state.error, self.state.ended = phase, error, now
        if self.state.ladder is not None and self.state.ladder.phase == "asked":
            self.state.ladder = None  # no size was tried, and none will be
        self.ended.set()
        if self.timer is not None:
            self.timer.cancel()
        self.log(now, kind="phase", text=phase)
        self.write()

    def write_now_and_then(self) -> None:
        """Write the record, unless that was a moment ago: for who reads it while the run goes on."""
        if self.state.phase != self._written[0] or time.monotonic() - self._written[1] > BETWEEN:
            self.write()

    def write(self) -> None:
        """Write the record."""
        self._written = (self.state.phase, time.monotonic())
        if self.disk.folder is not None:
            self.state.repeatable = RunFolder(self.disk.folder).payload.exists()
        self.disk.replace(RECORD, self.snapshot().model_dump_json())

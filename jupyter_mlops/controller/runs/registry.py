"""The registry of runs: what the scheduler knows of each run, and what becomes of it.

`handlers.py` answers the kernel, which opens a run, sends its tasks through an ordinary Dask client, and closes it;
`plugin.py` hears what Dask and the workers say of it. The registry ends detached runs, enforces timeouts, and has code
stopped.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ...core.base import Seconds, Time
from ...core.budget import Budget
from ...core.cluster import ClusterSpec
from ...core.costs import Share
from ...core.price import HOUR, Price
from ...core.resources import group_in
from ...core.run import RunPhase, RunState
from ...core.sizing import Advice, GroupUse, advice_of, together
from ...core.spot import Due
from ...core.words import count
from ...home.clusters import ClusterFolder
from .. import dask
from ..background import Background
from ..disk import Disk
from . import stopping
from .gangs.gangs import Gangs
from .install import PLUGIN, plugin
from .liverun import BudgetOfRun, LiveRun, TellOfRun
from .plugin import RunPlugin
from .restored import LOST, PastRun
from .results import DetachedResults
from .runcost import RunCost, ShareOf
from .variables import VariableFiles

if TYPE_CHECKING:
    from distributed import Scheduler

#: Runs that are over and still listed, and those whose curves are still drawn in full.
REMEMBERED, DRAWN = 200, 10

#: Seconds between two views of a run's progress.
INTERVAL: Seconds = 0.25

#: Seconds between two looks at what a run costs that may cost only so much, and before the end of its money at which it
#: is stopped.
_LOOK, _BEFORE = 0.5, 1.0

#: Seconds after which a run is given up whose kernel should feed it and asks nothing any more.
SILENCE: Seconds = 600.0

#: The same where the kernel was gone before the run was known.
GONE: Seconds = 30.0


class RunRegistry:
    """All runs of a cluster.

    Parameters
    ----------
    scheduler : Dask's scheduler.
    disk : of the cluster's folder; beside those of clusters, each run has one. Without one nothing is kept.
    spec : the cluster's; its price counts.
    shape : the workers now, by group.
    share : worker's address → what one of its threads holds, and at which rates.
    changed : gets the new state of a run.
    event : gets what happened.
    results : what is known of the results of detached runs.
    has_spot : whether groups may be on spot machines here.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        disk: Disk,
        spec: ClusterSpec,
        *,
        shape: Callable[[], dict[str, int]],
        share: ShareOf,
        changed: Callable[[RunState], None],
        event: TellOfRun,
        results: DetachedResults,
        has_spot: bool = False,
    ) -> None:
        self._scheduler, self._spec, self._has_spot = scheduler, spec, has_spot
        self._disk, folder = disk, disk.folder
        self._folder = folder.parent.parent / "runs" if folder else None
        self._variables = VariableFiles(ClusterFolder(folder)) if folder else None
        self._shape, self._share, self._changed, self._event = shape, share, changed, event
        self.results = results
        self.gangs = Gangs(scheduler, lambda run, error: self.end(run, "failed", error), self.mark)
        self._background = Background()
        self._runs: dict[str, LiveRun] = {}
        #: What the runs that are done used of each group, together.
        self._used: list[GroupUse] = []
        #: Which workers would do for all of them; a run's own advice is its own.
        self.advice: list[Advice] = []
        self._dirty: set[str] = set()
        #: What the cluster's budget has left, where it has one.
        self.budget: Callable[[], Budget | None] = lambda: None
        #: See `BudgetOfRun`.
        self.budget_of: BudgetOfRun | None = None
        self._flusher: asyncio.TimerHandle | None = None

    @property
    def live(self) -> list[str]:
        """The ids of runs that are not over."""
        return [run_id for run_id, run in self._runs.items() if run.live]

    @property
    def work(self) -> Seconds | None:
        """Seconds until what runs now is done, at the speed so far; None where it can't be said of a map. Gangs count
        where they tell of their steps."""
        left = [(run.left(time.time()), run.maps) for run in self._runs.values() if run.live]
        if any(seconds is None and maps for seconds, maps in left):
            return None
        return max((seconds for seconds, _ in left if seconds is not None), default=None)

    def due(self, group: str, threads: int, most: int, now: Time) -> Due | None:
        """The map on a group of so many threads, or at `most` so many, that is due first, as one with all others that
        are to be done until a moment: they share the workers. None where there is none."""
        live = [run for run in self._runs.values() if run.live and run.state.group in (None, group)]
        found = [due for run in live if (due := run.due(threads, most, now)) is not None]
        return Due.together(found, alone=len(found) == len(live))

    @property
    def detached(self) -> list[str]:
        """The ids of runs that are not over and that nobody's kernel drives."""
        return [run_id for run_id, run in self._runs.items() if run.live and run.state.detached]

    def live_states(self) -> list[RunState]:
        """Runs that are not over, with what they cost at this moment."""
        return [run.snapshot() for run in self._runs.values() if run.live]

    def all(self) -> list[LiveRun]:
        """All runs, oldest first."""
        return list(self._runs.values())

    def get(self, run_id: str) -> LiveRun | None:
        """A run, if it is known."""
        return self._runs.get(run_id)

    async def start(self) -> None:
        """Listen to Dask and to the workers, and bring them the agent."""
        listener = RunPlugin(self._scheduler, self, self._event)
        self._scheduler.stream_handlers["mlops-run"] = listener.report
        self._scheduler.add_plugin(listener, name="mlops-runs")
        if self._variables is not None:
            self._scheduler.add_plugin(self._variables, name="mlops-variables")
        await self._scheduler.register_worker_plugin(None, plugin=plugin(), name=PLUGIN, idempotent=False)

    async def close(self, why: str) -> None:
        """Mark what still runs as lost, and write everything down."""
        for run in self.all():
            self.end(run, "lost", f"RunLost: {sentence(why)}{_how_far(run.state)}")
        await self.gangs.close()
        await self._background.close()
        await asyncio.gather(*(run.disk.close() for run in self._runs.values()))

    def retry(self) -> None:
        """Try again what a disk refused."""
        for run in self._runs.values():
            run.disk.retry()

    def open(self, state: RunState, client: str = "") -> LiveRun:
        """Make a new run known, which the Dask client of that id will feed; one without an id is known by its tasks."""
        known = {"shape": self._shape(), "cluster": self._spec.name, "profile": self._spec.profile.name}
        state = state.model_copy(update=known)
        share = self._worker if state.in_gangs else self._share
        cost = RunCost(self._spec.price, share)
        run = self._runs[state.id] = LiveRun(state, self._disk_of(state.id), cost, self._group_at)
        run.client, run.budget, run.budget_of = client or None, lambda: self.budget(), self.budget_of
        if state.kind == "gang":
            self.gangs.open(run)
        run.write()
        if run.timeout:
            run.timer = asyncio.get_running_loop().call_later(run.timeout, self._timed_out, run)
        self._changed(run.snapshot())
        for old in [run_id for run_id, run in self._runs.items() if not run.live][:-REMEMBERED]:
            self._release(self._runs.pop(old))
        over = [other for other in self._runs.values() if not other.live]
        for faded in over[: -DRAWN or None]:
            faded.curves.fade()
        whole = [*over[-DRAWN:], *(other for other in self._runs.values() if other.live)]
        for other in whole:
            other.curves.share(len(whole))
        self._background.spawn(self._give_up_when_silent(run))
        self._background.spawn(self._end_when_spent(run))
        return run

    def restore(self, runs: Iterable[RunState]) -> None:
        """Take over the runs of an earlier scheduler: those that were not over are lost."""
        for state in list(runs)[-REMEMBERED:]:
            run = self._runs[state.id] = PastRun(state, self._disk_of(state.id), RunCost(self._spec.price, self._share))
            if run.live:
                self.end(run, "lost", LOST)
                self._event(f"{state.name} is lost, since the scheduler was started again", state.id)

    # What becomes of a run

    def end_if_over(self, run: LiveRun) -> None:
        """End a detached run whose tasks are all over."""
        if run.planned is None or not run.live or not run.planned <= run.over:
            return
        state = run.state
        if state.error:
            self.end(run, "failed", state.error)
        elif state.failed and (state.kind != "map" or not state.done or state.options.get("on_error") == "raise"):
            self.end(run, "failed", run.first_error())
        else:
            self.end(run, "done", "")
        self._event(f"{state.name} is {state.phase}", state.id)
        if state.kept:
            self._release(run)

    def end(self, run: LiveRun, phase: RunPhase, error: str) -> None:
        """The run is over; code that still runs is stopped."""
        if not run.live:
            return
        run.end(phase, error, time.time())
        self.gangs.closed(run)
        self.results.finish(run)
        if phase != "done" or run.state.kind == "sweep":  # it may be done before all of its trials are
            stopping.stop(self._scheduler, run)
            self._release(run)
        else:
            stopping.over(self._scheduler, run)
        if phase == "done":
            self._used = together([self._used, run.use.groups])
            self.advice = advice_of([use for use in self._used if use.runs > 1])
        self._dirty.discard(run.state.id)
        self._changed(run.snapshot())

    def _worker(self, address: str) -> Share | None:
        """All of a worker: a gang's seat leaves nothing of it to others."""
        share, worker = self._share(address), self._scheduler.workers.get(address)
        if share is None or worker is None:
            return share
        shape = [part * worker.nthreads for part in share.shape]
        return Share((shape[0], shape[1], shape[2], shape[3]), share.rates)

    def _group_at(self, address: str) -> GroupUse | None:
        share, worker = self._share(address), self._scheduler.workers.get(address)
        name = group_in(worker.resources) if worker is not None else None
        group = next((group for group in self._spec.profile.groups if group.name == name), None)
        if group is None:
            return None
        rates = share.rates if share is not None else Price()
        return GroupUse(
            group=group.name,
            cpus=group.cpus,
            memory=group.memory,
            gpus=group.gpus,
            rates=rates,
            spot=group.spot if self._has_spot else None,
        )

    def _disk_of(self, run_id: str) -> Disk:
        """That of the run's own folder."""
        folder = self._folder / run_id if self._folder is not None else None
        if folder is not None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._disk.beside(folder)

    def _release(self, run: LiveRun) -> None:
        """Let Dask forget the run's tasks."""
        dask.forget(self._scheduler, f"mlrun-{run.state.id}-", run.state.error)

    def _timed_out(self, run: LiveRun) -> None:
        if run.live:
            self.end(run, "failed", f"RunTimeout: It took longer than {run.timeout:g} s.")
            self._event(f"{run.state.name} took longer than {run.timeout:g} s", run.state.id)

    async def _end_when_spent(self, run: LiveRun) -> None:
        """End a run before it costs more than it may."""
        while run.live and (budget := run.own_budget(run.cost.cost(time.time()))) is not None:
            if budget.unbounded or budget.left <= budget.per_hour * _BEFORE / HOUR:
                self.end(run, "failed", f"RunOverBudget: {sentence(budget.why_over)}")
                self._event(f"{run.state.name} was stopped: {budget.why_over}", run.state.id)
            await asyncio.sleep(_LOOK)

    async def _give_up_when_silent(self, run: LiveRun) -> None:
        """Give a run up when the kernel that feeds it has long been silent."""
        while run.fed:
            here = run.client is None or run.client in self._scheduler.clients
            left = run.seen + (SILENCE if here else GONE) - time.monotonic()
            if left <= 0:
                self.end(run, "lost", "RunLost: The kernel that fed it doesn't answer any more.")
                return
            await asyncio.sleep(min(left, 30.0))

    # Telling of progress, a few times a second

    def mark(self, run: LiveRun) -> None:
        """A run went on: tell of it soon."""
        self._dirty.add(run.state.id)
        if self._flusher is None:
            self._flusher = asyncio.get_running_loop().call_later(INTERVAL, self._flush)

    def _flush(self) -> None:
        self._flusher = None
        dirty, self._dirty = self._dirty, set()
        for run_id in dirty:
            run = self._runs.get(run_id)
            if run is not None:
                run.touch()
                run.write_now_and_then()
                self._changed(run.snapshot())


def _how_far(state: RunState) -> str:
    """How much of a map was done, as a sentence to follow another one."""
    if state.kind != "map":
        return ""
    done = state.done + state.failed
    if not state.total:
        return f" {count(done, 'item')} {'was' if done == 1 else 'were'} done."
    return f" {done:,} of {count(state.total, 'item')} were done, {done / state.total:.0%}."


def sentence(text: str) -> str:
    """`text` with a capital and a full stop."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else text + "."

"""What a link asks of the runs: handlers on the scheduler, named `mlops_*_run`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from ...core.base import Seconds, read_record
from ...core.curve import FEWEST_POINTS, MOST_POINTS
from ...core.errors import Conflict, InvalidInput, Unavailable, UnknownRun
from ...core.ladder import Ladder
from ...core.resources import group_in
from ...core.run import FINAL, RunPhase, RunState, cannot_try
from ...core.waiting import until_set
from .. import dask
from ..answers import answering
from .liverun import LiveRun, TellOfRun
from .registry import RunRegistry, sentence
from .stacks import stacks_of

if TYPE_CHECKING:
    from distributed import Scheduler

#: The Dask client that wants the results of detached runs, in the kernel's place.
HOLDER = "mlops-runs"

#: Seconds that a plan waits for the tasks of a detached run; who sent many asks again.
ARRIVAL: Seconds = 5.0

#: Seconds that the news of a run's end wait for its record to be written; and where the disk has failed.
WRITTEN: Seconds = 5.0
UNWRITTEN: Seconds = 1.0


class RunHandlers:
    """Opens, plans, closes, cancels and watches runs.

    Parameters
    ----------
    event : gets the runs that were cancelled.
    check_alive : raises `ClusterEnded` when no run may begin any more.
    """

    def __init__(
        self, scheduler: Scheduler, runs: RunRegistry, event: TellOfRun, check_alive: Callable[[], None]
    ) -> None:
        self._scheduler, self._runs, self._event, self._check_alive = scheduler, runs, event, check_alive

    def install(self) -> None:
        """Answer links from now on."""
        handlers: dict[str, Callable[..., Any]] = {
            "mlops_open_run": self._open,
            "mlops_plan_run": self._plan,
            "mlops_close_run": self._close,
            "mlops_cancel_run": self._cancel,
            "mlops_watch_run": self._watch,
            "mlops_prune_trials": self._prune,
            "mlops_forget_trials": self._forget,
            "mlops_note_best": self._note_best,
            "mlops_try_sizes": self._try_sizes,
            "mlops_note_ladder": self._note_ladder,
            "mlops_run_parts": self._parts,
            "mlops_run_curves": self._curves,
            "mlops_run_points": self._points,
            "mlops_run_stacks": self._stacks,
        }
        self._scheduler.handlers.update({name: answering(handler) for name, handler in handlers.items()})

    def _known(self, run: str) -> LiveRun:
        live_run = self._runs.get(run)
        if live_run is None:
            raise UnknownRun.named(run, [])
        live_run.seen = time.monotonic()
        return live_run

    async def _open(self, run: dict[str, Any]) -> dict[str, Any]:
        self._check_alive()
        state = read_record(RunState, run, "run")
        live_run = self._runs.get(state.id) or self._runs.open(state, str(run.get("client") or ""))
        return live_run.snapshot().model_dump()

    async def _plan(self, run: str, total: int | None, keys: Collection[str] | None = None) -> None:
        self._check_alive()
        live_run = self._known(run)
        live_run.state.total = total
        if keys is not None:
            await self._have_come(keys)
        if keys is not None and live_run.live:
            dask.want(self._scheduler, keys, HOLDER)
            live_run.state.detached = True
            live_run.planned = set(keys)
            live_run.over |= {key for key in keys if self._is_over(key)}
            self._runs.end_if_over(live_run)
        live_run.write()
        self._runs.mark(live_run)

    async def _have_come(self, keys: Collection[str]) -> None:
        """Wait for the tasks, which travel by another way than the plan."""
        deadline = time.monotonic() + ARRIVAL
        missing = set(keys)
        while missing := {key for key in missing if key not in self._scheduler.tasks}:
            if time.monotonic() > deadline:
                raise Unavailable(f"{len(missing)} of {len(keys)} tasks have not arrived yet", "", "Try again.")
            await asyncio.sleep(0.005)

    def _is_over(self, key: str) -> bool:
        ts = self._scheduler.tasks.get(key)
        return ts is not None and ts.state in ("memory", "erred")

    async def _close(self, run: str, phase: RunPhase, error: str = "") -> dict[str, Any]:
        live_run = self._known(run)
        if phase not in FINAL:
            raise InvalidInput(f"A run can't end as {phase!r}", todo=f"It ends as one of {', '.join(sorted(FINAL))}.")
        self._runs.end(live_run, phase, error)
        return live_run.snapshot().model_dump()

    async def _cancel(self, run: str, why: str = "") -> None:
        live_run = self._known(run)
        if live_run.live:
            self._runs.end(live_run, "cancelled", f"RunCancelled: {sentence(why or 'it was cancelled')}")
            self._event(f"{live_run.state.name} was cancelled", run)

    async def _watch(self, run: str, since: int, timeout: Seconds = 20.0) -> dict[str, Any]:
        live_run = self._known(run)
        deadline = time.monotonic() + min(max(timeout, 0.0), 60.0)
        while live_run.seq <= since and live_run.live and (left := deadline - time.monotonic()) > 0:
            live_run.changed.clear()
            if not await until_set(live_run.changed, left):
                break
            await until_set(live_run.ended, 0.01)  # what comes at once is told at once
        live_run.seen = time.monotonic()
        if not live_run.live:  # who hears that it is over finds it so in its folder
            await live_run.disk.flush(WRITTEN if live_run.disk.problem is None else UNWRITTEN)
        entries = [entry.model_dump(exclude_defaults=True) for entry in live_run.journal.since(since)]
        reports = [report.model_dump() for report in live_run.reports_since(since)]
        return {"seq": live_run.seq, "run": live_run.snapshot().model_dump(), "entries": entries, "reports": reports}

    async def _prune(self, run: str, trials: list[int]) -> None:
        live_run = self._known(run)
        seats = live_run.state.seats if live_run.state.in_gangs else 1
        for trial in trials:
            task = self._scheduler.tasks.get(f"mlrun-{live_run.state.id}-{trial * seats}")
            if task is not None and task.processing_on is not None:
                told = {"op": "mlops-prune", "run": run, "trial": trial}
                self._scheduler.worker_send(task.processing_on.address, told)

    async def _forget(self, run: str, trials: list[int]) -> None:
        state = self._known(run).state
        known = self._scheduler.workers.values()
        workers = [worker for worker in known if group_in(worker.resources) in (state.group, None)]
        if state.checkpoints and workers:  # where they are is what workers see, and perhaps nobody else
            told = {"op": "mlops-forget", "run": run, "root": state.checkpoints, "trials": trials}
            self._scheduler.worker_send(min(workers, key=lambda worker: len(worker.processing)).address, told)

    async def _note_best(self, run: str, value: float, params: dict[str, Any]) -> None:
        live_run = self._known(run)
        live_run.note_best(value, params)
        self._runs.mark(live_run)

    async def _try_sizes(self, run: str) -> None:
        live_run = self._known(run)
        state = live_run.state
        if why := cannot_try(state):
            raise Conflict(f"The run {state.name!r} can't try sizes", why, "Start a map with pilot, or --pilot.")
        state.ladder = Ladder(phase="asked")
        self._runs.mark(live_run)

    async def _note_ladder(self, run: str, ladder: dict[str, Any]) -> None:
        live_run = self._known(run)
        live_run.state.ladder = read_record(Ladder, ladder, "ladder")
        self._runs.mark(live_run)

    async def _curves(self, run: str, since: int = 0, most: int = MOST_POINTS) -> dict[str, Any]:
        return self._known(run).curves.view(since, min(max(most, FEWEST_POINTS), MOST_POINTS)).model_dump()

    async def _points(self, run: str, since: int = 0) -> dict[str, Any]:
        seq, lines = self._known(run).curves.lines(since)
        return {"seq": seq, "lines": [line.model_dump(exclude_defaults=True) for line in lines]}

    async def _stacks(self, run: str) -> dict[str, Any]:
        found = await stacks_of(self._scheduler, self._known(run).state.id)
        return {"stacks": [each.model_dump(exclude_defaults=True) for each in found]}

    async def _parts(self, run: str) -> dict[str, int]:
        return self._runs.results.parts(self._known(run))

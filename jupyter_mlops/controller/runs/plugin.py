"""What Dask and the workers say of runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Protocol

from distributed import SchedulerPlugin

from ...core.run import RunPhase
from .gangs.gangs import Gangs
from .liverun import LiveRun, TellOfRun
from .results import DetachedResults

if TYPE_CHECKING:
    from distributed import Scheduler


class KnownRuns(Protocol):
    """The registry of runs, as the plugin knows it."""

    @property
    def gangs(self) -> Gangs:
        """The gangs that are not over."""

    @property
    def results(self) -> DetachedResults:
        """What is known of the results of detached runs."""

    def get(self, run_id: str) -> LiveRun | None:
        """A run, if it is known."""

    def all(self) -> list[LiveRun]:
        """All runs."""

    def mark(self, run: LiveRun) -> None:
        """A run went on: its watchers are told soon."""

    def end(self, run: LiveRun, phase: RunPhase, error: str) -> None:
        """The run is over; code that still runs is stopped."""

    def end_if_over(self, run: LiveRun) -> None:
        """End a detached run whose tasks are all over."""


class RunPlugin(SchedulerPlugin):
    """Hears of tasks, clients and workers, and passes it on to the registry of runs.

    Parameters
    ----------
    event : gets the runs that are lost.
    """

    def __init__(self, scheduler: Scheduler, runs: KnownRuns, event: TellOfRun) -> None:
        self._scheduler, self._runs, self._event = scheduler, runs, event

    def update_graph(self, scheduler: Scheduler, *, client: str, keys: Collection[Any], **kwargs: Any) -> None:
        """A client sent tasks: remember which client feeds which run."""
        for key in keys:
            run = self._of(key)
            if run is None:
                continue
            if run.client is None:
                run.client = client
            if run.live and run.state.in_gangs:
                self._runs.gangs.sent(run, key)

    def remove_client(self, scheduler: Scheduler, client: str) -> None:
        """A client left: the runs that it fed are lost."""
        for run in self._runs.all():
            if run.client == client and run.fed:
                self._runs.end(run, "lost", "RunLost: The kernel that fed it is gone.")
                self._event(f"{run.state.name} is lost, since its kernel is gone", run.state.id)

    def transition(self, key: Any, start: str, finish: str, *args: Any, **kwargs: Any) -> None:
        """A task changed its state."""
        run = self._of(key)
        if run is None:
            return
        if start == "processing" and finish != "processing":
            run.paused(key, time.time())
            if run.state.in_gangs:
                # not at once: Dask is in the middle of changing this task
                ended = finish in ("memory", "erred")
                asyncio.get_running_loop().call_soon(
                    self._runs.gangs.ended if ended else self._runs.gangs.left, run, key
                )
        if finish in ("memory", "erred") and run.live:
            if finish == "erred" and run.planned is not None:
                ts = self._scheduler.tasks.get(key)
                run.state.error = run.state.error or str(getattr(ts, "exception_text", "") or "a task failed")
                run.items(key, 1, 1)
            run.over.add(key)
            self._runs.mark(run)
            # not at once: Dask is in the middle of changing this task, and ending the run may forget it
            asyncio.get_running_loop().call_soon(self._runs.end_if_over, run)

    def restart(self, scheduler: Scheduler) -> None:
        """All tasks are gone."""
        for run in self._runs.all():
            self._runs.end(run, "lost", "RunLost: The cluster was restarted.")

    def report(self, run: str, kind: str, worker: str = "", **what: Any) -> None:
        """A worker says something of a run."""
        live_run = self._runs.get(run)
        if live_run is None or not live_run.live:
            return
        now = time.time()
        if kind == "print":
            live_run.log(what.get("time", now), kind="print", text=what["text"], stream=what["stream"], worker=worker)
        elif kind == "points":
            live_run.curves.take(what, live_run.state.metrics)
            self._runs.mark(live_run)
        elif kind == "param":
            live_run.state.params[what["key"]] = str(what["value"])
            live_run.log(what["time"], kind=kind, key=what["key"], value=str(what["value"]), worker=worker)
            self._runs.mark(live_run)
        elif kind == "start":
            live_run.started(what["key"], worker, now)
            self._runs.mark(live_run)
        elif kind == "report":
            live_run.reported(what["trial"], what["count"], what["value"])
        elif kind == "rows":
            live_run.scored(int(what["part"]), int(what["rows"]))
            self._runs.mark(live_run)
        elif kind == "use":
            live_run.use.take(worker, what)
        elif kind == "seat":
            self._runs.gangs.heard(live_run, worker, what.pop("key"), what.pop("state"), **what)
        elif kind == "result":
            self._runs.results.add_part(run, what["index"], what["data"])
        elif kind in ("progress", "end"):
            self._progress(live_run, kind, what, now)

    def _progress(self, run: LiveRun, kind: str, what: dict[str, Any], now: float) -> None:
        run.items(what["key"], what["done"], what["failed"])
        run.cost.items_over(what["key"], what["done"], now)
        if kind == "end":
            run.paused(what["key"], now)
            run.errors(what["errors"])
            if what["failed"] and run.planned is not None and run.state.options.get("on_error") == "raise":
                self._runs.end(run, "failed", run.first_error())
        self._runs.mark(run)

    def _of(self, key: Any) -> LiveRun | None:
        if isinstance(key, str) and key.startswith("mlrun-"):
            return self._runs.get(key[6:18])
        return None

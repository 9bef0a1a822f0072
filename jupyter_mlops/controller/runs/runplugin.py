"""What Dask and the workers say of runs, for the book of runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Protocol

from distributed import SchedulerPlugin

from ...core.run import RunPhase
from .liverun import LiveRun
from .results import Results
from .stopping import RunEvent, Stopping

if TYPE_CHECKING:
    from distributed import Scheduler


class KnownRuns(Protocol):
    """What the plugin asks of the registry of runs, and tells it."""

    @property
    def results(self) -> Results:
        """What is known of the results of detached runs."""

    def get(self, run: str) -> LiveRun | None:
        """A run, if it is known."""

    def pages(self) -> list[LiveRun]:
        """All runs."""

    def mark(self, page: LiveRun) -> None:
        """A run went on: its watchers are told soon."""

    def end(self, page: LiveRun, phase: RunPhase, error: str) -> None:
        """The run is over; code that still runs is stopped."""

    def end_if_over(self, page: LiveRun) -> None:
        """End a detached run whose tasks are all over."""


class RunPlugin(SchedulerPlugin):
    """Hears of tasks, clients and workers, and writes into the book.

    Parameters
    ----------
    stopping : is told of workers that stopped a run's code.
    event : is told of runs that are lost.
    """

    def __init__(self, scheduler: Scheduler, book: KnownRuns, stopping: Stopping, event: RunEvent) -> None:
        self._scheduler, self._book, self._stopping, self._event = scheduler, book, stopping, event

    def update_graph(self, scheduler: Scheduler, *, client: str, keys: Collection[Any], **kwargs: Any) -> None:
        """A client sent tasks: remember which client feeds which run."""
        for key in keys:
            page = self._of(key)
            if page is not None and page.client is None:
                page.client = client

    def remove_client(self, scheduler: Scheduler, client: str) -> None:
        """A client left: the attached runs that it fed are lost."""
        for page in self._book.pages():
            if page.client == client and page.live and not page.state.detached:
                self._book.end(page, "lost", "RunLost: The kernel that fed it is gone.")
                self._event(f"{page.state.name} is lost, since its kernel is gone", page.state.id, None)

    def transition(self, key: Any, start: str, finish: str, *args: Any, **kwargs: Any) -> None:
        """A task changed its state."""
        page = self._of(key)
        if page is None:
            return
        if start == "processing" and finish != "processing":
            page.paused(key, time.time())
        if finish in ("memory", "erred") and page.live:
            if finish == "erred" and page.planned is not None:
                ts = self._scheduler.tasks.get(key)
                page.state.error = page.state.error or str(getattr(ts, "exception_text", "") or "a task failed")
                page.items(key, 1, 1)
            page.over.add(key)
            self._book.mark(page)
            # not at once: Dask is in the middle of changing this task, and ending the run may forget it
            asyncio.get_running_loop().call_soon(self._book.end_if_over, page)

    def restart(self, scheduler: Scheduler) -> None:
        """All tasks are gone."""
        for page in self._book.pages():
            self._book.end(page, "lost", "RunLost: The cluster was restarted.")

    def report(self, run: str, kind: str, worker: str = "", **what: Any) -> None:
        """A worker says something of a run."""
        page = self._book.get(run)
        if page is None:
            return
        now = time.time()
        if kind == "stopped":
            self._stopping.stopped(page, worker, what["left"])
        elif not page.live:
            return
        elif kind == "print":
            page.say(what.get("time", now), kind="print", text=what["text"], stream=what["stream"], worker=worker)
        elif kind in ("metric", "param"):
            self._log(page, kind, what, worker)
        elif kind == "start":
            page.started(what["key"], worker, now)
            self._book.mark(page)
        elif kind == "result":
            self._book.results.take(run, what["index"], what["data"])
        elif kind in ("beat", "end"):
            self._progress(page, kind, what, now)

    def _log(self, page: LiveRun, kind: str, what: dict[str, Any], worker: str) -> None:
        value: Any = float(what["value"]) if kind == "metric" else str(what["value"])
        (page.state.metrics if kind == "metric" else page.state.params)[what["key"]] = value
        page.say(what["time"], kind=kind, key=what["key"], value=value, step=what.get("step"), worker=worker)
        self._book.mark(page)

    def _progress(self, page: LiveRun, kind: str, what: dict[str, Any], now: float) -> None:
        page.items(what["key"], what["done"], what["failed"])
        if kind == "end":
            page.paused(what["key"], now)
            page.errors(what["errors"])
            if what["failed"] and page.planned is not None and page.state.options.get("on_error") == "raise":
                self._book.end(page, "failed", page.first_error())
        self._book.mark(page)

    def _of(self, key: Any) -> LiveRun | None:
        if isinstance(key, str) and key.startswith("mlrun-"):
            return self._book.get(key[6:18])
        return None

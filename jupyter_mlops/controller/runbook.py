"""The book of runs: what the scheduler knows of each run, and what it does with it.

The kernel opens a run, sends its tasks through an ordinary Dask client, and closes it; workers report to it over their
own stream; Dask's transitions say which tasks are over. It keeps the journals, counts and costs, ends detached runs,
enforces timeouts, and stops code.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distributed import SchedulerPlugin

from ..core.cluster import ClusterSpec, Problem
from ..core.errors import InvalidInput, Unavailable, UnknownRun
from ..core.model import Seconds, parse
from ..core.run import FINAL, RunPhase, RunState
from .install import PLUGIN, plugin
from .liverun import LiveRun, Rate

if TYPE_CHECKING:
    from distributed import Scheduler

logger = logging.getLogger("distributed.scheduler.mlops")

#: The Dask client that wants the results of detached runs, in the kernel's place.
HOLDER = "mlops-runs"

#: Runs that are over and still listed.
REMEMBERED = 200

#: Seconds between two views of a run's progress.
INTERVAL: Seconds = 0.25

#: Seconds after which an attached run whose kernel asks nothing any more is given up.
SILENCE: Seconds = 600.0

#: Seconds that a plan waits for the tasks of a detached run; who sent many asks again.
ARRIVAL: Seconds = 5.0

#: Seconds that workers get to stop a run's code before their processes are ended.
PATIENCE: Seconds = 8.0


class RunBook(SchedulerPlugin):
    """All runs of a cluster.

    Parameters
    ----------
    scheduler : Dask's scheduler.
    folder : where each run has its folder; None keeps nothing on disk.
    spec : the cluster's; its price counts.
    shape : the workers now, by group.
    rate : worker's address → money per hour of one of its threads; None when unknown.
    changed : is told the new state of a run.
    event : is told what happened: text, run's id, problem.
    replace : ends the worker at an address at once; another takes its place. Without it the worker is told to exit.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        folder: Path | None,
        spec: ClusterSpec,
        *,
        shape: Callable[[], dict[str, int]],
        rate: Rate,
        changed: Callable[[RunState], None],
        event: Callable[[str, str, Problem | None], None],
        replace: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        self._scheduler, self._folder, self._spec = scheduler, folder, spec
        self._shape, self._rate, self._changed, self._event = shape, rate, changed, event
        self._replace = replace
        self._runs: dict[str, LiveRun] = {}
        self._dirty: set[str] = set()
        self._flusher: asyncio.TimerHandle | None = None
        self._stopping: dict[str, dict[str, asyncio.TimerHandle]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self.handlers: dict[str, Callable[..., Any]] = {
            "mlops_open_run": self._open,
            "mlops_plan_run": self._plan,
            "mlops_close_run": self._close,
            "mlops_cancel_run": self._cancel,
            "mlops_watch_run": self._watch,
        }

    @property
    def live(self) -> list[str]:
        """The ids of runs that are not over."""
        return [run for run, page in self._runs.items() if page.live]

    def states(self) -> list[RunState]:
        """All runs, oldest first."""
        return [page.snapshot() for page in self._runs.values()]

    async def begin(self) -> None:
        """Listen to workers, and bring them the agent."""
        self._scheduler.stream_handlers["mlops-run"] = self.report
        await self._scheduler.register_worker_plugin(None, plugin=plugin(), name=PLUGIN, idempotent=False)

    async def start(self, scheduler: Scheduler | None = None) -> None:
        """As `begin`; Dask calls it too, when the plugin is registered by a client."""
        await self.begin()

    async def close(self, why: str = "the cluster stopped") -> None:
        """Mark what still runs as lost, and write everything down."""
        for page in list(self._runs.values()):
            self._end(page, "lost", f"RunLost: {_sentence(why)}")
        for timers in self._stopping.values():
            for timer in timers.values():
                timer.cancel()
        await asyncio.gather(*(page.disk.close() for page in self._runs.values()))

    # What a link asks for

    def _page(self, run: str) -> LiveRun:
        page = self._runs.get(run)
        if page is None:
            raise UnknownRun.named(run, [])
        page.seen = time.time()
        return page

    async def _open(self, run: dict[str, Any]) -> dict[str, Any]:
        state = parse(RunState, run, "run")
        known = self._runs.get(state.id)
        if known is None:
            self._add(state.model_copy(update={"shape": self._shape(), "cluster": self._spec.name}))
            known = self._runs[state.id]
        return known.snapshot().model_dump()

    def _add(self, state: RunState) -> None:
        folder = self._folder / state.id if self._folder is not None else None
        if folder is not None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        page = self._runs[state.id] = LiveRun(state, self._spec, folder, self._rate)
        page.write()
        if page.timeout:
            page.timer = asyncio.get_running_loop().call_later(page.timeout, self._timed_out, page)
        self._changed(page.snapshot())
        for run in [run for run, page in self._runs.items() if not page.live][:-REMEMBERED]:
            del self._runs[run]
        if not state.detached:
            self._spawn(self._listen_for(page))

    async def _plan(self, run: str, total: int | None, keys: Collection[str] | None = None) -> None:
        page = self._page(run)
        page.state.total = total
        if keys is not None:
            await self._have_come(keys)
        if keys is not None and page.live:
            self._scheduler.client_desires_keys(keys=list(keys), client=HOLDER)
            page.state.detached = True
            page.planned = set(keys)
            page.over |= {key for key in keys if self._is_over(key)}
            self._end_if_over(page)
        page.write()
        self._mark(page)

    async def _have_come(self, keys: Collection[str]) -> None:
        """Wait for the tasks, which travel by another way than the plan."""
        deadline = time.monotonic() + ARRIVAL
        missing = set(keys)
        while missing := {key for key in missing if key not in self._scheduler.tasks}:
            if time.monotonic() > deadline:
                raise Unavailable(f"{len(missing)} of {len(keys)} tasks have not arrived yet", "", "Try again.")
            await asyncio.sleep(0.005)

    async def _close(self, run: str, phase: RunPhase, error: str = "") -> dict[str, Any]:
        page = self._page(run)
        if phase not in FINAL:
            raise InvalidInput(f"A run can't end as {phase!r}", todo=f"It ends as one of {', '.join(sorted(FINAL))}.")
        self._end(page, phase, error)
        return page.snapshot().model_dump()

    async def _cancel(self, run: str, why: str = "") -> None:
        page = self._page(run)
        if page.live:
            self._end(page, "cancelled", f"RunCancelled: {_sentence(why or 'it was cancelled')}")
            self._event(f"{page.state.name} was cancelled", run, None)

    async def _watch(self, run: str, since: int, timeout: Seconds = 20.0) -> dict[str, Any]:
        page = self._page(run)
        deadline = time.monotonic() + min(max(timeout, 0.0), 60.0)
        while page.seq <= since and page.live and (left := deadline - time.monotonic()) > 0:
            page.changed.clear()
            try:
                await asyncio.wait_for(page.changed.wait(), left)
            except asyncio.TimeoutError:
                break
            with contextlib.suppress(asyncio.TimeoutError):  # what comes at once is told at once
                await asyncio.wait_for(page.ended.wait(), 0.01)
        page.seen = time.time()
        entries = [entry.model_dump(exclude_defaults=True) for entry in page.journal.since(since)]
        return {"seq": page.seq, "run": page.snapshot().model_dump(), "entries": entries}

    # What Dask and the workers say

    def update_graph(self, scheduler: Scheduler, *, client: str, keys: Collection[Any], **kwargs: Any) -> None:
        """A client sent tasks: remember which client feeds which run."""
        for key in keys:
            page = self._of(key)
            if page is not None and page.client is None:
                page.client = client

    def remove_client(self, scheduler: Scheduler, client: str) -> None:
        """A client left: the attached runs that it fed are lost."""
        for page in list(self._runs.values()):
            if page.client == client and page.live and not page.state.detached:
                self._end(page, "lost", "RunLost: The kernel that fed it is gone.")
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
            self._mark(page)
            # not at once: Dask is in the middle of changing this task, and ending the run may forget it
            asyncio.get_running_loop().call_soon(self._end_if_over, page)

    def restart(self, scheduler: Scheduler) -> None:
        """All tasks are gone."""
        for page in list(self._runs.values()):
            self._end(page, "lost", "RunLost: The cluster was restarted.")

    def report(self, run: str, kind: str, worker: str = "", **what: Any) -> None:
        """A worker says something of a run."""
        page = self._runs.get(run)
        if page is None:
            return
        now = time.time()
        if kind == "stopped":
            self._stopped(page, worker, what["left"])
        elif not page.live:
            return
        elif kind == "print":
            page.say(what.get("time", now), kind="print", text=what["text"], stream=what["stream"], worker=worker)
        elif kind in ("metric", "param"):
            self._log(page, kind, what, worker)
        elif kind == "start":
            page.started(what["key"], worker, now)
            self._mark(page)
        elif kind in ("beat", "end"):
            self._progress(page, kind, what, now)

    def _log(self, page: LiveRun, kind: str, what: dict[str, Any], worker: str) -> None:
        value: Any = float(what["value"]) if kind == "metric" else str(what["value"])
        (page.state.metrics if kind == "metric" else page.state.params)[what["key"]] = value
        page.say(what["time"], kind=kind, key=what["key"], value=value, step=what.get("step"), worker=worker)
        self._mark(page)

    def _progress(self, page: LiveRun, kind: str, what: dict[str, Any], now: float) -> None:
        page.items(what["key"], what["done"], what["failed"])
        if kind == "end":
            page.paused(what["key"], now)
            page.errors(what["errors"])
            if what["failed"] and page.planned is not None and page.state.options.get("on_error") == "raise":
                self._end(page, "failed", _first_error(page.state))
        self._mark(page)

    # What becomes of a run

    def _of(self, key: Any) -> LiveRun | None:
        if isinstance(key, str) and key.startswith("mlrun-"):
            return self._runs.get(key[6:18])
        return None

    def _is_over(self, key: str) -> bool:
        ts = self._scheduler.tasks.get(key)
        return ts is not None and ts.state in ("memory", "erred")

    def _end_if_over(self, page: LiveRun) -> None:
        if page.planned is None or not page.live or not page.planned <= page.over:
            return
        state = page.state
        if state.error:
            self._end(page, "failed", state.error)
        elif state.failed and (state.kind != "map" or not state.done):
            self._end(page, "failed", _first_error(state))
        else:
            self._end(page, "done", "")
        self._event(f"{state.name} is {state.phase}", state.id, None)
        if state.kept:
            self._release(page)

    def _end(self, page: LiveRun, phase: RunPhase, error: str) -> None:
        """The run is over; code that still runs is stopped."""
        if not page.live:
            return
        busy = {worker for worker, _ in page.computing.values()}
        page.end(phase, error, time.time())
        if phase != "done":
            self._stop_code(page, busy)
            self._release(page)
        self._dirty.discard(page.state.id)
        self._changed(page.snapshot())

    def _release(self, page: LiveRun) -> None:
        """Let Dask forget the run's tasks."""
        prefix = f"mlrun-{page.state.id}-"
        for name, client in list(self._scheduler.clients.items()):
            keys = [ts.key for ts in client.wants_what if isinstance(ts.key, str) and ts.key.startswith(prefix)]
            if keys:
                self._scheduler.client_releases_keys(keys=keys, client=name)
                self._scheduler.report(
                    {"op": "cancelled-keys", "keys": keys, "reason": "mlops", "msg": page.state.error}, client=name
                )

    def _stop_code(self, page: LiveRun, busy: set[str]) -> None:
        """Tell the workers, all of them: one may just be starting a task."""
        loop = asyncio.get_running_loop()
        timers = self._stopping.setdefault(page.state.id, {})
        for address in list(self._scheduler.workers):
            self._scheduler.worker_send(address, {"op": "mlops-stop", "run": page.state.id})
            if address in busy:
                timers[address] = loop.call_later(PATIENCE, self._stopped, page, address, 1)

    def _stopped(self, page: LiveRun, worker: str, left: int) -> None:
        """A worker has stopped a run's code, or couldn't."""
        timer = self._stopping.get(page.state.id, {}).pop(worker, None)
        if timer is None:
            return
        timer.cancel()
        if not self._stopping[page.state.id]:
            del self._stopping[page.state.id]
        if left and worker in self._scheduler.workers:
            name = self._scheduler.workers[worker].name
            text = f"{page.state.name} didn't stop, so worker {name} was ended"
            self._event(text, page.state.id, Problem(what=text, why="its code didn't return to Python within seconds"))
            page.say(time.time(), kind="print", text=text + "\n", stream="stderr")
            self._spawn(self._end_worker(worker))

    async def _end_worker(self, address: str) -> None:
        if self._replace is not None:
            await self._replace(address)
        else:
            self._scheduler.worker_send(address, {"op": "mlops-exit"})

    def _timed_out(self, page: LiveRun) -> None:
        if page.live:
            self._end(page, "failed", f"RunTimeout: It took longer than {page.timeout:g} s.")
            self._event(f"{page.state.name} took longer than {page.timeout:g} s", page.state.id, None)

    async def _listen_for(self, page: LiveRun) -> None:
        """Give an attached run up when its kernel has long been silent."""
        while page.live and not page.state.detached:
            left = page.seen + SILENCE - time.time()
            if left <= 0:
                self._end(page, "lost", "RunLost: The kernel that fed it doesn't answer any more.")
                return
            await asyncio.sleep(min(left, 30.0))

    # Telling of progress, a few times a second

    def _mark(self, page: LiveRun) -> None:
        self._dirty.add(page.state.id)
        if self._flusher is None:
            self._flusher = asyncio.get_running_loop().call_later(INTERVAL, self._flush)

    def _flush(self) -> None:
        self._flusher = None
        dirty, self._dirty = self._dirty, set()
        for run in dirty:
            page = self._runs.get(run)
            if page is not None:
                page.touch()
                self._changed(page.snapshot())

    def _spawn(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else text + "."


def _first_error(state: RunState) -> str:
    if not state.errors:
        return f"{state.failed} items failed"
    first = state.errors[0]
    return f"item {first.index} ({first.item}): {first.error}" if state.kind == "map" else first.error

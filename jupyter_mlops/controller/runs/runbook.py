"""The book of runs: what the scheduler knows of each run, and what becomes of it.

`runrpc` answers the kernel, which opens a run, sends its tasks through an ordinary Dask client, and closes it;
`runplugin` hears what Dask and the workers say of it. The book keeps the pages, ends detached runs, enforces timeouts,
and has code stopped.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.base import Seconds
from ...core.cluster import ClusterSpec
from ...core.run import RunPhase, RunState
from ..background import Background
from .install import PLUGIN, plugin
from .liverun import LiveRun
from .restored import LOST, PastRun
from .results import Results
from .runcost import RunCost, ShareOf
from .runplugin import RunPlugin
from .stopping import RunEvent, Stopping

if TYPE_CHECKING:
    from distributed import Scheduler

#: Runs that are over and still listed.
REMEMBERED = 200

#: Seconds between two views of a run's progress.
INTERVAL: Seconds = 0.25

#: Seconds after which an attached run whose kernel asks nothing any more is given up.
SILENCE: Seconds = 600.0


class RunBook:
    """All runs of a cluster.

    Parameters
    ----------
    scheduler : Dask's scheduler.
    folder : where each run has its folder; None keeps nothing on disk.
    spec : the cluster's; its price counts.
    shape : the workers now, by group.
    share : worker's address → what one of its threads holds, and at which rates.
    changed : is told the new state of a run.
    event : is told what happened.
    replace : ends the worker at an address at once; another takes its place. Without it the worker is told to exit.
    results : what is known of the results of detached runs.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        folder: Path | None,
        spec: ClusterSpec,
        *,
        shape: Callable[[], dict[str, int]],
        share: ShareOf,
        changed: Callable[[RunState], None],
        event: RunEvent,
        replace: Callable[[str], Awaitable[None]] | None = None,
        results: Results,
    ) -> None:
        self._scheduler, self._folder, self._spec = scheduler, folder, spec
        self._shape, self._share, self._changed, self._event = shape, share, changed, event
        self.results = results
        self._background = Background()
        self._stopping = Stopping(scheduler, event, replace, self._background)
        self._runs: dict[str, LiveRun] = {}
        self._dirty: set[str] = set()
        self._flusher: asyncio.TimerHandle | None = None

    @property
    def live(self) -> list[str]:
        """The ids of runs that are not over."""
        return [run for run, page in self._runs.items() if page.live]

    def states(self) -> list[RunState]:
        """All runs, oldest first."""
        return [page.snapshot() for page in self._runs.values()]

    def pages(self) -> list[LiveRun]:
        """The page of each run."""
        return list(self._runs.values())

    def get(self, run: str) -> LiveRun | None:
        """The page of a run, if there is one."""
        return self._runs.get(run)

    async def start(self) -> None:
        """Listen to Dask and to the workers, and bring them the agent."""
        ears = RunPlugin(self._scheduler, self, self._stopping, self._event)
        self._scheduler.stream_handlers["mlops-run"] = ears.report
        self._scheduler.add_plugin(ears, name="mlops-runs")
        await self._scheduler.register_worker_plugin(None, plugin=plugin(), name=PLUGIN, idempotent=False)

    async def close(self, why: str) -> None:
        """Mark what still runs as lost, and write everything down."""
        for page in self.pages():
            self.end(page, "lost", f"RunLost: {sentence(why)}")
        self._stopping.close()
        await self._background.close()
        await asyncio.gather(*(page.disk.close() for page in self._runs.values()))

    def open(self, state: RunState) -> LiveRun:
        """A page for a new run."""
        state = state.model_copy(update={"shape": self._shape(), "cluster": self._spec.name})
        page = self._runs[state.id] = LiveRun(state, self._home(state.id), RunCost(self._spec.price, self._share))
        page.write()
        if page.timeout:
            page.timer = asyncio.get_running_loop().call_later(page.timeout, self._timed_out, page)
        self._changed(page.snapshot())
        for run in [run for run, page in self._runs.items() if not page.live][:-REMEMBERED]:
            self._release(self._runs.pop(run))
        if not state.detached:
            self._background.spawn(self._listen_for(page))
        return page

    def restore(self, runs: Iterable[RunState]) -> None:
        """Take over the runs of an earlier scheduler: those that were not over are lost."""
        for state in list(runs)[-REMEMBERED:]:
            page = self._runs[state.id] = PastRun(state, self._home(state.id), RunCost(self._spec.price, self._share))
            if page.live:
                self.end(page, "lost", LOST)
                self._event(f"{state.name} is lost, since the scheduler was started again", state.id, None)

    # What becomes of a run

    def end_if_over(self, page: LiveRun) -> None:
        """End a detached run whose tasks are all over."""
        if page.planned is None or not page.live or not page.planned <= page.over:
            return
        state = page.state
        if state.error:
            self.end(page, "failed", state.error)
        elif state.failed and (state.kind != "map" or not state.done or state.options.get("on_error") == "raise"):
            self.end(page, "failed", page.first_error())
        else:
            self.end(page, "done", "")
        self._event(f"{state.name} is {state.phase}", state.id, None)
        if state.kept:
            self._release(page)

    def end(self, page: LiveRun, phase: RunPhase, error: str) -> None:
        """The run is over; code that still runs is stopped."""
        if not page.live:
            return
        busy = page.cost.workers
        page.end(phase, error, time.time())
        self.results.over(page)
        if phase != "done":
            self._stopping.stop(page, busy)
            self._release(page)
        self._dirty.discard(page.state.id)
        self._changed(page.snapshot())

    def _home(self, run: str) -> Path | None:
        """The run's own folder."""
        folder = self._folder / run if self._folder is not None else None
        if folder is not None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

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

    def _timed_out(self, page: LiveRun) -> None:
        if page.live:
            self.end(page, "failed", f"RunTimeout: It took longer than {page.timeout:g} s.")
            self._event(f"{page.state.name} took longer than {page.timeout:g} s", page.state.id, None)

    async def _listen_for(self, page: LiveRun) -> None:
        """Give an attached run up when its kernel has long been silent."""
        while page.live and not page.state.detached:
            left = page.seen + SILENCE - time.time()
            if left <= 0:
                self.end(page, "lost", "RunLost: The kernel that fed it doesn't answer any more.")
                return
            await asyncio.sleep(min(left, 30.0))

    # Telling of progress, a few times a second

    def mark(self, page: LiveRun) -> None:
        """A run went on: tell of it soon."""
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


def sentence(text: str) -> str:
    """`text` with a capital and a full stop."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else text + "."

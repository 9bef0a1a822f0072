"""The journals of runs that somebody follows: from the controller while it lives, else from the run's folder."""

from __future__ import annotations

import asyncio
from logging import Logger

from ...controller.link import RunView
from ...core.base import Seconds
from ...core.cluster import ClusterState
from ...core.errors import MlopsError
from ...core.run import FINAL
from ...core.waiting import end_tasks
from ...home.runs import run_folder
from ..clusters.watcher import ClusterWatcher
from ..stream.hub import Hub
from .manager import RunManager

_POLL: Seconds = 20.0
_RETRY: Seconds = 2.0


class Journals:
    """One task per followed run."""

    def __init__(self, hub: Hub, runs: RunManager, watcher: ClusterWatcher, log: Logger) -> None:
        self._hub, self._runs, self._watcher, self._log = hub, runs, watcher, log
        self._tasks: dict[str, asyncio.Task[None]] = {}
        hub.on_follow.append(self._follow)

    async def close(self) -> None:
        """Stop following."""
        await end_tasks(*self._tasks.values())
        self._tasks.clear()

    def _follow(self) -> None:
        for run in set(self._tasks) - set(self._hub.runs):
            self._tasks.pop(run).cancel()
        for run in set(self._hub.runs) - set(self._tasks):
            self._tasks[run] = asyncio.create_task(self._tail(run))
            self._tasks[run].add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("jupyter-mlops: following a run failed", exc_info=error)

    async def _tail(self, run: str) -> None:
        """First what is on disk, then what comes."""
        while True:
            try:
                state = await self._runs.state(run)
            except MlopsError:
                await asyncio.sleep(_RETRY)  # asked for before it was seen
                continue
            self._hub.put_entries(run, await asyncio.to_thread(run_folder(run).journal))
            self._hub.set_ready(self._hub.runs.get(run))
            if state.phase in FINAL:
                return
            try:
                await self._watch(run, self._watcher.get(state.ran_on))
            except MlopsError:
                await asyncio.sleep(_RETRY)

    async def _watch(self, run: str, cluster: ClusterState) -> None:
        since = 0
        while True:
            view: RunView = await self._watcher.link(cluster.id).watch_run(run, since, _POLL)
            self._hub.put_entries(run, view.entries)
            self._runs.take(view.run.told_by(cluster.name, cluster.id))
            if view.run.phase in FINAL:
                return
            since = view.seq

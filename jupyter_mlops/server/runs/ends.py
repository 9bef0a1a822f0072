"""Brings home how runs of clusters elsewhere have ended that nobody follows.

What they logged and printed would end with the cluster else, and MLflow would never hear of their end.
"""

from __future__ import annotations

import asyncio
from logging import Logger

from ... import places
from ...controller.link import RunView
from ...core.base import Seconds
from ...core.curve import CurveLine
from ...core.errors import MlopsError, UnknownRun, Unreadable
from ...core.run import FINAL, RunState
from ...core.waiting import end_tasks
from ...home.runs import RunFolder, run_folder
from ..clusters.watcher import ClusterWatcher

#: Seconds after a run's end in which a kernel that follows it brings all of it home itself.
_OTHERS: Seconds = 15.0


class RunEnds:
    """Hears of runs that are over. Those count that were sent from this home, and of which it doesn't know the end."""

    def __init__(self, watcher: ClusterWatcher, log: Logger) -> None:
        self._watcher, self._log = watcher, log
        #: Runs of which nothing is to be brought any more, and what brings others.
        self._known: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        watcher.on_run.append(self._take)

    async def close(self) -> None:
        """Stop what is under way; a later server does it."""
        await end_tasks(*self._tasks)

    def _take(self, run: RunState) -> None:
        if run.phase in FINAL and run.id not in self._known and not places.writes_home(run.ran_on):
            self._known.add(run.id)
            task = asyncio.create_task(self._bring(run))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _bring(self, run: RunState) -> None:
        try:
            folder = run_folder(run.id)
            if await asyncio.to_thread(_knows_end, folder):
                return
            await asyncio.sleep(_OTHERS)
            if await asyncio.to_thread(_knows_end, folder):
                return
            link = self._watcher.link(run.ran_on)
            copied = await asyncio.to_thread(folder.copied_points)
            lines = copied.news(*await link.run_points(run.id, copied.seq))
            view = await link.watch_run(run.id, 0, 0)
            await asyncio.to_thread(_write, folder, run, lines, view)
        except (MlopsError, OSError) as error:  # it is silent, or there is no room: it will tell of the run again
            self._known.discard(run.id)
            self._log.info("jupyter-mlops: how run %s has ended isn't brought home yet: %s", run.id, error)


def _knows_end(folder: RunFolder) -> bool:
    """Whether nothing is to be brought: the end is known, or the run is another home's."""
    try:
        return folder.record().phase in FINAL
    except (FileNotFoundError, Unreadable, UnknownRun):
        return True


def _write(folder: RunFolder, run: RunState, lines: list[CurveLine], view: RunView) -> None:
    """The end comes last: who sees it finds all of the rest."""
    known = max((entry.seq for entry in folder.journal()), default=0)
    if entries := [entry for entry in view.entries if entry.seq > known]:
        folder.add_to_journal(entries)
    if lines:
        folder.add_to_curves(lines)
    state = view.run.told_by(run.cluster, run.cluster_id)
    folder.write_record(state.model_copy(update={"repeatable": folder.payload.exists()}))

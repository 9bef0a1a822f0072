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
from ...core.errors import ClusterEnded, MlopsError, UnknownCluster, UnknownRun, Unreadable
from ...core.run import FINAL, RunState
from ...core.waiting import end_tasks
from ...home.runs import RunFolder, run_folder
from ..clusters.watcher import ClusterWatcher

#: Seconds after a run's end in which a kernel that follows it brings all of it home itself; also those between two
#: tries, from the second one on twice as many each time, and at most.
OTHERS: Seconds = 15.0
_LONGEST: Seconds = 600.0


class RunEnds:
    """Hears of runs that are over. Those count that were sent from this home, and of which it doesn't know the end.

    Parameters
    ----------
    others : seconds that a kernel has to bring a run home itself.
    """

    def __init__(self, watcher: ClusterWatcher, log: Logger, others: Seconds = OTHERS) -> None:
        self._watcher, self._log, self._others = watcher, log, others
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
        """Bring a run home. Where its cluster is silent, or there is no room here, it is tried again and again: the
        cluster itself tells of the run once more only when it is connected to anew."""
        pause = self._others
        while not await asyncio.to_thread(_knows_end, run):
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST)
            try:
                await self._try(run)
            except (ClusterEnded, UnknownCluster) as error:
                self._known.discard(run.id)
                self._log.info("jupyter-mlops: how run %s has ended is not brought home: %s", run.id, error)
                return
            except (MlopsError, OSError) as error:
                self._log.info("jupyter-mlops: how run %s has ended isn't brought home yet: %s", run.id, error)

    async def _try(self, run: RunState) -> None:
        if await asyncio.to_thread(_knows_end, run):
            return
        link, folder = self._watcher.link(run.ran_on), run_folder(run.id)
        copied = await asyncio.to_thread(folder.copied_points)
        lines = copied.news(*await link.run_points(run.id, copied.seq))
        view = await link.watch_run(run.id, 0, 0)
        await asyncio.to_thread(_write, folder, run, lines, view)


def _knows_end(run: RunState) -> bool:
    """Whether nothing is to be brought: the end is known, or the run is another home's."""
    try:
        return run_folder(run.id).record().phase in FINAL
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

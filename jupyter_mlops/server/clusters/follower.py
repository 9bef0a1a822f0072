"""Watches one live cluster: a long poll of its controller, again and again, until it has ended."""

from __future__ import annotations

import asyncio
import contextlib
from logging import Logger
from typing import TYPE_CHECKING

from ... import places
from ...controller.link import ClusterView, Link
from ...core.base import Seconds
from ...core.cluster import ClusterState, Problem
from ...core.errors import ClusterUnreachable, Conflict, MlopsError, NotFound
from ..errors import problem_of
from ..history.keeper import Keeper
from ..stream.hub import Hub

if TYPE_CHECKING:
    from ..runs.manager import Runs
    from .watcher import Watcher

#: Seconds that a long poll may take: the controller answers after 20, and one that doesn't is unreachable.
_POLL: Seconds = 20.0
_PATIENCE: Seconds = 35.0

#: Seconds between tries to reach a cluster: doubling from the first to the second.
_BACKOFF: tuple[Seconds, Seconds] = (0.5, 30.0)


class Follower:
    """Keeps a link to one cluster and tells the watcher, the hub, the history and the runs what it says."""

    def __init__(
        self, state: ClusterState, watcher: Watcher, hub: Hub, keeper: Keeper, runs: Runs, log: Logger
    ) -> None:
        self.name, self.place, self.created = state.name, state.place, state.created
        self._watcher, self._hub, self._keeper, self._runs, self._log = watcher, hub, keeper, runs, log
        self._task: asyncio.Task[None] | None = None
        self._poll: asyncio.Task[ClusterView] | None = None
        self._link: Link | None = None
        self._state: ClusterState | None = None
        self._workers = False
        self._turn = 0
        self._failures = 0
        self._problem: Problem | None = None
        self._said = False

    @property
    def connected(self) -> bool:
        """Whether the controller answers."""
        return self._link is not None

    @property
    def link(self) -> Link:
        """The open link; raises `ClusterUnreachable`."""
        if self._link is None:
            raise ClusterUnreachable(
                f"The cluster {self.name!r} doesn't answer",
                self._problem.why if self._problem else "",
                "Try again soon.",
            )
        return self._link

    def ensure(self) -> None:
        """Watch, if that isn't being done. A watch that fell over is begun again by the next look."""
        if self._task is not None and self._task.done() and not self._task.cancelled():
            error = self._task.exception()
            if error is not None and not self._said:  # every look tries again, and one traceback is enough
                self._log.error("jupyter-mlops: the watch of %s failed", self.name, exc_info=error)
                self._said = True
            self._task = None
        if self._task is None:
            self._workers = self.name in self._hub.clusters
            self._task = asyncio.create_task(self._run())

    def want_workers(self, wanted: bool) -> None:
        """Watch the workers too, because somebody follows this cluster; or no more."""
        if wanted != self._workers:
            self._workers = wanted
            self._turn += 1
            if self._poll is not None:
                self._poll.cancel()

    def unreachable(self, record: ClusterState) -> ClusterState:
        """What to show while there is no answer: the last state, else the record, with the reason."""
        if self._problem is None:
            return record
        return (self._state or record).model_copy(update={"phase": "unreachable", "problem": self._problem})

    async def close(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self._watch()
            except (NotFound, Conflict):
                self._watcher.hurry()
                return  # it has ended; the look that comes shows how
            except MlopsError as error:
                await self._failed(error)

    async def _watch(self) -> None:
        link = await places.get(self.place).link(self.name)
        try:
            view = await self._ask(link, None)
            self._link, self._problem, self._failures = link, None, 0
            while True:
                self._take(view)
                view = await self._ask(link, view)
        finally:
            self._link = None
            with contextlib.suppress(OSError, MlopsError):  # it may be gone already
                await link.close()

    async def _ask(self, link: Link, last: ClusterView | None) -> ClusterView:
        """The next view. When it changes whether workers are wanted, the poll is given up and begun anew."""
        while True:
            workers, turn = self._workers, self._turn
            feed = self._hub.clusters.get(self.name)
            if last is None or (workers and feed is not None and not feed.ready):
                ask = link.view(workers=workers)
            else:
                ask = link.watch(last.seq, timeout=_POLL, workers=workers)
            self._poll = asyncio.ensure_future(ask)
            try:
                await asyncio.wait({self._poll}, timeout=_PATIENCE)
                if self._poll.done() and not self._poll.cancelled():
                    return self._poll.result()
                if turn == self._turn:
                    raise ClusterUnreachable(
                        f"The cluster {self.name!r} doesn't answer", f"for {_PATIENCE:.0f} seconds", "It may be stuck."
                    )
            finally:
                self._poll.cancel()
                await asyncio.gather(self._poll, return_exceptions=True)
                self._poll = None

    def _take(self, view: ClusterView) -> None:
        state = view.state
        if state.phase == "ended":
            # Its last words. It has ended when its place says so, which then has the receipt.
            state = state.model_copy(update={"phase": "stopping"})
            self._watcher.hurry()
        self._state = state
        if self._workers:
            self._hub.put_workers(self.name, view.workers, view.gone, view.whole)
        self._hub.put_events(self.name, view.events)
        if view.whole and self._workers:
            self._hub.set_ready(self._hub.clusters.get(self.name))
        self._keeper.put_events(state, view.events)
        for run in view.runs:
            self._runs.take(run)
        self._watcher.take(state)

    async def _failed(self, error: MlopsError) -> None:
        """It doesn't answer. It may have just ended, which its place knows."""
        try:
            record = await places.get(self.place).get(self.name)
        except MlopsError:
            self._watcher.hurry()
            return await asyncio.sleep(_BACKOFF[0])
        if record.phase == "ended":
            self._watcher.hurry()  # the look ends this watch
        elif self._failures or record.phase not in ("starting", "stopping"):
            self._problem = problem_of(error)
            self._watcher.take(self.unreachable(record))
        self._failures += 1
        least, most = _BACKOFF
        await asyncio.sleep(min(most, least * 2 ** min(10, self._failures)))
        return None

"""What the panel knows: coroutines in the loop's thread that list clusters, follow one of them, carry out commands.

The thread keeps going while a cell runs, so that numbers stay live; only clicks wait for the kernel. Everything that
is told is told from that thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ...client.clusters.kernel import loop_thread
from ...client.clusters.listing import backend_of, list_clusters
from ...controller.link import Link
from ...core.base import Seconds
from ...core.cluster import ClusterSpec, ClusterState
from ...core.errors import ClusterEnded, ClusterUnreachable, MlopsError, NotFound, StartFailed
from ...core.run import RunState

#: How often the clusters are listed: what others start or stop is seen after this long.
LIST_EVERY: Seconds = 2.0

#: How long to wait before a scheduler that doesn't answer is asked again.
AGAIN: Seconds = 2.0

#: Runs that are shown, newest first.
RUNS = 6

_T = TypeVar("_T")

_log = logging.getLogger(__name__)


@dataclass
class Seen:
    """What is known now: all clusters of this user, and of the chosen one its spec and its newest runs."""

    clusters: list[ClusterState] = field(default_factory=list)
    chosen: str = ""
    state: ClusterState | None = None
    spec: ClusterSpec | None = None
    runs: list[RunState] = field(default_factory=list)


class Watch:
    """Tells `seen` what changed, and `failed` of errors that no command waits for."""

    def __init__(self, seen: Callable[[Seen], None], failed: Callable[[MlopsError], None]) -> None:
        self._tell = seen
        self._failed = failed
        self._now = Seen()
        self._runs: dict[str, RunState] = {}
        self._link: Link | None = None
        self._follower: asyncio.Task[None] | None = None
        self._loop_thread = loop_thread()
        self._lister: Future[None] | None = None

    def start(self, name: str = "") -> None:
        """Begin, with the cluster `name`."""
        self._lister = self._spawn(self._list())
        if name:
            self.choose(name)

    @property
    def alive(self) -> bool:
        """Whether it is watching."""
        return self._lister is not None and not self._lister.done()

    def choose(self, name: str) -> None:
        """Follow the cluster `name` from now on; the empty name follows none."""
        self._spawn(self._choose(name))

    def command(self, verb: Callable[[Link], Awaitable[None]], done: Callable[[MlopsError | None], None]) -> None:
        """Ask the chosen cluster's controller; `done` gets None or what went wrong."""
        self.carry_out(self._ask(verb), lambda _, error: done(error))

    def carry_out(self, work: Coroutine[Any, Any, _T], done: Callable[[_T | None, MlopsError | None], None]) -> None:
        """Run a coroutine on the thread; `done` gets its result, or the error that it raised."""

        async def carried() -> None:
            try:
                result, error = await work, None
            except MlopsError as raised:
                result, error = None, raised
            done(result, error)

        self._spawn(carried())

    def close(self) -> None:
        """Let go of the cluster and watch no more. A no-op the second time."""
        if self._lister is not None and self._lister.cancel():
            self._loop_thread.call(self._choose(""))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> Future[None]:
        future = self._loop_thread.spawn(work)
        future.add_done_callback(_report)
        return future

    async def _list(self) -> None:
        while True:
            try:
                self._now.clusters = (await list_clusters()).clusters
                if self._link is None:
                    await self._from_record()
                self._told()
            except MlopsError as error:
                self._failed(error)
            await asyncio.sleep(LIST_EVERY)

    async def _choose(self, name: str) -> None:
        if self._follower is not None:
            self._follower.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._follower
            self._follower = None
        self._runs.clear()
        self._now = Seen(self._now.clusters, name)
        if name:
            self._follower = asyncio.get_running_loop().create_task(self._follow(name))

    async def _follow(self, name: str) -> None:
        """Follow a cluster to its end, over every loss of its scheduler."""
        with contextlib.suppress(NotFound):  # its record is gone; the list says so
            while True:
                try:
                    await self._from_record()
                    self._told()
                    await self._follow_link(name)
                except ClusterEnded:
                    await self._from_record()
                    self._told()
                    return
                except (ClusterUnreachable, StartFailed) as error:
                    self._failed(error)
                await asyncio.sleep(AGAIN)

    async def _follow_link(self, name: str) -> None:
        backend = await backend_of(name)
        self._now.spec = await backend.spec(name)
        link = await backend.link(name)
        self._link = link
        try:
            view = await link.view(workers=False)
            while True:
                self._now.state = view.state
                self._keep(view.runs)
                self._told()
                view = await link.watch(view.seq)
        finally:
            self._link = None
            await link.close()

    async def _from_record(self) -> None:
        """The chosen cluster as its record has it, while its scheduler isn't there to be asked."""
        name = self._now.chosen
        if not name:
            return
        backend = await backend_of(name)
        self._now.state = await backend.get(name)
        self._now.spec = await backend.spec(name)
        self._keep(await backend.runs(name))

    def _keep(self, runs: list[RunState]) -> None:
        self._runs.update((run.id, run) for run in runs)
        newest = sorted(self._runs.values(), key=lambda run: run.created, reverse=True)
        self._now.runs = newest[:RUNS]

    def _told(self) -> None:
        self._tell(self._now)

    async def _ask(self, verb: Callable[[Link], Awaitable[None]]) -> None:
        if self._link is not None:
            await verb(self._link)
            return
        backend = await backend_of(self._now.chosen)
        link = await backend.link(self._now.chosen)
        try:
            await verb(link)
        finally:
            await link.close()


def _report(future: Future[None]) -> None:
    """Nobody waits for these futures: what broke in one would go unseen."""
    if not future.cancelled() and future.exception() is not None:
        _log.error("the panel's watch broke", exc_info=future.exception())

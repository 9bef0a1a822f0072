"""What the panel knows: coroutines in the loop's thread that list clusters, follow one of them, carry out commands.

The thread keeps going while a cell runs, so that numbers stay live; only clicks wait for the kernel. Everything that
is told is told from that thread.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ... import places
from ...client.clusters.follow import ClusterFollower
from ...client.clusters.kernel import loop_thread
from ...client.clusters.listing import Listing, list_clusters
from ...client.clusters.live import open_link
from ...controller.link import ClusterView, Link
from ...core.base import Seconds
from ...core.cluster import ClusterSpec, ClusterState
from ...core.errors import MlopsError, NotFound
from ...core.run import RunState
from ...core.waiting import until_set

#: How often the clusters are listed: what others start or stop is seen after this long.
LIST_EVERY: Seconds = 2.0

#: Runs that are shown, newest first.
RUNS = 6

_T = TypeVar("_T")

_log = logging.getLogger(__name__)


@dataclass
class Seen:
    """What is known now: all clusters that this user sees, and of the chosen one its spec and its newest runs."""

    listing: Listing = field(default_factory=Listing)
    #: The id of the chosen one; until it is found, the name that was given for it.
    chosen: str = ""
    state: ClusterState | None = None
    spec: ClusterSpec | None = None
    runs: list[RunState] = field(default_factory=list)
    #: Whether it was said that the chosen cluster isn't listed.
    missed: bool = False


class PanelWatch:
    """Tells `show` what changed, and `fail` of errors that no command waits for."""

    def __init__(self, show: Callable[[Seen], None], fail: Callable[[MlopsError], None]) -> None:
        self._show, self._fail = show, fail
        self._now = Seen()
        self._runs: dict[str, RunState] = {}
        self._follower: ClusterFollower | None = None
        self._loop_thread = loop_thread()
        self._lister: Future[None] | None = None
        #: Set when the clusters are to be listed at once: the chosen one has ended.
        self._look = asyncio.Event()

    def start(self, name: str = "") -> None:
        """Begin, with the cluster `name`."""
        self._lister = self._spawn(self._list(name))

    @property
    def alive(self) -> bool:
        """Whether it is watching."""
        return self._lister is not None and not self._lister.done()

    def choose(self, name: str) -> None:
        """Follow the cluster `name` from now on; the empty name follows none."""
        self._spawn(self._choose(name))

    def command(self, verb: Callable[[Link], Awaitable[None]], done: Callable[[MlopsError | None], None]) -> None:
        """Ask the chosen cluster's controller; `done` gets None, once what the cluster made of it is shown, or what
        went wrong."""
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

    async def _list(self, name: str) -> None:
        if name:
            await self._choose(name)
        while True:
            now, listing = self._now, await list_clusters()
            if not threading.main_thread().is_alive():  # the kernel ends, and nothing that is asked is answered
                return
            await self._take_list(now, listing)
            await until_set(self._look, LIST_EVERY)
            self._look.clear()

    async def _choose(self, name: str) -> None:
        follower, self._follower = self._follower, None
        self._runs.clear()
        now = self._now = Seen(self._now.listing, name)
        if follower is not None:
            await follower.close()
        if name:
            await self._take_list(now, await list_clusters())

    async def _take_list(self, now: Seen, listing: Listing) -> None:
        """Show a list that was asked for when `now` was what is known. One cluster was chosen meanwhile: it may have
        been made after that, and is listed anew by who chose it."""
        if now is self._now:
            now.listing = listing
            await self._follow()
            self._tell()

    async def _follow(self) -> None:
        """Follow the chosen cluster; while its controller doesn't answer, read what its place knows."""
        now = self._now
        record = self._named(now)
        if record is None:
            return
        now.chosen = record.id
        if self._follower is not None and self._follower.id != record.id:  # another one of the same name
            follower, self._follower = self._follower, None
            await follower.close()
        if record.phase != "ended" and now is self._now:
            if self._follower is None:
                self._follower = ClusterFollower(record, self._take_state, self._take_view, self._look.set)
            self._follower.ensure()
            self._follower.set_record(record)
        elif now is self._now:
            now.state = record
        await self._read(now, record)

    async def _read(self, now: Seen, record: ClusterState) -> None:
        backend = places.get(record.place)
        try:
            if now.spec is None:
                now.spec = await backend.spec(record.id)
            if self._follower is None or not self._follower.connected:
                runs = await backend.runs(record.id)
                if now is self._now:
                    self._keep(runs)
        except NotFound:  # its record went just now: the next list says so
            return
        except MlopsError as error:
            if record.phase != "unreachable":  # which is shown already
                self._fail(error)

    def _named(self, now: Seen) -> ClusterState | None:
        """The chosen cluster; that it isn't listed is said once."""
        if not now.chosen:
            return None
        try:
            return now.listing.named(now.chosen)
        except MlopsError as error:
            if not now.missed:
                now.missed = True
                self._fail(error)
            return None

    def _take_state(self, state: ClusterState) -> None:
        if state.id == self._now.chosen:
            self._now.state = state
            self._tell()

    def _take_view(self, view: ClusterView, _: bool) -> None:
        if view.state.id == self._now.chosen:
            self._keep(view.runs)

    def _keep(self, runs: list[RunState]) -> None:
        self._runs.update((run.id, run) for run in runs)
        newest = sorted(self._runs.values(), key=lambda run: run.created, reverse=True)
        self._now.runs = newest[:RUNS]

    def _tell(self) -> None:
        self._show(self._now)

    async def _ask(self, verb: Callable[[Link], Awaitable[None]]) -> None:
        follower = self._follower
        if follower is not None and follower.connected:
            await verb(follower.link)
            return await follower.ask_state()
        record = (await list_clusters()).named(self._now.chosen)
        async with open_link(record.place, record.id) as link:
            return await verb(link)


def _report(future: Future[None]) -> None:
    """Nobody waits for these futures: what broke in one would go unseen."""
    if not future.cancelled() and future.exception() is not None:
        _log.error("the panel's watch broke", exc_info=future.exception())

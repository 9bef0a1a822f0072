"""Follows live clusters: a long poll of the controller, again and again, over every loss of its scheduler."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import logging
from collections.abc import AsyncIterator, Callable

from ... import places
from ...controller.link import ClusterView, Link
from ...core.base import Seconds
from ...core.cluster import ClusterState, Problem
from ...core.errors import ClusterUnreachable, Conflict, MlopsError, NotFound
from ...core.waiting import end_tasks, until_set
from .live import LinkOpener, open_link
from .problems import unreachable

#: Seconds that a long poll may take: the controller answers after 20, and one that doesn't is unreachable.
_POLL: Seconds = 20.0
_PATIENCE: Seconds = 35.0

#: Seconds between tries to reach a cluster: doubling from the first to the second.
_BACKOFF: tuple[Seconds, Seconds] = (0.5, 10.0)

#: Seconds between two looks at the record of a cluster whose controller doesn't answer.
_LOOK: Seconds = 0.5

_log = logging.getLogger("jupyter_mlops")


class ClusterFollower:
    """Keeps a link to one cluster, and knows its newest state. Its callbacks are called on the event loop.

    Parameters
    ----------
    record : the cluster as its place lists it.
    on_state : told each new state of a cluster that lives; also that it doesn't answer, and why.
    on_view : told all that the controller says, before its state is; and whether its workers are in it. Which cluster
        it is, and whose, is as the record has it there, too.
    on_end : told that the cluster has ended or is gone. Its place knows how, and `state` where it has a record.
    opener : gives the links to follow by; None opens one of the follower's own.
    """

    def __init__(
        self,
        record: ClusterState,
        on_state: Callable[[ClusterState], None] = lambda state: None,
        on_view: Callable[[ClusterView, bool], None] = lambda view, workers: None,
        on_end: Callable[[], None] = lambda: None,
        opener: LinkOpener | None = None,
    ) -> None:
        self.name, self.place, self.id = record.name, record.place, record.id
        self._record = record
        #: The newest state; None when the cluster is not on record any more.
        self.state: ClusterState | None = record
        self._on_state, self._on_view, self._on_end = on_state, on_view, on_end
        self._opener = opener or functools.partial(open_link, self.place, self.id)
        self._task: asyncio.Task[None] | None = None
        self._poll: asyncio.Task[ClusterView] | None = None
        self._link: Link | None = None
        self._tick = asyncio.Event()
        self._heard: ClusterState | None = None
        self._workers = self._all_workers = False
        self._failures = 0
        self._problem: Problem | None = None
        self._logged = False

    @property
    def connected(self) -> bool:
        """Whether the controller answers."""
        return self._link is not None

    @property
    def link(self) -> Link:
        """The open link.

        Raises
        ------
        ClusterUnreachable : there is none now.
        """
        if self._link is None:
            why = self._problem.why if self._problem else ""
            raise ClusterUnreachable(f"The cluster {self.name!r} doesn't answer", why, "Try again soon.")
        return self._link

    async def changed(self, timeout: Seconds) -> None:
        """Return when there is a new state, or after `timeout` seconds."""
        await until_set(self._tick, timeout)

    def ensure(self, workers: bool = False) -> None:
        """Follow, if that isn't being done, with the cluster's `workers` or without. A task that fell over, which is a
        fault of ours, is begun again."""
        if self._task is not None and self._task.done() and not self._task.cancelled():
            error = self._task.exception()
            if error is not None and not self._logged:  # one traceback is enough
                _log.error("jupyter-mlops: following %s failed", self.name, exc_info=error)
                self._logged = True
            self._task = None
        if self._task is None:
            self._workers = self._all_workers = workers
            self._task = asyncio.create_task(self._run())

    def want_workers(self, wanted: bool) -> None:
        """Follow the workers too, from all of them on; or no more."""
        if wanted != self._workers:
            self._workers = self._all_workers = wanted
            if self._poll is not None:
                self._poll.cancel()

    def set_record(self, record: ClusterState) -> None:
        """This is how its place lists it: what is known while the controller doesn't answer."""
        if self._link is None:
            self._set(record)
            if record.phase != "ended":
                self._on_state(self._shown(record))

    async def ask_state(self) -> None:
        """Have the state after all that its controller was asked for so far; raises `ClusterUnreachable`.

        What is told by itself may not have the number that was just asked for: the controller can have raised it again
        in the same moment.
        """
        self._hear(await self.link.view(workers=False), workers=False)

    async def look(self) -> None:
        """Ask its place for the record, where the controller doesn't answer."""
        if self._link is not None:
            return
        try:
            self.set_record(await places.get(self.place).get(self.id))
        except NotFound:
            self._set(None)
        except MlopsError as silence:  # the place itself
            self._be_silent(silence)

    async def close(self) -> None:
        """Follow no more."""
        if self._task is not None:
            await end_tasks(self._task)

    async def _run(self) -> None:
        while True:
            try:
                await self._follow()
            except (NotFound, Conflict):
                return await self._end()
            except MlopsError as error:
                await self._fail(error)

    async def _follow(self) -> None:
        async with self._opener() as link:
            try:
                view, workers = await self._ask(link, None)
                self._link, self._problem, self._failures = link, None, 0
                while True:
                    self._hear(view, workers)
                    view, workers = await self._ask(link, view)
            finally:
                self._link = None

    async def _ask(self, link: Link, last: ClusterView | None) -> tuple[ClusterView, bool]:
        """The next view, and whether it has workers. When that is to change, the poll is cancelled and begun anew."""
        while True:
            workers, whole = self._workers, last is None or self._all_workers
            ask = link.view(workers=workers) if whole else link.watch(last.seq if last else 0, _POLL, workers)
            poll = self._poll = asyncio.ensure_future(ask)
            try:
                await asyncio.wait({poll}, timeout=_PATIENCE)
                if poll.done() and not poll.cancelled():
                    view = poll.result()
                    self._all_workers = self._all_workers and not workers
                    return view, workers
                if not poll.done():
                    raise ClusterUnreachable(
                        f"The cluster {self.name!r} doesn't answer", f"for {_PATIENCE:.0f} seconds", "It may be stuck."
                    )
            finally:
                await end_tasks(poll)
                self._poll = None

    def _hear(self, view: ClusterView, workers: bool) -> None:
        state = self._record.told(view.state)
        view = dataclasses.replace(view, state=state)
        ended = state.phase == "ended"
        if ended:  # its last words: it has ended when its place says so, which then has the receipt
            state = state.model_copy(update={"phase": "stopping"})
        self._heard = state
        self._set(state)
        self._on_view(view, workers)
        self._on_state(state)
        if ended:
            self._on_end()

    async def _fail(self, error: MlopsError) -> None:
        """It doesn't answer. It may have just ended, which its place knows."""
        try:
            record = await places.get(self.place).get(self.id)
        except NotFound:
            self._set(None)
            self._on_end()
        except MlopsError as silence:
            self._be_silent(silence)
        else:
            if record.phase == "ended":
                self._set(record)
                self._on_end()
            elif self._failures or record.phase not in ("starting", "stopping"):
                self._problem = Problem.of(error)
                self.set_record(record)
        self._failures += 1
        least, most = _BACKOFF
        await asyncio.sleep(min(most, least * 2 ** min(10, self._failures)))

    async def _end(self) -> None:
        with contextlib.suppress(MlopsError):  # then the last state has to do
            try:
                self._set(await places.get(self.place).get(self.id))
            except NotFound:
                self._set(None)
        self._on_end()

    def _be_silent(self, silence: MlopsError) -> None:
        self._problem = Problem.of(silence)
        if self.state is not None:
            self.set_record(self.state)

    def _shown(self, record: ClusterState) -> ClusterState:
        """The last state that was heard, else the record; with the reason why there is no newer one."""
        if self._problem is None or record.phase in ("ended", "unreachable"):
            return record
        return unreachable(
            self._heard if self._heard is not None and record.phase != "starting" else record, self._problem
        )

    def _set(self, state: ClusterState | None) -> None:
        self.state = None if state is None else self._shown(state) if self._link is None else state
        tick, self._tick = self._tick, asyncio.Event()
        tick.set()


@contextlib.asynccontextmanager
async def following(record: ClusterState, opener: LinkOpener | None = None) -> AsyncIterator[ClusterFollower]:
    """Follow one cluster meanwhile: by its controller, and while that doesn't answer by its record."""
    follower = ClusterFollower(record, opener=opener)
    follower.ensure()
    looking = asyncio.create_task(_look(follower))
    try:
        yield follower
    finally:
        await end_tasks(looking)
        await follower.close()


async def _look(follower: ClusterFollower) -> None:
    while True:
        await asyncio.sleep(_LOOK)
        await follower.look()

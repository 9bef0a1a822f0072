"""The tasks of a run on its cluster: sent, waited for, let go."""

from __future__ import annotations

import asyncio
import contextlib
import warnings
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from ....agent import surroundings
from ....controller.runs.gangs.seats import NOWHERE
from ....controller.runs.install import enter
from ....core.errors import ClusterUnreachable, Unavailable
from ....core.resources import demanded
from ...clusters.session import Session
from ...send.payload import RunPayload, head_bytes, names_dask

if TYPE_CHECKING:
    from distributed import Future

#: Seconds that the tasks of a detached run may take to arrive.
ARRIVAL = 120.0

#: Seconds that a cluster may be silent before a run on it is given up, and between two tries to get a result from it.
GIVEN_UP, PAUSE = 300.0, 0.5

#: Seconds between two looks at how many threads there are.
LOOK = 2.0

#: How often a batch is sent again because a big variable that it needs was lost.
AGAIN = 5

#: What Dask raises when the way to a result breaks.
_BROKEN = (OSError, asyncio.TimeoutError, asyncio.CancelledError)


class TaskLost(Exception):
    """A task can't be had any more; the cluster said why."""


class Tasks:
    """What this process holds of a run on the cluster.

    Parameters
    ----------
    session : the cluster.
    run : the run's id.
    group : of the workers that may run it; None for any.
    """

    def __init__(self, session: Session, run: str, group: str | None) -> None:
        self._session, self._run = session, run
        self._resources = demanded(group) if group else None
        self._futures: set[Future[Any]] = set()
        #: What all tasks share: the head of the payload, as it is sent, and its big variables.
        self.code = b""
        self.bigs: list[Future[Any]] = []
        self._putting = asyncio.Lock()
        #: Whether this process itself gave the run up.
        self.stopping = False

    def key(self, index: int) -> str:
        """The key of a task."""
        return f"mlrun-{self._run}-{index}"

    async def prepare(self, payload: RunPayload, everywhere: bool) -> None:
        """Put on the cluster what all tasks share; `everywhere` is whether many workers will need it."""
        # neither the environment nor a key is recorded: they are secrets, and of now
        client = self._session.client_keys if names_dask(payload) else None
        self.code = head_bytes({**payload.head, "surroundings": surroundings.here(), "client": client})
        self.bigs = await self._session.put(payload, everywhere=everywhere)

    async def put_again(self, payload: RunPayload, everywhere: bool, lost: list[Future[Any]]) -> bool:
        """Put the big variables there once more, if a worker that had one died. Returns whether a task that was lost
        may be sent again, with the new ones.

        `lost` : the big variables that the task was sent with. When they aren't the present ones, the loss of another
        task has brought new ones already.
        """
        async with self._putting:
            if self.bigs is not lost:
                return True
            if all(str(big.status) == "finished" for big in lost):
                return False
            self.bigs = await self._session.put(payload, everywhere=everywhere, anew=True)
            return True

    def send(self, part: bytes, index: int) -> Future[Any]:
        """Send the task number `index`."""
        future: Future[Any] = self._session.client.submit(
            enter,
            self.code,
            part,
            *self.bigs,
            key=self.key(index),
            resources=self._resources,
            pure=False,
        )
        self._futures.add(future)
        return future

    def send_seats(self, parts: list[bytes], given: Sequence[Any] = (), first: int = 0) -> list[Future[Any]]:
        """Send the seats of a gang, which wait until the cluster has a worker for each, as tasks from number `first`
        on. `given` is what each of them is given of its own, with futures in it: Dask brings it there, and makes it
        anew when it was lost."""
        own = [[each] for each in given] or [[] for _ in parts]
        futures = [
            self._session.client.submit(
                enter,
                self.code,
                part,
                *own[number],
                *self.bigs,
                key=self.key(first + number),
                workers=[NOWHERE],
                pure=False,
            )
            for number, part in enumerate(parts)
        ]
        self._futures.update(futures)
        return futures

    def send_many(self, parts: list[bytes], first: int) -> None:
        """Send the tasks from number `first` on, in one message: hundreds of messages would hold the scheduler up."""
        count = len(parts)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sending large graph", category=UserWarning)  # it is items
            futures: list[Future[Any]] = self._session.client.map(
                enter,
                [self.code] * count,
                parts,
                *([big] * count for big in self.bigs),
                key=[self.key(first + number) for number in range(count)],
                resources=self._resources,
                pure=False,
            )
        self._futures.update(futures)

    def compute(self, pending: list[Any]) -> list[Future[Any]]:
        """Send tasks that are Dask's delayed objects, in one graph."""
        from dask.base import annotate

        with annotate(resources=self._resources) if self._resources else annotate():
            futures: list[Future[Any]] = self._session.client.compute(pending)
        self._futures.update(futures)
        return futures

    def futures_of(self, parts: list[Any]) -> list[Future[Any]]:
        """Futures of partitions, which are delayed objects, to be computed now, or futures of somebody else's."""
        from dask.delayed import delayed

        return self.compute([part if hasattr(part, "__dask_graph__") else delayed(part) for part in parts])

    def drop(self, future: Future[Any]) -> None:
        """Let go of one."""
        self._futures.discard(future)
        future.release()

    async def drop_to_send_again(self, future: Future[Any]) -> None:
        """Let go of one whose key will be used again. Dask does so a little later than it is told to, and until then it
        takes a new task of that key for the old one."""
        self.drop(future)
        for _ in range(1000):
            if future.key not in self._session.client.futures:
                break
            await asyncio.sleep(0.001)

    def let_go(self) -> None:
        """Let go of all; those of a detached run are the cluster's from here on."""
        for future in self._futures:
            future.release()
        self._futures.clear()

    async def plan(self, total: int | None, tasks: int) -> None:
        """Hand a detached run to the cluster, once all of its tasks have arrived there."""
        keys = [self.key(index) for index in range(tasks)]
        deadline = asyncio.get_running_loop().time() + ARRIVAL
        while True:
            try:
                return await self._session.link.plan_run(self._run, total, keys)
            except ClusterUnreachable:
                raise
            except Unavailable:
                if asyncio.get_running_loop().time() > deadline:
                    raise

    async def insist(
        self, part: bytes, index: int, payload: RunPayload, take: Callable[[Future[Any]], Awaitable[dict[str, Any]]]
    ) -> dict[str, Any]:
        """What the task number `index` gives, which many workers may run; it is sent again while only a big variable of
        `payload` was lost. `take` gets what a sent task gave; raises what it does."""
        for attempt in range(AGAIN):
            bigs, future = self.bigs, self.send(part, index)
            try:
                return await take(future)
            except TaskLost:
                await self.drop_to_send_again(future)
                if attempt == AGAIN - 1 or not await self.put_again(payload, everywhere=True, lost=bigs):
                    raise
        raise AssertionError("unreachable")

    async def outcome(self, future: Future[Any]) -> dict[str, Any]:
        """What a task gave; while the way to it is broken it is asked for again, since a new connection waits less
        long for a network than those that are open.

        Raises
        ------
        TaskLost : it gave nothing.
        """
        broken_since = None
        while True:
            try:
                result: dict[str, Any] = await self._session.result(future)
                break
            except _BROKEN as error:
                if self.stopping and isinstance(error, asyncio.CancelledError):
                    raise
                now = asyncio.get_running_loop().time()
                broken_since = broken_since or now
                if future.status != "finished" or now - broken_since > GIVEN_UP:
                    raise TaskLost(_words(error)) from error
                await asyncio.sleep(PAUSE)
            except Exception as error:  # Dask raises what the task's worker met: it was killed, it lost an input
                raise TaskLost(_words(error)) from error
        if result.get("stopped"):
            raise TaskLost("the task was stopped")
        return result

    async def threads(self) -> int:
        """Threads that may run the tasks now."""
        counts = await self._session.client.nthreads() or {}
        return max(1, int(sum(counts.values())))


async def keep_looking(look: Callable[[], Awaitable[int]]) -> None:
    """Look again and again how many threads there are."""
    while True:
        await asyncio.sleep(LOOK)
        with contextlib.suppress(OSError):  # while the cluster is silent, what was known stays
            await look()


def _words(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError):
        return "the cluster forgot the task"
    if type(error).__name__ == "KilledWorker":
        return "four workers in a row died while they ran the same task"
    return f"{type(error).__name__}: {error}"

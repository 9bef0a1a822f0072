"""The replicas of a version, as their router has them: started, asked, replaced and let go."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable

from ..core.base import Seconds
from ..core.errors import MlopsError, Unavailable
from ..core.service import ServiceSpec
from ..core.waiting import wait_for
from ..home.services import ServiceFolder
from .frames import Frame
from .replica_process import ReplicaLost, ReplicaProcess, busy

#: Seconds that a request waits for a replica which is ready.
WAITING = 15.0

#: Seconds before a replica that died is replaced, from the second time on, and at most.
_FIRST, _LONGEST = 1.0, 30.0

#: Requests that a replica may have before it.
_MOST = 256


class Fleet:
    """All replicas of one version, of which each is as good as another.

    Parameters
    ----------
    say : called with a line for the log.
    on_counts : called with what a replica has counted.
    """

    def __init__(
        self,
        spec: ServiceSpec,
        folder: ServiceFolder,
        say: Callable[[str], None],
        on_counts: Callable[[Frame], None],
    ) -> None:
        self.spec, self._folder, self._say, self._on_counts = spec, folder, say, on_counts
        #: What each is told once it is ready.
        self._told: dict[int, bytes] = {}
        self.replicas: list[ReplicaProcess] = []
        #: Why there are fewer than there should be.
        self.fault: MlopsError | None = None
        self._numbers = itertools.count(1)
        self._replacing: set[asyncio.Task[None]] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        self._some_ready = asyncio.Event()
        self._ending = False
        self._deaths = 0

    async def start(self) -> None:
        """Start them all, and return when all answer. Raises `MlopsError`, and leaves none then."""
        self.replicas = [self._new() for _ in range(self.spec.replicas)]
        try:
            started = await asyncio.gather(*(replica.start() for replica in self.replicas), return_exceptions=True)
            for fault in filter(None, started):
                raise fault
        except BaseException:
            await self.end()
            raise
        self._some_ready.set()

    async def ask(self, code: int, body: bytes, head: bytes = b"", waiting: Seconds = WAITING) -> Frame:
        """The answer of the replica that has least to do; of one that is silent only where all are. When it goes
        meanwhile, another one is asked, once: a request that ends its replica is not to end them all.

        Parameters
        ----------
        waiting : seconds to wait for a replica that is ready, where none is.

        Raises
        ------
        Unavailable : none is ready, all have too much to do, or two were lost over this request.
        asyncio.TimeoutError : it took longer than the service has patience.
        """
        for _ in range(2):
            replica = await self._least_busy(waiting)
            with contextlib.suppress(ReplicaLost):
                return await replica.ask(code, body, head)
        raise Unavailable("The request isn't answered", "two replicas were lost while they worked on it", "")

    async def _least_busy(self, waiting: Seconds) -> ReplicaProcess:
        if waiting and not self._some_ready.is_set():
            with contextlib.suppress(asyncio.TimeoutError):
                await wait_for(self._some_ready.wait(), waiting)
        ready = [replica for replica in self.replicas if replica.phase == "ready"]
        if not ready:
            why = str(self.fault) if self.fault is not None else "a new one is being started"
            raise Unavailable("No replica is ready", why, "Try again.")
        found = min(ready, key=lambda replica: (replica.load >= _MOST, replica.silent, replica.load))
        if found.load >= _MOST:
            raise busy(f"{_MOST} requests wait at each of its replicas")
        return found

    async def resize(self, number: int) -> None:
        """Have so many; returns when all that are new answer. Those that are too many go once they have answered what
        they were asked. Raises `MlopsError`, and leaves those that were there."""
        more = [self._new() for _ in range(number - sum(each.phase != "draining" for each in self.replicas))]
        self.replicas += more
        before, self.spec = self.spec, self.spec.model_copy(update={"replicas": number})
        try:
            for fault in filter(None, await asyncio.gather(*(each.start() for each in more), return_exceptions=True)):
                raise fault
        except BaseException:
            self.spec = before
            self.replicas = [each for each in self.replicas if each not in more]
            await asyncio.gather(*(each.let_go() for each in more))
            raise
        self._some_ready.set()
        self._dismiss_surplus()

    def _dismiss_surplus(self) -> None:
        """Let those go that are too many: one that was to take the place of another may not be needed any more."""
        going = {task.get_name() for task in self._leaving}
        for replica in [each for each in self.replicas if each.phase == "ready"][self.spec.replicas :]:
            if replica.name not in going:
                task = asyncio.get_running_loop().create_task(self._dismiss(replica), name=replica.name)
                self._leaving.add(task)
                task.add_done_callback(self._leaving.discard)

    async def _dismiss(self, replica: ReplicaProcess) -> None:
        await replica.let_go(self.spec.patience)
        self.replicas.remove(replica)

    def tell(self, code: int, body: bytes) -> None:
        """Tell all something, and each that is started from now on."""
        if self._told.get(code) != body:
            self._told[code] = body
            for replica in self.replicas:
                if replica.phase == "ready":
                    replica.tell(code, body)

    @property
    def ready(self) -> int:
        """How many answer."""
        return sum(replica.phase == "ready" for replica in self.replicas)

    def look(self) -> None:
        """To be called every second: replicas that are stuck are ended, and so replaced."""
        for replica in self.replicas:
            replica.end_if_stuck()

    async def count(self) -> None:
        """Have all replicas tell what they have counted, and return when they have."""
        if asked := [future for replica in self.replicas if (future := replica.count()) is not None]:
            await asyncio.wait(asked)

    def ask_counts(self) -> None:
        """Have all replicas tell what they have counted, when they come to it."""
        for replica in self.replicas:
            replica.count()

    async def end(self, patience: Seconds = 0.0) -> None:
        """Let all go, once they have answered what they were asked, or are out of patience."""
        self._ending = True
        for task in self._replacing:
            task.cancel()
        await asyncio.gather(*self._replacing, return_exceptions=True)
        left = [replica for replica in self.replicas if replica.phase != "draining"]
        await asyncio.gather(*self._leaving, *(replica.let_go(patience) for replica in left))

    async def settle(self, patience: Seconds) -> None:
        """Return when all have answered what they were asked, and told their counts, or are out of patience."""
        await asyncio.gather(*(replica.settle(patience) for replica in self.replicas))

    async def there(self, within: Seconds) -> bool:
        """Whether all say in so many seconds that they are there."""
        said = [replica.greet() for replica in self.replicas]
        _, silent = await asyncio.wait(said, timeout=within) if said else ((), ())
        return bool(said) and not silent and all(each.exception() is None for each in said)

    def _new(self) -> ReplicaProcess:
        name = f"v{self.spec.version}-{next(self._numbers)}"
        replica = ReplicaProcess(
            name, self.spec, self._folder, lambda: self._gone(replica), self._on_counts, self._told
        )
        return replica

    def _gone(self, replica: ReplicaProcess) -> None:
        self.replicas.remove(replica)
        if not self.ready:
            self._some_ready.clear()
        if self._ending:
            return
        self._say(f"replica {replica.name} of {self.spec.version_name} is gone; another takes its place")
        task = asyncio.get_running_loop().create_task(self._replace(replica))
        self._replacing.add(task)
        task.add_done_callback(self._replacing.discard)

    async def _replace(self, gone: ReplicaProcess) -> None:
        await gone.let_go()  # its process is reaped
        lived = time.time() - gone.since
        self._deaths = 0 if lived > _LONGEST else self._deaths
        while True:
            await asyncio.sleep(self._pause())
            self._deaths += 1
            replica = self._new()
            self.replicas.append(replica)
            try:
                await replica.start()
            except asyncio.CancelledError:
                raise
            except MlopsError as error:
                self.replicas.remove(replica)
                await replica.let_go()
                if str(error) != str(self.fault):
                    self._say(f"no replica of {self.spec.version_name} can be started: {error}")
                self.fault = error
                continue
            self.fault = None
            self._some_ready.set()
            return self._dismiss_surplus()

    def _pause(self) -> Seconds:
        """Seconds before the next try: none for the first death, then more and more."""
        return min(_LONGEST, _FIRST * 2 ** (self._deaths - 1)) if self._deaths else 0.0

"""A pool whose workers are real Dask workers in this process: a whole place, without processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import dask
from distributed import Worker

from jupyter_mlops.controller.pool import Notice
from jupyter_mlops.core.cluster import Problem
from jupyter_mlops.core.profile import Group

#: The workers share this process, whose memory says nothing of theirs: Dask must not pause one because of it.
UNWATCHED = {f"distributed.worker.memory.{limit}": False for limit in ("target", "spill", "pause", "terminate")}


class InProcessPool:
    """Runs workers on the event loop of the scheduler.

    `broken` makes workers die as soon as they start, `refused` makes the place have no room for more.
    """

    def __init__(self) -> None:
        self.workers: dict[str, Worker] = {}
        self.groups: dict[str, str] = {}
        self.broken: Problem | None = None
        self.refused: Problem | None = None
        self.problem: Problem | None = None
        self.present: list[Notice] = []
        self.removed: list[str] = []
        self.closed = 0
        self._starting: dict[str, asyncio.Task[None]] = {}
        self._watching: set[asyncio.Task[None]] = set()

    async def start(self, scheduler_address: str, notify: Callable[[Notice], None]) -> None:
        self._address, self.notify = scheduler_address, notify
        for notice in self.present:
            notify(notice)

    async def create(self, group: Group, names: Sequence[str]) -> None:
        for name in names:
            self.groups[name] = group.name
            if self.refused is not None:
                self.notify(Notice(name, "pending", self.refused))
                continue
            self._starting[name] = asyncio.create_task(self._start(group, name))

    async def _start(self, group: Group, name: str) -> None:
        self.notify(Notice(name, "starting", host="127.0.0.1", pid=1))
        if self.broken is not None:
            await asyncio.sleep(0)
            self.notify(Notice(name, "lost", self.broken))
            return
        with dask.config.set(UNWATCHED):
            worker = self.workers[name] = Worker(
                self._address,
                name=name,
                nthreads=group.threads,
                memory_limit=group.memory,
                resources={f"group:{group.name}": 1_000_000},
                dashboard=False,
            )
        await worker
        self._watch(name, worker)

    def _watch(self, name: str, worker: Worker) -> None:
        """Notice it, as a place would, when the worker ends by itself."""

        async def watch() -> None:
            await worker.finished()  # type: ignore[no-untyped-call]  # Dask's
            if self.workers.get(name) is worker:
                del self.workers[name]
                self.notify(Notice(name, "lost", Problem(what=f"Worker {name} ended", why="exit code 0")))

        self._watching.add(task := asyncio.create_task(watch()))
        task.add_done_callback(self._watching.discard)

    async def kill(self, name: str, problem: Problem | None = None, tell: bool = True) -> None:
        """The worker dies, as by a signal: nothing of it is saved."""
        worker = await self._take(name)
        assert worker is not None and worker.batched_stream.comm is not None
        worker.batched_stream.comm.abort()
        await worker.close(executor_wait=False, nanny=False)
        if tell:
            self.notify(Notice(name, "lost", problem))

    async def remove(self, names: Sequence[str], grace: float = 5.0) -> None:
        self.removed += names
        for name in names:
            worker = await self._take(name)
            if worker is not None:
                await worker.close(executor_wait=False, nanny=False)
            self.notify(Notice(name, "ended"))

    async def _take(self, name: str) -> Worker | None:
        """Take a worker out; once it has started, since it joins a little earlier."""
        if name in self._starting:
            await self._starting.pop(name)
        return self.workers.pop(name, None)

    async def logs(self, name: str, lines: int = 200) -> list[str]:
        return [f"a line of {name}"] if name in self.groups else []

    async def close(self) -> None:
        self.closed += 1
        await self.remove(list(self._starting))

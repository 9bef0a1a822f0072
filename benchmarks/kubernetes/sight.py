"""What everybody's pods are seen by, ours and the peers': a watch of the namespace, of the benchmark's own."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from jupyter_mlops.client.loop_thread import LoopThread
from jupyter_mlops.places.kubernetes import names
from jupyter_mlops.places.kubernetes.api.client import Api
from jupyter_mlops.places.kubernetes.api.watch import ObjectWatch

#: Seconds that anything here may take.
PATIENCE = 400.0


class Sight:
    """The pods on fake nodes, as the API tells of them."""

    def __init__(self) -> None:
        #: Pods that are there, and those that run, by the worker's name in ours; when each was first seen on a node.
        self.there: set[str] = set()
        self.running: set[str] = set()
        self.placed: dict[str, float] = {}
        self._changed = threading.Condition()

    def seen(self, kind: str, pod: dict[str, Any]) -> None:
        """A change, on the watch's own loop."""
        if "fake" not in (pod["spec"].get("nodeSelector") or {}):
            return
        name = pod["metadata"]["labels"].get(names.WORKER, pod["metadata"]["name"])
        with self._changed:
            if kind == "DELETED":
                self.there.discard(name)
                self.running.discard(name)
                self.placed.pop(name, None)
            else:
                self.there.add(name)
                if pod["spec"].get("nodeName"):
                    self.placed.setdefault(name, time.time())
                if (pod.get("status") or {}).get("phase") == "Running":
                    self.running.add(name)
            self._changed.notify_all()

    def until(self, is_so: Callable[[Sight], bool]) -> None:
        """Wait until it is so; a TimeoutError says how many pods there are instead."""
        with self._changed:
            if not self._changed.wait_for(lambda: is_so(self), PATIENCE):
                raise TimeoutError(f"{len(self.running)} of {len(self.there)} run")

    def time_to(self, pods: int, do: Callable[[], object]) -> float:
        """Seconds from the beginning of `do` until so many pods are Running and no others are there."""
        started = time.perf_counter()
        do()
        self.until(lambda seen: len(seen.there) == len(seen.running) == pods)
        return time.perf_counter() - started


@contextmanager
def watching(loop_thread: LoopThread) -> Iterator[Sight]:
    """See the current namespace's pods."""
    sight = Sight()

    async def watch(ready: asyncio.Event) -> None:
        api = await Api.connect()
        try:
            look = ObjectWatch(api, api.path("pods"), {}, lambda pods: None, sight.seen)
            running = asyncio.create_task(look.run())
            await look.ready.wait()
            ready.set()
            await running
        finally:
            await api.close()

    async def begin() -> asyncio.Task[None]:
        ready = asyncio.Event()
        task = asyncio.create_task(watch(ready))
        await asyncio.wait_for(ready.wait(), 30)
        return task

    task = loop_thread.call(begin())
    try:
        yield sight
    finally:
        loop_thread.loop.call_soon_threadsafe(task.cancel)

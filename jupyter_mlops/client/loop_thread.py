"""The door between a kernel's ordinary code and everything asynchronous: one event loop in one background thread.

Started on first use. A forked child starts its own: a loop doesn't survive a fork.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._ready = threading.Event()
        self.loop: asyncio.AbstractEventLoop
        #: The same loop as Dask's clients want it.
        self.io_loop: Any
        self._thread = threading.Thread(target=self._run, name="mlops-loop_thread", daemon=True)
        self._thread.start()
        self._ready.wait()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        from tornado.ioloop import IOLoop

        self.loop = asyncio.get_running_loop()
        self.io_loop = IOLoop.current()
        self._ready.set()
        await asyncio.Event().wait()

    def spawn(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Run `coroutine` in the background."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run `coroutine` and wait for its result. An interrupt cancels it."""
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError("this would wait for itself")
        future = self.spawn(coroutine)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise


_loop_thread: LoopThread | None = None
_lock = threading.Lock()

#: The parent's, in a forked child: kept, since letting it go would close what the parent uses.
_inherited: list[LoopThread | None] = []


def loop_thread() -> LoopThread:
    """The loop thread of this process."""
    global _loop_thread
    with _lock:
        if _loop_thread is None:
            _loop_thread = LoopThread()
        return _loop_thread


def _forget() -> None:
    global _loop_thread, _lock
    _inherited.append(_loop_thread)
    _loop_thread, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=_forget)

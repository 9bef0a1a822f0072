"""The door between a kernel's ordinary code and everything asynchronous: one event loop in one background thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from ..core.unhandled import log_unhandled
from .quiet import THREAD

T = TypeVar("T")


class LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._ready = threading.Event()
        self.loop: asyncio.AbstractEventLoop
        #: The same loop as Dask's clients want it.
        self.io_loop: Any
        self._thread = threading.Thread(target=self._run, name=THREAD, daemon=True)
        self._thread.start()
        self._ready.wait()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        from tornado.ioloop import IOLoop

        self.loop = asyncio.get_running_loop()
        self.loop.set_exception_handler(log_unhandled)
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

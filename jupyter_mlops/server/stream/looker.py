"""Looks again and again at what others write, too, and tells browsers of it, while there is one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from logging import Logger

from ...core.base import Seconds
from ...core.errors import MlopsError
from ...core.waiting import end_tasks
from .hub import Hub


class Looker:
    """Calls `publish` every so many seconds.

    Parameters
    ----------
    what : is looked at, for the log: "models".
    every : seconds between two looks.
    publish : looks, and tells the hub; what it raises is logged once, and it looks again.
    """

    def __init__(
        self, hub: Hub, log: Logger, what: str, every: Seconds, publish: Callable[[], Awaitable[None]]
    ) -> None:
        self._hub, self._log, self._what, self._every, self._publish = hub, log, what, every, publish
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop looking."""
        if self._task is not None:
            await end_tasks(self._task)

    async def _run(self) -> None:
        said = ""
        while True:
            try:
                if self._hub.subscribers:
                    await self._publish()
                    said = ""
            except Exception as error:  # noqa: BLE001 - whatever it is, nobody would look any more
                words = str(error) if isinstance(error, (OSError, MlopsError)) else f"{type(error).__name__}: {error}"
                if words != said:
                    said = words
                    self._log.warning("jupyter-mlops: the %s can't be listed: %s", self._what, said)
            await asyncio.sleep(self._every)

"""When the controller looks at the cluster: soon after something happened, and every so often anyway."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ..core.base import Seconds
from ..core.waiting import until_set

logger = logging.getLogger("distributed.scheduler.mlops")

#: Seconds between two looks at Dask's state when nothing is heard of workers, and for news of several to gather.
TICK: Seconds = 0.4
TOGETHER: Seconds = 0.1


class Pulse:
    """Calls `look` again and again.

    Parameters
    ----------
    look : gets whether somebody waits for what it finds.
    failed : gets what `look` raised; one fault must not leave a cluster without its limits.
    """

    def __init__(self, look: Callable[[bool], None], failed: Callable[[Exception], None]) -> None:
        self._look, self._failed = look, failed
        self._soon, self._now = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def look_soon(self) -> None:
        """Something happened: look soon."""
        self._soon.set()

    def look_now(self) -> None:
        """Something happened that somebody waits for: look now."""
        self._soon.set()
        self._now.set()

    def start(self) -> None:
        """Look now, and from now on."""
        self._look(False)
        self._task = asyncio.get_running_loop().create_task(self._run())

    def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        while True:
            await until_set(self._soon, TICK)
            awaited = await until_set(self._now, TOGETHER)
            self._soon.clear()
            self._now.clear()
            try:
                self._look(awaited)
            except Exception as error:  # whatever it is: it is told, and the next look comes
                logger.exception("The controller's look at the cluster failed")
                self._failed(error)

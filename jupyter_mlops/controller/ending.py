"""The end of a cluster, which comes once: refuse new work, close the books, end the workers, then the scheduler."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from ..core.cluster import EndCause, Receipt
from ..core.errors import ClusterEnded
from .changes import ChangeTracker
from .disk import Disk
from .pool import Pool
from .view import View

if TYPE_CHECKING:
    from distributed import Scheduler

logger = logging.getLogger("distributed.scheduler.mlops")


class Ending:
    """Ends the cluster when it is first asked to.

    Parameters
    ----------
    view : is told of each phase of the end.
    last_things : stops what is under way and closes the books: cause, why → the receipt, written but not yet on disk.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        name: str,
        pool: Pool,
        disk: Disk,
        changes: ChangeTracker,
        view: View,
        last_things: Callable[[EndCause, str], Awaitable[Receipt]],
    ) -> None:
        self._scheduler, self._name, self._pool = scheduler, name, pool
        self._disk, self._changes, self._view = disk, changes, view
        self._last_things = last_things
        self._task: asyncio.Task[None] | None = None
        self._over = asyncio.Event()

    @property
    def begun(self) -> bool:
        """Whether the cluster is ending."""
        return self._task is not None

    def check(self) -> None:
        """Raise `ClusterEnded` when the cluster is ending."""
        if self.begun:
            raise ClusterEnded(
                f"Cluster {self._name!r} is stopping",
                f"its end was caused by: {self._view.cause}",
                "Start another one.",
            )

    def begin(self, cause: EndCause = "user", why: str = "", *, close_scheduler: bool = True) -> None:
        """Begin to end the cluster. A no-op when it is ending."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._end(cause, why, close_scheduler))

    async def wait(self) -> None:
        """Return when the workers are gone and the records are written."""
        await self._over.wait()

    async def scheduler_closes(self) -> None:
        """Somebody closes the scheduler, through Dask or we ourselves: it waits until the cluster has ended."""
        self.begin("user", "its scheduler was asked to close", close_scheduler=False)
        await self.wait()

    async def _end(self, cause: EndCause, why: str, close_scheduler: bool) -> None:
        self._view.phase, self._view.cause = "stopping", cause
        try:
            receipt = await self._last_things(cause, why)
            self._view.stop, self._view.ended = None, receipt.ended
            await self._end_workers(receipt)
        except Exception:  # a fault of ours, which must not keep the cluster alive: it would cost on
            logger.exception("The cluster could not be ended in order")
        self._over.set()
        if close_scheduler:
            await self._scheduler.close(reason=f"mlops: {cause}")

    async def _end_workers(self, receipt: Receipt) -> None:
        written = await self._disk.flush()
        if not written:
            logger.error("The receipt could not be written: %s", receipt.model_dump_json())
        try:
            await self._pool.close()
        except (OSError, RuntimeError):
            logger.exception("The workers could not all be ended")
        self._view.phase = "ended"
        self._changes.wake()
        await self._disk.close(5.0 if written else 0.2)

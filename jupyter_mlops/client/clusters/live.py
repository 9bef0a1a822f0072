"""What the controller says of a cluster; where it doesn't answer, what its place has on record."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

from ... import places
from ...controller.link import Link
from ...core.base import Seconds
from ...core.cluster import ClusterState, Problem
from ...core.errors import ClusterUnreachable, MlopsError
from ...core.waiting import wait_for
from .problems import unreachable

#: Seconds that a controller has for its answer, before its record is shown instead.
PATIENCE: Seconds = 10.0

#: Gives a link that is open meanwhile.
LinkOpener = Callable[[], AbstractAsyncContextManager[Link]]


@contextlib.asynccontextmanager
async def open_link(place: str, cluster: str, timeout: Seconds = 30.0) -> AsyncIterator[Link]:
    """A link of the caller's own, open meanwhile. `timeout` is for a cluster that is starting.

    Raises
    ------
    UnknownCluster, ClusterEnded, StartFailed, ClusterUnreachable : as `Backend.link`.
    """
    link = await places.get(place).link(cluster, timeout)
    try:
        yield link
    finally:
        with contextlib.suppress(OSError, MlopsError):  # it may be gone already
            await link.close()


async def live_state(record: ClusterState, opener: LinkOpener | None = None) -> ClusterState:
    """A cluster now: what its controller says; else its record of now, marked as unreachable with the reason.

    Parameters
    ----------
    record : as its place lists it. One that is starting, has ended or can't be reached is returned as it is.
    opener : gives the link to use; None opens one for this question.

    Raises
    ------
    UnknownCluster : it is not on record any more.
    """
    if record.phase not in ("running", "stopping"):
        return record
    await asyncio.to_thread(importlib.import_module, "distributed.core")  # 0.7 s, which are not the controller's
    try:
        return await wait_for(_ask(record, opener), PATIENCE)
    except asyncio.TimeoutError:
        silence: MlopsError = ClusterUnreachable(
            f"The cluster {record.name!r} doesn't answer", f"its controller said nothing for {PATIENCE:.0f} s"
        )
    except MlopsError as error:
        silence = error
    again = await places.get(record.place).get(record.id)  # it may have just ended, which its place knows
    return again if again.phase != "running" else unreachable(again, Problem.of(silence))


async def _ask(record: ClusterState, opener: LinkOpener | None) -> ClusterState:
    async with opener() if opener is not None else open_link(record.place, record.id, PATIENCE) as link:
        return record.told((await link.view(workers=False)).state)

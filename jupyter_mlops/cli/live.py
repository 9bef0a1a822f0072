"""Live clusters for the commands: links to them, and waiting for what they were asked."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

from ..client.clusters.listing import backend_of
from ..controller.link import Link
from ..core.base import Seconds
from ..core.cluster import ClusterState
from ..core.errors import ClusterEnded, ClusterUnreachable, Conflict, MlopsError, StartFailed, UnknownCluster
from ..core.waiting import wait_for
from ..core.words import span

#: Seconds that a command waits for what it asked for.
PATIENCE: Seconds = 300.0

#: Seconds between two looks.
LOOK: Seconds = 0.2


@contextlib.asynccontextmanager
async def linked(name: str, timeout: Seconds = 30.0) -> AsyncIterator[Link]:
    """A link to a cluster, open meanwhile. `timeout` is seconds to wait for one that is starting."""
    link = await (await backend_of(name)).link(name, timeout)
    try:
        yield link
    finally:
        await link.close()


async def live(state: ClusterState) -> ClusterState:
    """What the controller says of a live cluster; else its record."""
    if state.phase not in ("running", "stopping"):
        return state
    try:
        async with linked(state.name, 3.0) as link:
            return (await wait_for(link.view(workers=False), 3.0)).state
    except (MlopsError, asyncio.TimeoutError):
        return state.model_copy(update={"phase": "unreachable"})


def ready(state: ClusterState) -> bool:
    """Whether all workers that are wanted are there."""
    wanted = sum(group.wanted for group in state.groups)
    return state.phase == "running" and state.counts.idle + state.counts.busy >= wanted


async def until(name: str, reached: Callable[[ClusterState], bool]) -> ClusterState:
    """The cluster's state when it is as wanted, or a failure."""
    deadline = time.monotonic() + PATIENCE
    place = await backend_of(name)
    while True:
        try:
            record = await place.get(name)
        except UnknownCluster:
            raise ClusterEnded(f"The cluster {name!r} is gone") from None
        state = await live(record)
        if reached(state):
            return state
        if state.phase == "ended":
            why = state.problem.why if state.problem else state.cause or ""
            raise StartFailed(f"The cluster {name!r} ended", why, f"See: jupyter mlops logs {name}")
        if time.monotonic() > deadline:
            problem = next((group.problem for group in state.groups if group.problem), None)
            raise ClusterUnreachable(
                f"The cluster {name!r} is not ready after {span(PATIENCE)}", problem.what if problem else ""
            )
        await asyncio.sleep(LOOK)


async def gone(name: str, state: ClusterState | None) -> ClusterState:
    """A cluster that has ended; of one that others made, nothing is left to tell of it then."""
    try:
        return await until(name, lambda state: state.phase == "ended")
    except (ClusterEnded, UnknownCluster):
        if state is None or state.ours:
            raise
        return state.model_copy(update={"phase": "ended", "cause": "user"})


def others(state: ClusterState) -> Conflict:
    """The warning before a cluster of others is stopped."""
    return Conflict(
        f"The cluster {state.name!r} was made with {state.maker}, not from here",
        "whoever made it may be using it",
        f"To stop it all the same: jupyter mlops stop --force {state.name}",
    )

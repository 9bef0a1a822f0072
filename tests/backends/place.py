"""What the contract suite needs of a place. Another place joins it with one more class in `PLACES`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from distributed import Client

from jupyter_mlops import backends
from jupyter_mlops.backends.base import Backend
from jupyter_mlops.controller.link import ClusterView
from jupyter_mlops.core.cluster import ClusterSpec, ClusterState
from jupyter_mlops.core.price import Price
from jupyter_mlops.core.profile import Group, Profile

T = TypeVar("T")

#: Seconds that anything may take here: the machine may be busy with other suites.
PATIENCE = 90.0


class LocalPlace:
    """Clusters of this machine, in a home folder of the test's own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.backend: Backend = backends.get("local")

    def profile(self, *groups: Group, **fields: Any) -> Profile:
        """A small profile; one worker unless groups are given."""
        shape = list(groups) or [Group(workers=1, maximum=4, memory=512 * 1024**2)]
        price = Price(cpu_hour=3600.0, source="the test's price", date="2026-01-01")  # 1 for a CPU's second
        return Profile(**{"name": "small", "groups": shape, "price": price, **fields})

    def spec(self, *groups: Group, name: str | None = None, **fields: Any) -> ClusterSpec:
        """A spec of such a profile."""
        return backends.new_spec(self.profile(*groups, **fields), name)

    async def close(self) -> None:
        """End whatever a test left."""
        for state in await self.backend.clusters():
            await self.backend.stop(state.name, force=True)


PLACES = {"local": LocalPlace}


@contextmanager
def opened(name: str, home: Path, patch: pytest.MonkeyPatch) -> Iterator[LocalPlace]:
    """The place of that name, emptied in the end."""
    patch.setenv("JUPYTER_MLOPS_HOME", str(home))
    place = PLACES[name](home)
    yield place
    asyncio.run(place.close())


async def until(
    look: Callable[[], Awaitable[T]], is_so: Callable[[T], object], what: str = "", patience: float = PATIENCE
) -> T:
    """Look again and again until it is so."""
    deadline = time.monotonic() + patience
    while not is_so(seen := await look()):
        assert time.monotonic() < deadline, f"not {what or 'so'} within {patience} s; last seen: {seen!r}"
        await asyncio.sleep(0.05)
    return seen


async def ended(backend: Backend, name: str) -> ClusterState:
    """The cluster's state, once it has ended."""
    return await until(lambda: backend.get(name), lambda state: state.phase == "ended", f"{name} ended")


async def workers_up(backend: Backend, name: str, count: int) -> ClusterView:
    """The view of a cluster, once it has that many workers that work."""
    link = await backend.link(name)
    try:
        return await until(
            link.view,
            lambda view: view.state.counts.idle + view.state.counts.busy == count,
            f"{count} workers up in {name}",
        )
    finally:
        await link.close()


async def call(backend: Backend, name: str, function: Callable[..., T], *args: Any, **options: Any) -> T:
    """Run a function on the cluster."""
    address = await backend.address(name)
    async with Client(address.url, security=address.security, asynchronous=True, set_as_default=False) as client:
        result: T = await client.submit(function, *args, pure=False, **options)
        return result

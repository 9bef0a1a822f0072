"""A whole cluster for a test: scheduler, controller, pool and a link, on one event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from distributed import Client, Scheduler

from jupyter_mlops.controller.controller import Controller
from jupyter_mlops.controller.link import ClusterView
from jupyter_mlops.controller.remote import RemoteLink, open_link
from jupyter_mlops.controller.rpc import serve
from jupyter_mlops.core.cluster import ClusterSpec
from jupyter_mlops.core.ledger import Ledger, LedgerEntry
from jupyter_mlops.core.lines import read_lines
from jupyter_mlops.core.price import Price
from jupyter_mlops.core.profile import Group, Limits, Profile

from .pool import InProcessPool

#: Seconds that anything may take on a machine that is busy with other things.
PATIENCE = 150.0

MEMORY = 512 * 1024**2


def make_spec(*groups: Group, limits: Limits | None = None, price: Price | None = None) -> ClusterSpec:
    groups = groups or (Group(workers=2, maximum=4, memory=MEMORY),)
    profile = Profile(name="test", groups=list(groups), limits=limits or Limits())
    return ClusterSpec(name="c", owner="me", profile=profile, price=price or Price(), created=time.time())


def paid_for(home: Path) -> list[str]:
    """The workers that the ledger in a home folder has no end of. Its file is written in the background."""
    file = folder_of(home) / "ledger.jsonl"
    return Ledger(read_lines(LedgerEntry, file.read_text() if file.exists() else "")).open_workers


def folder_of(home: Path) -> Path:
    """The cluster's folder in a home folder."""
    return home / "clusters" / "c"


class HeldClock:
    """Stands still until it is to go: a limit of a second may not be over before there is what the test is about."""

    def __init__(self) -> None:
        self._still: float | None = time.time()

    def __call__(self) -> float:
        return time.time() if self._still is None else self._still

    def go(self) -> None:
        """From now on it tells the time."""
        self._still = None


class Cluster:
    def __init__(self, scheduler: Scheduler, controller: Controller, pool: InProcessPool, link: RemoteLink) -> None:
        self.scheduler, self.controller, self.pool, self.link = scheduler, controller, pool, link

    def workers(self, group: str = "default") -> list[str]:
        """Connected workers of a group, by name."""
        names = [str(ws.name) for ws in self.scheduler.workers.values()]
        return sorted(name for name in names if self.pool.groups.get(name) == group)

    async def have(self, count: int, group: str = "default") -> None:
        """Wait until the group has exactly this many idle or busy workers, and nobody comes or goes."""
        await until(
            lambda: self._settled(group) == count and len(self.workers(group)) == count, lambda: self._told(group)
        )

    def _settled(self, group: str) -> int | None:
        counts = self.controller.workers.counts[group]
        if any(counts[phase] for phase in ("requested", "pending", "starting", "retiring")):
            return None
        return counts["idle"] + counts["busy"]

    def _told(self, group: str) -> str:
        return f"{dict(self.controller.workers.counts[group])}, connected: {self.workers(group)}"

    async def view_when(self, condition: Callable[[ClusterView], Any]) -> ClusterView:
        """What a watcher sees once `condition` holds for it."""
        deadline = time.monotonic() + PATIENCE
        while not condition(view := await self.link.view()):
            assert time.monotonic() < deadline, f"it did not come about: {view}"
            await asyncio.sleep(0.02)
        return view

    def client(self) -> Client:
        return Client(self.scheduler.address, asynchronous=True)  # type: ignore[no-untyped-call]  # Dask's


async def until(condition: Callable[[], Any], told: Callable[[], str] = lambda: "", patience: float = PATIENCE) -> None:
    """Wait until `condition` holds; `told` says what is instead."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"it did not come about: {told()}"
        await asyncio.sleep(0.02)


@asynccontextmanager
async def cluster(
    spec: ClusterSpec, home: Path | None = None, pool: InProcessPool | None = None, **options: Any
) -> AsyncIterator[Cluster]:
    """A running cluster; with a `home` folder it keeps its records there, in `folder_of(home)`."""
    pool = pool or InProcessPool()
    folder = None
    if home is not None:
        folder = folder_of(home)
        folder.mkdir(parents=True, exist_ok=True)
    async with Scheduler(host="127.0.0.1", port=0, dashboard=False, dashboard_address="127.0.0.1:0") as scheduler:
        controller = Controller(scheduler, spec, pool, folder, **options)
        await serve(controller)
        link = await open_link(scheduler.address, timeout=PATIENCE)
        try:
            yield Cluster(scheduler, controller, pool, link)
        finally:
            await link.close()
            await controller.stop()

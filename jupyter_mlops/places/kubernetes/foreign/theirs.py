"""A cluster of others, for the backend: all of it is read from Kubernetes and, while somebody looks, from Dask."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass

from ....controller.link import Link
from ....core.base import Time
from ....core.cluster import ClusterSpec, ClusterState, Event, Receipt, Sample
from ....core.errors import ClusterUnreachable, Conflict
from ....core.run import RunState
from ...base import Address
from ..api.client import Api
from ..tunnel.connections import hub
from . import change, observers
from .daskview import Scheduler
from .found import Found
from .link import OthersLink
from .listing import again, others, pods_of
from .observer import Observer
from .rates import Rates, rates
from .reach import log_of, url_of
from .state import spec_of, state_of

logger = logging.getLogger(__name__)

#: Seconds between two looks at a scheduler that is waited for.
_LOOK = 0.5


@dataclass(frozen=True)
class Theirs:
    """Implements `Known`."""

    api: Api
    found: Found
    rates: Rates

    @property
    def spec(self) -> ClusterSpec:
        """As in `Known`."""
        return spec_of(self.found, self.api.namespace, self.rates.price)

    @property
    def live(self) -> bool:
        """As in `Known`: nothing is kept of those that ended."""
        return True

    def state(self) -> ClusterState:
        """As in `Known`, judged by its pods."""
        return state_of(self.found, self.rates)

    async def address(self, timeout: float) -> Address:
        """As in `Known`. It has no TLS that could be known of."""
        return await hub().run(self._address(timeout))

    async def link(self, timeout: float) -> Link:
        """As in `Known`. Doesn't wait for its scheduler: why that doesn't come is told through the link."""
        observer = await hub().run(observers.acquire(self.api, self.found, self.rates))
        return OthersLink(observer, self.rates.usual)

    async def stop(self, cause: str, why: str, force: bool) -> None:
        """As in `Known`. Raises `Refused` for a release of Helm."""
        await hub().run(self._stop())

    async def forget(self) -> None:
        """Raises `Conflict`: as long as there is one, it is alive."""
        raise Conflict(f"Cluster {self.found.name!r} is alive", todo="Stop it first.")

    def receipt(self) -> Receipt | None:
        """As in `Known`: nobody writes one."""
        return None

    async def events(self) -> list[Event]:
        """As in `Known`, since somebody in this process looks."""
        observer = self._observer()
        return observer.news.events if observer else []

    async def timeline(self, since: Time) -> list[Sample]:
        """As in `Known`, since somebody in this process looks."""
        observer = self._observer()
        return observer.news.since(since) if observer else []

    async def runs(self) -> list[RunState]:
        """As in `Known`, as far as its scheduler was made ready for runs."""
        link = await self.link(30.0)
        try:
            return (await link.view(workers=False)).runs
        finally:
            await link.close()

    async def results(self, run: str) -> list[bytes]:
        """As in `Known`: nothing is kept but in the workers' memory."""
        return []

    async def logs(self, worker: str | None, lines: int) -> list[str]:
        """As in `Known`, of pods that are there. Raises `UnknownWorker`."""
        return await hub().run(log_of(self.api, self.found, worker, lines))

    def _observer(self) -> Observer | None:
        return observers.observed(self.api, self.found)

    async def _stop(self) -> None:
        await change.stop(self.api, self.found)
        await hub().close_tunnels(self.api, self.found.object)
        observer = self._observer()
        if observer is not None:
            observer.nudge()

    async def _address(self, timeout: float) -> Address:
        deadline, found = time.monotonic() + timeout, self.found
        while True:
            try:
                url = await url_of(self.api, found)
                await _answers(url)
                return Address(url)
            except ClusterUnreachable as silent:
                if time.monotonic() > deadline:
                    problem = state_of(found, self.rates).problem
                    if problem is None:
                        raise
                    raise ClusterUnreachable(silent.what, f"{problem.what}: {problem.why}", problem.todo) from silent
            await asyncio.sleep(_LOOK)
            found = await again(self.api, found, await pods_of(self.api, found)) or found


async def _answers(url: str) -> None:
    """Raise `ClusterUnreachable` while nothing listens: a Dask client would give up at once."""
    scheduler = Scheduler(url)
    try:
        await scheduler.ask("identity", n_workers=0)
    finally:
        await scheduler.close()


async def theirs(api: Api) -> list[Theirs]:
    """All clusters in the namespace that somebody else made."""
    try:
        found = await others(api)
    except (LookupError, TypeError, ValueError) as odd:  # one odd object must not hide our own clusters
        logger.warning("The clusters of others in %s can't be read: %r", api.namespace, odd)
        return []
    if not found:
        return []
    known = await rates(api)
    return [Theirs(api, each, known) for each in found]

"""A foreign cluster, for the backend: all of it is read from Kubernetes and, while somebody looks, from Dask."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from dataclasses import dataclass

from ....controller.link import Link
from ....core.base import Time
from ....core.cluster import ClusterSpec, ClusterState, Event, Problem, Receipt, Sample
from ....core.errors import AnswerRefused, ClusterUnreachable, Conflict
from ....core.run import RunState
from ...base import Address
from ..api.client import Api
from ..placed import unreachable
from ..tunnel.connections import Connections
from . import change
from .cost import RateCache, Rates, price_of
from .discover import Discovered, discover, look_again, pods_of
from .link import ForeignLink
from .logs import log_of
from .observe import Observer, Observers
from .scheduler import ForeignScheduler, url_of
from .state import spec_of, state_of

logger = logging.getLogger(__name__)

#: Seconds between two looks at a scheduler that is waited for.
_LOOK = 0.5


@dataclass(frozen=True)
class ForeignCluster:
    """Implements `PlacedCluster`.

    Parameters
    ----------
    api : Kubernetes, in the cluster's namespace.
    found : the cluster as it was listed.
    rates : what its nodes cost.
    observers : of the place.
    """

    connections: Connections
    api: Api
    found: Discovered
    rates: Rates
    observers: Observers

    @property
    def spec(self) -> ClusterSpec:
        """As in `PlacedCluster`."""
        return spec_of(self.found, self.api.namespace, self.rates.price)

    @property
    def fault(self) -> Problem | None:
        """As in `PlacedCluster`."""
        return self.found.fault

    @property
    def live(self) -> bool:
        """As in `PlacedCluster`: nothing is kept of those that ended."""
        return True

    def state(self) -> ClusterState:
        """As in `PlacedCluster`, judged by its pods."""
        return state_of(self.found, self.rates)

    async def address(self, timeout: float) -> Address:
        """As in `PlacedCluster`. It has no TLS that could be known of."""
        return await self.connections.run(self._address(timeout))

    async def link(self, timeout: float) -> Link:
        """As in `PlacedCluster`. Doesn't wait for its scheduler: why that doesn't come is told through the link."""
        if self.found.fault is not None:
            raise unreachable(self.found.fault)
        observer = await self.connections.run(self.observers.acquire(self.api, self.found, self.rates))
        return ForeignLink(self.observers, observer, price_of(self.found, self.rates.usual))

    async def stop(self, cause: str, why: str, force: bool) -> None:
        """As in `PlacedCluster`. Raises `Refused` for a release of Helm."""
        await self.connections.run(self._stop())

    async def forget(self) -> None:
        """Raises `Conflict`: as long as there is one, it is alive."""
        raise Conflict(f"Cluster {self.found.name!r} is alive", todo="Stop it first.")

    def receipt(self) -> Receipt | None:
        """As in `PlacedCluster`: nobody writes one."""
        return None

    async def events(self) -> list[Event]:
        """As in `PlacedCluster`, since somebody in this process looks."""
        observer = self._observer()
        return observer.news.events if observer else []

    async def timeline(self, since: Time) -> list[Sample]:
        """As in `PlacedCluster`, since somebody in this process looks."""
        observer = self._observer()
        return observer.news.since(since) if observer else []

    async def runs(self) -> list[RunState]:
        """As in `PlacedCluster`, as far as its scheduler was made ready for runs, and somebody here turned to it."""
        if self.found.fault is not None:
            return []
        link = await self.link(30.0)
        try:
            return (await link.view(workers=False)).runs
        finally:
            await link.close()

    async def results(self, run: str) -> list[bytes]:
        """As in `PlacedCluster`: nothing is kept but in the workers' memory."""
        return []

    async def logs(self, worker: str | None, lines: int) -> list[str]:
        """As in `PlacedCluster`, of pods that are there. Raises `UnknownWorker`."""
        return await self.connections.run(log_of(self.api, self.found, worker, lines))

    def _observer(self) -> Observer | None:
        return self.observers.get(self.api, self.found)

    async def _stop(self) -> None:
        await change.stop(self.api, self.found)
        await self.connections.close_tunnels(self.api, self.found.object)
        observer = self._observer()
        if observer is not None:
            observer.look_soon()

    async def _address(self, timeout: float) -> Address:
        if self.found.fault is not None:
            raise unreachable(self.found.fault)
        observer = self._observer()
        if observer is not None:
            await observer.turn_to()
        deadline, found = time.monotonic() + timeout, self.found
        while True:
            try:
                url = await url_of(self.connections, self.api, found)
                await _check_answers(url)
                return Address(url)
            except AnswerRefused:
                raise
            except ClusterUnreachable as silent:
                if time.monotonic() > deadline:
                    problem = state_of(found, self.rates).problem
                    if problem is None:
                        raise
                    raise ClusterUnreachable(silent.what, problem.words, problem.todo) from silent
            await asyncio.sleep(_LOOK)
            found = await look_again(self.api, found, await pods_of(self.api, found)) or found


async def _check_answers(url: str) -> None:
    """Raise `ClusterUnreachable` while nothing listens: a Dask client would give up at once."""
    scheduler = ForeignScheduler(url)
    try:
        await scheduler.ask("identity", n_workers=0)
    finally:
        await scheduler.close()


class ForeignClusters:
    """The foreign clusters of a place, with what is remembered of them between two lists."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._observers = Observers(connections)
        self._rate_cache = RateCache()

    async def list(self, api: Api) -> list[ForeignCluster]:
        """All clusters in the namespace that somebody else made. On the loop of the connections only."""
        try:
            found = await discover(api)
        except (LookupError, TypeError, ValueError, AttributeError) as odd:  # an odd pod must not hide our own clusters
            logger.warning("The foreign clusters in %s can't be read: %r", api.namespace, odd)
            return []
        if not found:
            return []
        rates = await self._rate_cache.rates(api)
        return [self._readable(ForeignCluster(self._connections, api, each, rates, self._observers)) for each in found]

    def _readable(self, cluster: ForeignCluster) -> ForeignCluster:
        """The cluster; without what its pods and templates say when that has another form than we know."""
        try:
            cluster.state()
            _ = cluster.spec
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            return dataclasses.replace(cluster, found=cluster.found.without_parts(error))
        return cluster

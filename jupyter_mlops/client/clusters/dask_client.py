"""The Dask client that a user has of a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Protocol

import distributed
from distributed.core import Status

from ...core.unhandled import log_unhandled
from ..quiet import keep_dask_quiet, unheard

if TYPE_CHECKING:
    from ...core.cluster import ClusterState

keep_dask_quiet()


class Scalable(Protocol):
    """A cluster, as its user holds it."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def dashboard_link(self) -> str:
        """Where its dashboard is shown."""

    def state(self) -> ClusterState:
        """The cluster now."""

    def scale(self, n: int) -> None:
        """Want `n` workers."""

    def adapt(self, minimum: int, maximum: int) -> None:
        """Let the number of workers follow the work."""

    def stop(self) -> None:
        """End it."""

    def _repr_html_(self) -> str: ...


class ClusterOfClient:
    """What `client.cluster` is asked for by those who know Dask's own clusters.

    Parameters
    ----------
    cluster : which it is.
    address : its scheduler's.
    """

    def __init__(self, cluster: Scalable, address: str) -> None:
        self._cluster, self.scheduler_address = cluster, address
        self.name = cluster.name
        self.status = Status.running

    @property
    def dashboard_link(self) -> str:
        """As `mlops.Cluster.dashboard_link`."""
        return self._cluster.dashboard_link

    def scale(self, n: int) -> None:
        """As `mlops.Cluster.scale`, for the first group."""
        self._cluster.scale(n)

    def adapt(self, minimum: int = 0, maximum: int | None = None, **others: Any) -> None:
        """As `mlops.Cluster.adapt`, for the first group: up to as many as it may have, when no `maximum` is given."""
        self._cluster.adapt(minimum, self._cluster.state().groups[0].maximum if maximum is None else maximum)

    def close(self, timeout: Any = None) -> Awaitable[None] | None:
        """End the cluster. Where a loop runs, in the background, to be awaited: `client.shutdown()` does so."""
        self.status = Status.closed
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._cluster.stop()
            return None
        return loop.run_in_executor(None, self._cluster.stop)

    def __repr__(self) -> str:
        return repr(self._cluster)

    def _repr_html_(self) -> str:
        return self._cluster._repr_html_()


class Client(distributed.Client):
    """Dask's own, which says nothing in red when its cluster ends or a wait is cut short: whoever uses it then gets an
    error.

    Parameters
    ----------
    cluster : the client's.
    address : of its scheduler, with its keys.
    """

    def __init__(self, cluster: Scalable, address: Any) -> None:
        super().__init__(address.url, security=address.security)  # type: ignore[no-untyped-call]  # Dask's has no types
        self.cluster = ClusterOfClient(cluster, address.url)
        loop: Any = self.loop
        loop.asyncio_loop.set_exception_handler(log_unhandled)

    async def _reconnect(self) -> None:
        with unheard():
            await super()._reconnect()

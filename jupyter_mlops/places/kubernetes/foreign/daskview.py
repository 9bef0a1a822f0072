"""What a scheduler of somebody else says of itself, over Dask's own RPC: msgpack only, so that versions may differ."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ....core.base import Seconds
from ....core.cluster import Work
from ....core.errors import ClusterUnreachable
from ....core.waiting import wait_for

if TYPE_CHECKING:
    from distributed.core import ConnectionPool

#: Seconds that a scheduler may take to say how it is.
PATIENCE: Seconds = 2.0


@dataclass(frozen=True)
class DaskWorker:
    """The Dask workers of one pod, taken together."""

    host: str
    address: str
    threads: int = 1
    memory: float = 0
    cpu: float = 0
    memory_used: float = 0
    processing: int = 0


@dataclass(frozen=True)
class DaskView:
    """The workers that are connected, the tasks, and when the scheduler started."""

    workers: list[DaskWorker] = field(default_factory=list)
    work: Work = field(default_factory=Work)
    started: float | None = None


class Scheduler:
    """Asks a scheduler. On the event loop that made it only.

    Parameters
    ----------
    url : its address, such as `tcp://127.0.0.1:40123`.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._connections: ConnectionPool | None = None

    async def look(self) -> DaskView:
        """How it is now.

        Raises
        ------
        ClusterUnreachable : it doesn't answer within `PATIENCE`.
        """
        identity, tasks = await asyncio.gather(self.ask("identity", n_workers=-1), self.ask("get_task_prefix_states"))
        return view_of(identity, tasks if isinstance(tasks, Mapping) else {})

    async def ask(self, operation: str, patience: Seconds = PATIENCE, **request: Any) -> Any:
        """Its answer to one of Dask's, or our, requests; None for one that it doesn't know.

        Raises
        ------
        ClusterUnreachable : it doesn't answer within `patience` seconds.
        """
        try:
            return await wait_for(self._ask(operation, request), patience)
        except (OSError, asyncio.TimeoutError) as error:  # distributed's CommClosedError is an OSError
            raise ClusterUnreachable(
                "The cluster's scheduler doesn't answer",
                f"{self.url}: {str(error) or 'no answer in time'}",
                "Look at its log. One that wants TLS can't be asked from here.",
            ) from error

    async def close(self) -> None:
        """Close the connections."""
        connections, self._connections = self._connections, None
        if connections is not None:
            await connections.close()

    async def _ask(self, operation: str, request: dict[str, Any]) -> Any:
        if self._connections is None:
            from distributed.core import ConnectionPool  # importing Dask takes longer than importing us

            self._connections = ConnectionPool(limit=8, timeout=PATIENCE)
            await self._connections.start()
        return await getattr(self._connections(self.url), operation)(**request)


def view_of(identity: Mapping[str, Any], tasks: Mapping[str, Mapping[str, int]]) -> DaskView:
    """What `identity` and `get_task_prefix_states` say."""
    by_host: dict[str, DaskWorker] = {}
    for address, told in (identity.get("workers") or {}).items():
        worker = _worker(str(address), told)
        by_host[worker.host] = _together(by_host[worker.host], worker) if worker.host in by_host else worker
    work = Work(
        queued=sum(states.get("waiting", 0) for states in tasks.values()),
        processing=sum(states.get("processing", 0) for states in tasks.values()),
        done=sum(states.get("memory", 0) for states in tasks.values()),
        erred=sum(states.get("erred", 0) for states in tasks.values()),
    )
    return DaskView(list(by_host.values()), work, identity.get("started"))


def _worker(address: str, told: Mapping[str, Any]) -> DaskWorker:
    metrics = told.get("metrics") or {}
    tasks = metrics.get("task_counts") or {}
    busy = tasks.get("executing", metrics.get("executing", 0)) if isinstance(tasks, Mapping) else 0
    return DaskWorker(
        host=str(urlsplit(address).hostname or told.get("host", "")),
        address=address,
        threads=int(told.get("nthreads", 1)),
        memory=float(told.get("memory_limit") or 0),
        cpu=float(metrics.get("cpu", 0)) / 100,
        memory_used=float(metrics.get("memory", 0)),
        processing=int(busy),
    )


def _together(one: DaskWorker, other: DaskWorker) -> DaskWorker:
    return DaskWorker(
        host=one.host,
        address=one.address,
        threads=one.threads + other.threads,
        memory=one.memory + other.memory,
        cpu=one.cpu + other.cpu,
        memory_used=one.memory_used + other.memory_used,
        processing=one.processing + other.processing,
    )

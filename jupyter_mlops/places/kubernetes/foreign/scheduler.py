"""The scheduler of a foreign cluster: the way to it, and what it says of itself.

It is asked as Dask asks, and its answers are read as plain data: versions may differ, and nobody knows who answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ....controller.messages import Messenger, refused
from ....core.base import Seconds
from ....core.cluster import Work
from ....core.errors import ClusterUnreachable
from ....core.waiting import wait_for
from .. import names
from ..api.client import Api
from ..tunnel.connections import Connections, has_name_here
from .discover import Discovered, scheduler_port

#: Seconds that a scheduler may take to say how it is.
PATIENCE: Seconds = 2.0

#: Where Dask's dashboard listens unless its maker says otherwise.
DASHBOARD_PORT = 8787


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


class ForeignScheduler:
    """Asks a scheduler that we did not make. On the event loop that made it only.

    Parameters
    ----------
    url : its address, such as `tcp://127.0.0.1:40123`.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._messenger = Messenger(url, connecting=PATIENCE)

    async def look(self) -> DaskView:
        """How it is now.

        Raises
        ------
        ClusterUnreachable : it doesn't answer within `PATIENCE`.
        """
        identity, tasks = await asyncio.gather(self.ask("identity", n_workers=-1), self.ask("get_task_prefix_states"))
        try:
            return view_of(identity, tasks if isinstance(tasks, Mapping) else {})
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise refused(self.url, f"it has another form than is known here: {error!r}") from error

    async def ask(self, operation: str, patience: Seconds = PATIENCE, leave_out: bool = False, **request: Any) -> Any:
        """Its answer to one of Dask's, or our, requests; None for one that it doesn't know.

        `leave_out` : as for `Messenger.ask`.

        Raises
        ------
        ClusterUnreachable : it doesn't answer within `patience` seconds, or not with plain data.
        """
        try:
            return await wait_for(self._messenger.ask(operation, leave_out, **request), patience)
        except (OSError, asyncio.TimeoutError) as error:
            raise ClusterUnreachable(
                "The cluster's scheduler doesn't answer",
                f"{self.url}: {str(error) or 'no answer in time'}",
                "Look at its log. One that wants TLS can't be asked from here.",
            ) from error

    async def close(self) -> None:
        """Close the connections."""
        self._messenger.close()


def view_of(identity: Mapping[str, Any], tasks: Mapping[str, Mapping[str, int]]) -> DaskView:
    """What `identity` and `get_task_prefix_states` say."""
    by_host: dict[str, DaskWorker] = {}
    for address, each in (identity.get("workers") or {}).items():
        worker = _worker(str(address), each)
        by_host[worker.host] = _together(by_host[worker.host], worker) if worker.host in by_host else worker
    work = Work(
        queued=sum(states.get("waiting", 0) for states in tasks.values()),
        processing=sum(states.get("processing", 0) for states in tasks.values()),
        done=sum(states.get("memory", 0) for states in tasks.values()),
        erred=sum(states.get("erred", 0) for states in tasks.values()),
    )
    return DaskView(list(by_host.values()), work, identity.get("started"))


def _worker(address: str, identity: Mapping[str, Any]) -> DaskWorker:
    metrics = identity.get("metrics") or {}
    tasks = metrics.get("task_counts") or {}
    busy = tasks.get("executing", metrics.get("executing", 0)) if isinstance(tasks, Mapping) else 0
    return DaskWorker(
        host=str(urlsplit(address).hostname or identity.get("host", "")),
        address=address,
        threads=int(identity.get("nthreads", 1)),
        memory=float(identity.get("memory_limit") or 0),
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


async def url_of(connections: Connections, api: Api, cluster: Discovered) -> str:
    """How a Dask client reaches the scheduler: by DNS from inside of Kubernetes, else through a tunnel.

    On the loop of the connections only.

    Raises
    ------
    ClusterUnreachable : no scheduler runs.
    """
    pod = cluster.running_scheduler
    if pod is None:
        raise ClusterUnreachable(f"The scheduler of {cluster.name!r} doesn't run", "its pod isn't running")
    host = f"{cluster.service}.{api.namespace}.svc"
    if await has_name_here(host):
        return f"tcp://{host}:{names.SCHEDULER_PORT}"
    port = scheduler_port(pod["spec"], "tcp-comm", names.SCHEDULER_PORT)
    return f"tcp://127.0.0.1:{await _tunnel(connections, api, cluster, port)}"


async def dashboard_of(connections: Connections, api: Api, cluster: Discovered) -> tuple[str, int, str]:
    """Host and port that lead to Dask's dashboard, which asks for no key. Raises `ClusterUnreachable`."""
    pod = cluster.running_scheduler
    if pod is None:
        raise ClusterUnreachable(f"The scheduler of {cluster.name!r} doesn't run", "so there is no dashboard")
    port = scheduler_port(pod["spec"], "http-dashboard", DASHBOARD_PORT)
    return "127.0.0.1", await _tunnel(connections, api, cluster, port), ""


async def _tunnel(connections: Connections, api: Api, cluster: Discovered, port: int) -> int:
    """The local port that leads to `port` of the scheduler's pod, for this user only: Dask asks nobody for a key."""
    return await connections.tunnel(api, cluster.object, port, cluster.scheduler_selector, guarded=True)

"""Dask inside of a run's code: clients of the run's own cluster, although this is none of its workers.

The names of Dask's that are no public interface are used here and nowhere else in the agent.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
import sys
import types
from collections.abc import Iterator
from typing import Any

from . import pickling
from .imported import when_imported
from .wire import Message


class WorkerView:
    """What code may ask `distributed.get_worker()` for.

    Parameters
    ----------
    worker : what the seat says of its worker: name, address, scheduler, local_directory, and the keys of its cluster.
    """

    def __init__(self, worker: Message) -> None:
        self.name, self.address = worker["name"], worker["address"]
        self.local_directory, self.nthreads = worker["local_directory"], worker["nthreads"]
        self.scheduler = types.SimpleNamespace(address=worker["scheduler"])
        self._client: Any = None

    def _get_client(self, timeout: Any = None) -> Any:
        """A client of the run's cluster; what `distributed.get_client()` calls."""
        from distributed import Client

        if self._client is None or self._client.status != "running":
            self._client = Client(self.scheduler.address, timeout=timeout or "30s")
        return self._client


#: What code is told that would start a cluster.
_ON_ONE = (
    "A local Dask cluster can't be started here: this code runs on a cluster already, in the share of one of its "
    "workers. Use this cluster: from distributed import get_client; client = get_client()"
)

#: What Dask's configuration calls the parts of a cluster's keys.
_KEYS = {
    "ca": "distributed.comm.tls.ca-file",
    "cert": "distributed.comm.tls.client.cert",
    "key": "distributed.comm.tls.client.key",
}


def install(worker: Message, tell: Any) -> None:
    """Let `get_client()`, `Client()` and `get_worker()` find the run's cluster, as soon as Dask is imported.

    `tell` hears of a client: whoever waits for other tasks must not keep a thread from them.
    """
    when_imported("distributed", _Inside(worker, tell).adapt)


class _Inside:
    """Puts a runner's view of its worker into Dask."""

    def __init__(self, worker: Message, tell: Any) -> None:
        self._worker, self._tell = worker, tell
        self._view = WorkerView(worker)
        #: The keys of futures that came along with the code.
        self._brought: set[str] = set()

    def adapt(self) -> None:
        """Dask is there."""
        import dask

        settings: dict[str, Any] = {"scheduler-address": self._worker["scheduler"]}
        keys = {_KEYS[part]: value for part, value in self._worker["keys"].items() if value}
        if keys:
            settings |= {**keys, "distributed.comm.require-encryption": True}
        sys.modules[_PRELOAD] = preload = types.ModuleType(_PRELOAD)
        preload.dask_setup = lambda client: self._tell("secede")  # type: ignore[attr-defined]  # Dask calls it
        settings["distributed.client.preload"] = [_PRELOAD]
        dask.config.set(settings)
        logging.getLogger("distributed.preloading").setLevel(logging.WARNING)  # it tells of the preload
        sys.modules["distributed.client"].Future.client = property(self._client_of)
        pickling.REFUSALS.append(self._ends_with_the_run)
        self._replace("distributed.worker", "get_worker", lambda: self._view)
        self._replace("distributed.worker", "secede", lambda: self._tell("secede"))
        self._replace("distributed.worker", "rejoin", lambda: None)
        self._replace("distributed.worker_client", "worker_client", self._worker_client())
        self._refuse_clusters()

    @staticmethod
    def _refuse_clusters() -> None:
        """Have code that would start a cluster of this process be told of the one that it is on."""
        client, local = sys.modules["distributed.client"].Client, sys.modules["distributed.deploy.local"].LocalCluster
        connect = client.__init__
        known = set(inspect.signature(connect).parameters)

        @functools.wraps(connect)
        def connected(self: Any, address: Any = None, *args: Any, **kwargs: Any) -> None:
            if address is None and kwargs.keys() - known:
                raise RuntimeError(_ON_ONE)
            connect(self, address, *args, **kwargs)

        @functools.wraps(local.__init__)
        def refused(self: Any, *args: Any, **kwargs: Any) -> None:
            raise RuntimeError(_ON_ONE)

        client.__init__, local.__init__ = connected, refused

    @staticmethod
    def _replace(home: str, name: str, own: Any) -> None:
        """Put a function of ours in place of one of Dask's; it is pickled by the name of that one."""
        own.__module__, own.__qualname__, own.__name__ = home, name, name
        for module in ("distributed", "distributed.worker", "distributed.worker_client", "dask.distributed"):
            if hasattr(sys.modules.get(module), name):
                setattr(sys.modules[module], name, own)

    def _client_of(self, future: Any) -> Any:
        """The client of a future; one that came along with the code gets that of the run's cluster."""
        if future._client is None:
            self._brought.add(future.key)
            client = self._view._get_client()
            future.bind_client(client)
            client._send_to_scheduler({"op": "client-desires-keys", "keys": [future.key], "client": client.id})
        future._bind_late()
        return future._client

    def _ends_with_the_run(self, value: Any) -> str:
        """Why a future can't go back: its client, which holds its task, ends with the run."""
        if type(value) is not sys.modules["distributed.client"].Future or value._client is None:
            return ""
        if value.key in self._brought:
            return ""
        return "a future ends with the run that made it: give its result back, or make it in the notebook"

    def _worker_client(self) -> Any:
        @contextlib.contextmanager
        def worker_client(timeout: Any = None, separate_thread: bool = True) -> Iterator[Any]:
            yield self._view._get_client(timeout)

        return worker_client


#: A module that Dask calls when a client starts.
_PRELOAD = "jupyter_mlops_client_preload"

"""A thread that talks to Kubernetes, so that tunnels live on whatever loop their users come from."""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextlib
import os
import random
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from ....core.unhandled import log_unhandled
from ....core.waiting import wait_for
from .. import names
from ..api import kubeconfig
from ..api.client import Answer, Api, Json
from ..why.facts import is_ready
from .port_forward import Tunnel

_T = TypeVar("_T")


class Connections:
    """Connections to Kubernetes and tunnels to schedulers, on a loop in a thread of their own.

    The thread starts with the first work. It ends with the process.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = 0
        #: Logins, done or under way: a plug-in that waits for somebody keeps no other context waiting.
        self._apis: dict[tuple[str, str], asyncio.Task[Api]] = {}
        self._tunnels: dict[tuple[str, str, str, int], Tunnel] = {}
        self._starting, self._lock = threading.Lock(), asyncio.Lock()

    async def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run `work` on the loop of the connections; what it raises is raised here, the API's answers as errors for
        users."""
        try:
            return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._started()))
        except Answer as answer:
            raise answer.error from None

    async def api(self, context: str, namespace: str) -> Api:
        """The connection to a context and namespace. On the loop of the connections only. Raises as `Api.connect`.

        Who has no patience may cancel this: the login goes on, and is there when it is asked for again.
        """
        key = (kubeconfig.stamp(), context)
        login = self._apis.get(key)
        if login is None or (login.done() and _fault(login) is not None):
            login = self._apis[key] = asyncio.create_task(Api.connect(context))
            login.add_done_callback(_fault)
        return (await asyncio.shield(login)).within(namespace)

    async def tunnel(
        self, api: Api, cluster: str, port: int, selector: str = "", guarded: bool = False, ready: bool = False
    ) -> int:
        """The local port that leads to `port` of the cluster's scheduler. On the loop of the connections only.

        `selector` finds its pod; by the labels that are ours and dask-kubernetes', when not given. `guarded` where it
        asks nobody for a key: then only this user's processes may use the port. `ready` leads each connection to any of
        the pods that say that they are, as with a service.
        """
        key = (api.host, api.namespace, cluster, port)
        async with self._lock:
            if key not in self._tunnels:
                resumed = port == names.RELAY_PORT
                tunnel = Tunnel(api, _PodFinder(api, cluster, selector, ready).find, port, resumed, guarded)
                await tunnel.open()
                self._tunnels[key] = tunnel
            return self._tunnels[key].local_port

    async def close_tunnels(self, api: Api, cluster: str) -> None:
        """Close the tunnels to a cluster that has ended. On the loop of the connections only."""
        for key in [key for key in self._tunnels if key[:3] == (api.host, api.namespace, cluster)]:
            await self._tunnels.pop(key).close()

    def _started(self) -> asyncio.AbstractEventLoop:
        """The loop, whose thread runs."""
        with self._starting:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._loop.set_exception_handler(log_unhandled)
                threading.Thread(target=self._loop.run_forever, name="mlops-kubernetes", daemon=True).start()
                self._process = os.getpid()
                atexit.register(self.close)
            return self._loop

    def close(self) -> None:
        """Close all connections, where this process made them: one that it forked has none of its threads."""

        async def close() -> None:
            while self._tunnels:
                await self._tunnels.popitem()[1].close()
            while self._apis:
                login = self._apis.popitem()[1]
                if login.done() and _fault(login) is None:
                    await login.result().close()
                else:
                    login.cancel()

        if self._loop is None or os.getpid() != self._process:
            return
        with contextlib.suppress(concurrent.futures.TimeoutError):
            asyncio.run_coroutine_threadsafe(close(), self._loop).result(2.0)
        self._loop.call_soon_threadsafe(self._loop.stop)


class _PodFinder:
    """Finds the scheduler's pod, which may be another one than before; or any of a service's that are ready."""

    def __init__(self, api: Api, cluster: str, selector: str = "", ready: bool = False) -> None:
        self._api, self._cluster, self._ready = api, cluster, ready
        self._selector = selector or f"{names.DASK_CLUSTER}={cluster},{names.DASK_COMPONENT}=scheduler"

    async def find(self) -> str:
        """Its name. Raises `Answer` while there is none that runs."""
        query = {"labelSelector": self._selector}
        found = await self._api.request("GET", self._api.path("pods"), query=query, timeout=5.0)
        pods = [str(pod["metadata"]["name"]) for pod in found.get("items") or [] if self._fits(pod)]
        if not pods:
            noun = "replica" if self._ready else "scheduler"
            raise Answer(404, {"message": f"no {noun} of {self._cluster!r} runs"})
        return random.choice(pods) if self._ready else pods[0]  # noqa: S311 - which one matters to nobody

    def _fits(self, pod: Json) -> bool:
        if pod["status"].get("phase") != "Running" or "deletionTimestamp" in pod["metadata"]:
            return False
        return not self._ready or is_ready(pod)


def _fault(login: asyncio.Task[Api]) -> BaseException | None:
    """What a login that is done failed by. (To ask is to be told: asyncio reports errors that nobody asked for.)"""
    return asyncio.CancelledError() if login.cancelled() else login.exception()


async def has_name_here(host: str) -> bool:
    """Whether the service `host` is found by DNS: from inside of its Kubernetes cluster."""
    if "KUBERNETES_SERVICE_HOST" not in os.environ:
        return False
    try:
        await wait_for(asyncio.get_running_loop().getaddrinfo(host, names.SCHEDULER_PORT), 2.0)
    except (OSError, asyncio.TimeoutError):
        return False
    return True

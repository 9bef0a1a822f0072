"""Dask's dashboard, started when somebody first looks at it, behind a key.

The scheduler is started without it: importing bokeh takes longer than everything else. What Dask listens on with HTTP
even so (its `/info` pages and metrics, open to every user of the machine) is closed by `dask.stop_http_server`.
"""

from __future__ import annotations

import asyncio
import hmac
import importlib
import secrets
from typing import TYPE_CHECKING, Any

from . import dask
from .link import DASHBOARD_KEY_HEADER

if TYPE_CHECKING:
    from distributed import Scheduler


class Dashboard:
    """The dashboard of one scheduler.

    Parameters
    ----------
    host : the address to listen on: of this machine only, or of the pod.
    """

    def __init__(self, scheduler: Scheduler, host: str = "127.0.0.1") -> None:
        self.key = secrets.token_urlsafe(32)
        self._scheduler = scheduler
        self._host = host
        self._port: int | None = None
        self._lock = asyncio.Lock()

    async def address(self) -> tuple[str, int, str]:
        """Host, port and key; starts it the first time."""
        async with self._lock:
            if self._port is None:
                self._port = await self._start()
        return self._host, self._port, self.key

    async def _start(self) -> int:
        pages = await asyncio.to_thread(importlib.import_module, "distributed.dashboard.scheduler")
        guarded = await asyncio.to_thread(importlib.import_module, "jupyter_mlops.controller.guarded")
        application, server = guarded.serve(self._scheduler, self._host, self.key)
        dask.add_dashboard(self._scheduler, pages, application, server)
        return int(server.port)


def allowed(headers: Any, key: str) -> bool:
    """Whether a request's headers carry the key."""
    return hmac.compare_digest(headers.get(DASHBOARD_KEY_HEADER, "").encode(), key.encode())

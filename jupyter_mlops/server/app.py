"""The extension that Jupyter loads, and its routes.

Loading must cost Jupyter next to nothing: what needs pydantic, Dask or MLflow is imported at the first request, or a
moment after the server's start, on a thread.
"""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

from jupyter_server.auth.authorizer import AllowAllAuthorizer
from jupyter_server.extension.application import ExtensionApp
from traitlets import Float

from .accounts.handlers import HANDLERS as ACCOUNTS
from .clusters.handlers import HANDLERS as CLUSTERS
from .dashboard.handlers import HANDLERS as DASHBOARD
from .models.handlers import HANDLERS as MODELS
from .money.handlers import HANDLERS as MONEY
from .operations.handlers import HANDLERS as OPERATIONS
from .profiles.handlers import HANDLERS as PROFILES
from .runs.handlers import HANDLERS as RUNS
from .schedules.handlers import HANDLERS as SCHEDULES
from .serving.handlers import HANDLERS as SERVICES
from .settings.handlers import HANDLERS as SETTINGS
from .stream.handlers import HANDLERS as STREAM

#: A name in a route. What is no name gets a 404 from the managers, with the nearest name.
ROUTES = [
    *PROFILES,
    *SETTINGS,
    *ACCOUNTS,
    *CLUSTERS,
    *DASHBOARD,
    *RUNS,
    *MODELS,
    *SERVICES,
    *SCHEDULES,
    *MONEY,
    *OPERATIONS,
    *STREAM,
]


class MlopsApp(ExtensionApp):
    """Clusters, runs and their cost for JupyterLab."""

    name = "jupyter_mlops"
    load_other_extensions = True

    list_interval = Float(2.0, help="Seconds between looks for clusters and runs while a browser is open.").tag(
        config=True
    )
    quiet_interval = Float(15.0, help="Seconds between looks for clusters and runs while no browser is open.").tag(
        config=True
    )
    keep_days = Float(30.0, help="Days that the history of clusters and runs is kept after their end.").tag(config=True)

    _services: asyncio.Task[Any] | None = None

    def initialize_handlers(self) -> None:
        """Add the routes, all below `jupyter-mlops/`."""
        self.handlers.extend((rf"/jupyter-mlops/{path}", handler) for path, handler in ROUTES)

    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:
        # Watching begins with the server, not with a browser, so that the history has no holes.
        self._begin()

    async def services(self) -> Any:
        """The managers; made by whoever asks first, however often they are asked for at the same time."""
        return await asyncio.shield(self._begin())

    def _begin(self) -> asyncio.Task[Any]:
        if self._services is None or (self._services.done() and self._services.exception()):
            self._services = asyncio.get_running_loop().create_task(self._compose())
        return self._services

    async def _compose(self) -> Any:
        await asyncio.to_thread(importlib.import_module, "jupyter_mlops.server.services")
        from ..pipelines.clock import ensure_clock
        from .services import Services

        root = "" if self.serverapp is None else str(self.serverapp.web_app.settings.get("server_root_dir", ""))
        services = Services(self.list_interval, self.quiet_interval, self.keep_days, self.log, root)
        await services.start()
        await asyncio.to_thread(ensure_clock)  # what is scheduled goes on after a restart of the machine
        # There no Authorizer is asked: only where it would allow everybody who is logged in.
        server = self.serverapp
        if server is not None and server.authenticate_prometheus and type(server.authorizer) is AllowAllAuthorizer:
            services.metrics.join()
        return services

    async def stop_extension(self) -> None:
        """Let go of clusters, which live on, and of the history's file."""
        if self._services is not None:
            services = await self._services
            self._services = None
            await services.close()

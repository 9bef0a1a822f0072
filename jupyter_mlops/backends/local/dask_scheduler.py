"""Dask's scheduler as a local cluster runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask
import distributed
from distributed.http.routing import RoutingApplication
from tornado.httpserver import HTTPServer

from .tls import security


class Scheduler(distributed.Scheduler):
    """Dask's scheduler with its HTTP server made, but not listening: any user of the machine could read it.

    The controller lets it listen when somebody who is logged in asks for the dashboard.
    """

    def start_http_server(self, routes: Any, *args: Any, **kwargs: Any) -> None:
        """Make the application that the dashboard is added to; open no port."""
        self.http_application = RoutingApplication(routes)
        self.http_server = HTTPServer(self.http_application)


def make_scheduler(folder: Path) -> Scheduler:
    """The scheduler of the cluster in `folder`, not started. Only this machine can reach it, only with its key.

    Its pages aren't loaded with it: they take longer than all the rest, and the controller loads them when asked.
    """
    with dask.config.set({"distributed.scheduler.http.routes": []}):
        return Scheduler(
            host="127.0.0.1", protocol="tls", security=security(folder), dashboard=False, dashboard_address=None
        )

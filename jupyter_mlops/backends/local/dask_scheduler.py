"""Dask's scheduler as a local cluster runs it."""

from __future__ import annotations

from typing import Any

import distributed
from distributed.http.routing import RoutingApplication
from tornado.httpserver import HTTPServer


class Scheduler(distributed.Scheduler):
    """Dask's scheduler with its HTTP server made, but not listening: any user of the machine could read it.

    The controller lets it listen when somebody who is logged in asks for the dashboard.
    """

    def start_http_server(self, routes: Any, *args: Any, **kwargs: Any) -> None:
        """Make the application that the dashboard is added to; open no port."""
        self.http_application = RoutingApplication(routes)  # type: ignore[no-untyped-call]  # Dask's
        self.http_server = HTTPServer(self.http_application)

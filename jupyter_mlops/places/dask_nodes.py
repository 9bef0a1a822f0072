"""Dask's scheduler and worker as every place runs them: nothing of theirs listens with HTTP until somebody asks, and
they leave the CPUs to their users.

Dask's pages tell whoever reaches their port what runs here, which is more than who may use the cluster.
"""

from __future__ import annotations

from typing import Any

import dask
import distributed
from tornado.httpserver import HTTPServer

from ..controller import replicas
from ..controller.dask import RoutingApplication
from ..controller.guard import guard_scheduler

#: Where users' code keeps all CPUs busy, looking at it a hundred times a second takes some percent of them from it; and
#: a worker that has nothing to do takes a tenth of a CPU with Dask's own defaults, a fiftieth with these. Its memory is
#: watched by who started it, besides. What a user's own configuration of Dask says goes before this.
CALM = {
    "worker": {"profile": {"interval": "250 ms"}, "memory": {"monitor-interval": "250 ms"}},
    "admin": {"tick": {"interval": "1 s"}, "system-monitor": {"interval": "2 s"}},
}
#: Which copies may be dropped.
_COPIES = {"scheduler": {"active-memory-manager": {"policies": [{"class": f"{replicas.__name__}.ReduceReplicas"}]}}}
dask.config.update_defaults({"distributed": {**CALM, **_COPIES}})


class Scheduler(distributed.Scheduler):
    """Dask's scheduler with its HTTP server made, but not listening.

    The controller lets it listen when somebody who is logged in asks for the dashboard.
    """

    def start_http_server(self, routes: Any, *args: Any, **kwargs: Any) -> None:
        """Make the application that the dashboard is added to; open no port."""
        self.http_application = RoutingApplication(routes)
        self.http_server = HTTPServer(self.http_application)


class Worker(distributed.Worker):
    """Dask's worker without its HTTP server. A task's own client shows a client's certificate, where there is one."""

    def start_http_server(self, *args: Any, **kwargs: Any) -> None:
        """Start nothing."""

    def _get_client(self, timeout: float | None = None) -> distributed.Client:
        """As Dask's, whose client shows what `security` has for workers."""
        own = self.security
        try:
            self.security = _as_client(own)
            return super()._get_client(timeout)
        finally:
            self.security = own


def _as_client(security: Any) -> Any:
    """The same keys, with the client's in the worker's place; unchanged where there is none."""
    if security is None or not security.tls_client_cert:
        return security
    pair = {"tls_worker_key": security.tls_client_key, "tls_worker_cert": security.tls_client_cert}
    return distributed.Security(require_encryption=True, tls_ca_file=security.tls_ca_file, **pair)


def make_scheduler(**options: Any) -> Scheduler:
    """A scheduler with these options of Dask's, not started. This process is the scheduler's from now on.

    Its pages aren't loaded with it: they take longer than all the rest, and the controller loads them when asked.
    """
    guard_scheduler()
    with dask.config.set({"distributed.scheduler.http.routes": []}):
        return Scheduler(dashboard=False, dashboard_address=None, **options)

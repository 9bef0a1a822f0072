"""The HTTP application of the dashboard: Dask's own pages, refused without the key. Imported when first needed."""

from __future__ import annotations

from typing import Any

from tornado import httputil, web
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from .dashboard import allowed
from .dask import RoutingApplication, plain_routes
from .link import DASHBOARD_KEY_HEADER


class _Refused(web.RequestHandler):
    def prepare(self) -> None:
        self.set_status(403)
        self.finish(f"This dashboard needs the cluster's key in the header {DASHBOARD_KEY_HEADER}.\n")


class Guarded(RoutingApplication):
    """Dask's application, with one question before each request, websockets and static files included."""

    def __init__(self, routes: list[Any], key: str) -> None:
        self._key = key
        super().__init__(routes)  # type: ignore[no-untyped-call]  # distributed has no types for it

    def find_handler(self, request: httputil.HTTPServerRequest, **kwargs: Any) -> Any:
        """The handler of a request; the refusal, when it lacks the key."""
        if not allowed(request.headers, self._key):
            return self.get_handler_delegate(request, _Refused)
        return super().find_handler(request, **kwargs)


def serve(scheduler: Any, host: str, key: str) -> tuple[Guarded, HTTPServer]:
    """An application with Dask's plain pages, listening on a free port of `host`."""
    application = Guarded(plain_routes(scheduler), key)
    server: Any = HTTPServer(application)
    sockets = bind_sockets(0, host)
    server.add_sockets(sockets)
    server.address, server.port = sockets[0].getsockname()[:2]
    return application, server

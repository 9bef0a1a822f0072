"""Dask's dashboard of one cluster, over HTTP and websockets, at an address with a key.

What comes from a cluster is not trusted, our own clusters included: a worker of one may have been taken over. So the
page is shown in a sandbox, and only headers pass that are known to be harmless, in both directions.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from jupyter_server_proxy.handlers import (  # type: ignore[import-untyped]  # it has no types
    ProxyHandler,
    RewritableResponse,
)
from tornado import web
from tornado.httputil import HTTPHeaders

from ...controller.link import DASHBOARD_KEY_HEADER
from ...core.errors import MlopsError
from ..base import finish_with_sentence, is_same_origin, services_of
from ..errors import status_of
from .addresses import query_without_token

#: What of a browser's request a dashboard gets: not the login (cookies, tokens, headers of proxies before us).
_TO_DASHBOARD = (
    "Accept-Encoding",
    "Accept-Language",
    "Cache-Control",
    "If-Modified-Since",
    "If-None-Match",
    "User-Agent",
)

#: What of its answer a browser gets: no cookies, no rights for service workers or for pages elsewhere.
_TO_BROWSER = ("Content-Type", "Content-Encoding", "Cache-Control", "Etag", "Expires", "Last-Modified", "Vary")

#: Its scripts run, and have an origin of their own, from which neither Jupyter's cookies nor its pages can be reached.
_SANDBOX = "sandbox allow-scripts allow-forms allow-popups allow-downloads; frame-ancestors 'self'"


class DashboardProxy(ProxyHandler):  # type: ignore[misc]  # jupyter-server-proxy has no types
    """Passes requests on to the dashboard of the cluster that the key in the URL opens, and to nothing else."""

    SUPPORTED_METHODS = ("GET",)  # a dashboard is looked at, and changes nothing

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # An open dashboard asks all the time: that must not keep an unused server alive.
        super().__init__(*args, update_last_activity=False, rewrite_response=_harmless, **kwargs)
        self._host, self._port, self._key = "", 0, ""
        self.host_allowlist = lambda handler, host: host == self._host

    async def prepare(self) -> None:
        """Without jupyter-server-proxy's own look for a login: the key stands for it."""
        await JupyterHandler.prepare(self)

    def check_origin(self, origin: str | None = None) -> bool:
        """The dashboard's own pages, whose origin browsers call "null", and the server's."""
        return self.request.headers.get("Origin") == "null" or is_same_origin(self)

    @allow_unauthenticated
    async def get(self, key: str, path: str) -> None:
        """A page or a websocket, once the key, the origin and the cluster are known to be right."""
        services = await services_of(self)
        name = services.dashboards.cluster_of(key)
        if name is None or not self.check_origin():
            raise web.HTTPError(403, "Open this dashboard from the sidebar")
        self.proxy_base = url_path_join("jupyter-mlops/dashboards", key)
        self.request.body = b""
        try:
            self._host, self._port, self._key = await services.watcher.link(name).dashboard()
        except MlopsError as error:
            raise web.HTTPError(status_of(error), str(error)) from None
        await super().get(key, path)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """In a tab: a sentence."""
        finish_with_sentence(self, status_code, kwargs["exc_info"][1])

    async def http_get(self, key: str, path: str) -> None:
        """A page."""
        self.request.headers["Accept"] = "*/*"  # never a stream of events, which would pass as it is
        try:
            await self.proxy(self._host, self._port, path)
        except web.HTTPError as error:
            raise web.HTTPError(503, f"The dashboard doesn't answer: {error.log_message}") from None

    async def open(self, key: str, path: str) -> None:
        """A websocket."""
        await self.proxy_open(self._host, self._port, path)

    def get_client_uri(self, protocol: str, host: str, port: int, proxied_path: str) -> str:
        """The address that is asked: whatever is in the path, it stays one."""
        query = query_without_token(self.request.query)
        return f"{protocol}://{host}:{port}/{quote(proxied_path.lstrip('/'))}{query}"

    def proxy_request_headers(self) -> HTTPHeaders:
        """What of the browser's headers is harmless, and the key."""
        sent = self.request.headers
        headers = HTTPHeaders({name: sent[name] for name in (*_TO_DASHBOARD, "Accept") if name in sent})
        headers[DASHBOARD_KEY_HEADER] = self._key
        headers["Host"] = f"{self._host}:{self._port}"
        # Bokeh compares the two; we looked at the browser's own.
        headers["Origin"] = f"http://{self._host}:{self._port}"
        return headers


def _harmless(response: RewritableResponse) -> None:
    """Called by jupyter-server-proxy with each answer of a dashboard."""
    told = response.headers
    kept = HTTPHeaders()
    for name in _TO_BROWSER:
        for value in told.get_list(name):
            kept.add(name, value)
    place = urlsplit(told.get("Location", ""))
    if place.path and not (place.scheme or place.netloc):  # only within the dashboard
        kept["Location"] = told["Location"]
    kept["Content-Security-Policy"] = _SANDBOX
    kept["Referrer-Policy"] = "no-referrer"
    kept["X-Content-Type-Options"] = "nosniff"
    response.headers = kept

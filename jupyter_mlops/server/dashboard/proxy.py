"""Dask's dashboard of one cluster, over HTTP and websockets, behind the login."""

from __future__ import annotations

from typing import Any

from jupyter_server.auth.decorator import authorized, ws_authenticated
from jupyter_server.utils import url_path_join
from jupyter_server_proxy.handlers import ProxyHandler  # type: ignore[import-untyped]  # it has no types
from tornado import web
from tornado.httputil import HTTPHeaders

from ...controller.link import DASHBOARD_KEY_HEADER
from ...core.errors import MlopsError
from ..base import RESOURCE, is_same_origin, services_of
from ..errors import status_of

#: What is for Jupyter only and no cluster may see.
_OURS = ("Authorization", "Cookie", "X-XSRFToken")


class DashboardProxy(ProxyHandler):  # type: ignore[misc]  # jupyter-server-proxy has no types
    """Passes requests on to the dashboard of the cluster that the URL names, and to nothing else."""

    auth_resource = RESOURCE
    SUPPORTED_METHODS = ("GET",)  # a dashboard is looked at, and changes nothing

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # An open dashboard asks all the time: that must not keep an unused server alive.
        super().__init__(*args, update_last_activity=False, **kwargs)
        self._host, self._port, self._key = "", 0, ""
        self.host_allowlist = lambda handler, host: host == self._host

    def get_login_url(self) -> str:
        """A dashboard opens from the sidebar, where there is a login; elsewhere it is refused, not redirected."""
        raise web.HTTPError(403)

    def check_origin(self, origin: str | None = None) -> bool:
        """Only the server's own pages."""
        return is_same_origin(self)

    @ws_authenticated
    @authorized
    async def get(self, name: str, path: str | None) -> None:
        """A page or a websocket, once the user, the origin and the cluster are known to be right."""
        self.proxy_base = url_path_join("jupyter-mlops/clusters", name, "dashboard")
        if not path:
            self.redirect(url_path_join(self.base_url, self.proxy_base, "status"))
            return
        if not self.check_origin():
            raise web.HTTPError(403, "This page may not use this server")
        services = await services_of(self)
        try:
            self._host, self._port, self._key = await services.watcher.link(name).dashboard()
        except MlopsError as error:
            raise web.HTTPError(status_of(error), str(error)) from None
        await super().get(name, path)

    async def http_get(self, name: str, path: str) -> None:
        """A page."""
        await self.proxy(self._host, self._port, path)

    async def open(self, name: str, path: str) -> None:
        """A websocket."""
        await self.proxy_open(self._host, self._port, path)

    def proxy_request_headers(self) -> HTTPHeaders:
        """The browser's headers without the login, and the key."""
        headers: HTTPHeaders = super().proxy_request_headers()
        for name in _OURS:
            headers.pop(name, None)
        headers[DASHBOARD_KEY_HEADER] = self._key
        # Bokeh compares the two; we did that above, with the address that the browser knows.
        if "Origin" in headers:
            headers["Origin"] = f"http://{self._host}:{self._port}"
        headers["Host"] = f"{self._host}:{self._port}"
        return headers

"""Routes of Dask's dashboards: the door, which asks for the login, and the address behind it, which has a key."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from jupyter_server.auth.decorator import allow_unauthenticated, authorized
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import web

from ..base import QuietHandler, finish_with_sentence
from .addresses import query_without_token


class DashboardHandler(QuietHandler):
    """Sends who is logged in on to the dashboard's own address."""

    @web.authenticated
    @authorized
    async def get(self, name: str, path: str | None) -> None:
        """The dashboard of the cluster `name`, once the user, the origin and the cluster are known to be right."""
        cluster = (await self.services.clusters.state(name)).id
        key, query = self.services.dashboards.key_of(cluster), query_without_token(self.request.query)
        self.redirect(url_path_join(self.base_url, "jupyter-mlops/dashboards", key, quote(path or "status")) + query)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """In a tab: a sentence."""
        finish_with_sentence(self, status_code, kwargs["exc_info"][1])


class SandboxHandler(JupyterHandler):
    """Stands for `proxy.DashboardProxy`, whose import takes 70 ms that Jupyter's start doesn't have."""

    SUPPORTED_METHODS = ("GET",)

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """A handler of the real class: of this one there is never an instance."""
        from .proxy import DashboardProxy

        return DashboardProxy(*args, **kwargs)

    @allow_unauthenticated
    async def get(self, key: str, path: str) -> None:
        """Only so that Jupyter's check of the routes finds how the method is guarded; `DashboardProxy.get` runs."""
        raise NotImplementedError


HANDLERS = [(r"clusters/([^/]+)/dashboard(?:/(.*))?", DashboardHandler), (r"dashboards/([^/]+)/(.*)", SandboxHandler)]

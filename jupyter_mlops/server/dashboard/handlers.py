"""Route of Dask's dashboards."""

from __future__ import annotations

from typing import Any

from jupyter_server.auth.decorator import authorized, ws_authenticated
from jupyter_server.base.handlers import JupyterHandler

from ..base import RESOURCE


class DashboardHandler(JupyterHandler):
    """Stands for `proxy.DashboardProxy`, whose import takes 70 ms that Jupyter's start doesn't have."""

    auth_resource = RESOURCE

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """A handler of the real class: of this one there is never an instance."""
        from .proxy import DashboardProxy

        return DashboardProxy(*args, **kwargs)

    @ws_authenticated
    @authorized
    async def get(self, name: str, path: str | None) -> None:
        """Only so that Jupyter's check of the routes finds the method guarded; `DashboardProxy.get` is what runs."""
        raise NotImplementedError


HANDLERS = [(r"clusters/([^/]+)/dashboard(?:/(.*))?", DashboardHandler)]

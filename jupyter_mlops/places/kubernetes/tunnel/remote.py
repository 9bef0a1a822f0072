"""A `Link` to a cluster in Kubernetes: the dashboard's port, too, is reached through a tunnel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....controller.remote import RemoteLink
from ..api.client import Api
from .connections import Connections

if TYPE_CHECKING:
    from distributed.security import Security


class KubernetesLink(RemoteLink):
    """Implements `Link`."""

    def __init__(self, connections: Connections, url: str, security: Security | None, api: Api, cluster: str) -> None:
        super().__init__(url, security)
        self._place_connections, self._api, self._cluster = connections, api, cluster

    async def dashboard(self) -> tuple[str, int, str]:
        """As `Link.dashboard`: an address of this machine, which leads into the scheduler's pod."""
        _, port, key = await super().dashboard()
        return (
            "127.0.0.1",
            await self._place_connections.run(self._place_connections.tunnel(self._api, self._cluster, port)),
            key,
        )

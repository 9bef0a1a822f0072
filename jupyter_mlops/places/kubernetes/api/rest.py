"""What we use of the package `kubernetes` beneath its public face: its connections, and the headers of its logins.

The package's own `request` reads every answer whole, into typed models. A watch, a port-forward and thousands of pods a
minute need the connections themselves. No other file of ours touches undocumented parts of the package.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiohttp import ClientSession
    from kubernetes.aio.client import ApiClient

#: Names of this file that no documentation promises: of the client, and of the client's `rest_client`.
OF_CLIENT = ("rest_client", "update_params_for_auth")
OF_REST = ("pool_manager", "proxy", "ssl_context", "_create_pool_manager")


def session(client: ApiClient) -> ClientSession:
    """The connections, made on first use and on the loop that uses them."""
    rest: Any = client.rest_client
    if rest.pool_manager is None:
        rest.pool_manager = rest._create_pool_manager()
    connections: ClientSession = rest.pool_manager
    return connections


def ssl_context(client: ApiClient) -> ssl.SSLContext:
    """The certificates that the kubeconfig names."""
    context: ssl.SSLContext = client.rest_client.ssl_context
    return context


def way(client: ApiClient) -> dict[str, Any]:
    """How a request finds the API and knows it: the proxy and the server's name in its certificate, where the
    kubeconfig names them. For `ClientSession.request` and `ws_connect`."""
    return {"proxy": client.rest_client.proxy, "server_hostname": client.configuration.tls_server_name or None}


async def login_headers(client: ApiClient, path: str) -> dict[str, str]:
    """What a request for `path` says of who we are."""
    headers: dict[str, str] = {}
    await client.update_params_for_auth(headers, [], ["BearerToken"], path, "GET", None)
    return headers

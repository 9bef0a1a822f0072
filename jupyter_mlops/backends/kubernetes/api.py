"""Calls to Kubernetes' API as plain JSON, on one event loop.

`kubernetes.aio` brings the login (kubeconfig, plug-ins, service account) and the connections; its typed models are left
out: the controller reads thousands of pods a minute on the scheduler's own loop, and only a few fields of each.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from ...core.cluster import Problem
from ...core.errors import InvalidSpec, MlopsError, Refused, Unavailable
from .why import refusal

if TYPE_CHECKING:
    from aiohttp import ClientWebSocketResponse
    from kubernetes.aio.client import ApiClient

Json = dict[str, Any]
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"

#: Where Kubernetes tells a pod of its namespace.
_IN_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_EXTRA = "Install it with `pip install 'jupyter-mlops[kubernetes]'`."


class Answer(Exception):
    """The API refused a request.

    Parameters
    ----------
    status : the HTTP status.
    answer : the body, a Kubernetes `Status`.
    """

    def __init__(self, status: int, answer: Mapping[str, Any]) -> None:
        self.status, self.answer = status, answer
        super().__init__(status, str(answer.get("message", "")))

    @property
    def problem(self) -> Problem:
        """What it means, for people."""
        return refusal(self.status, self.answer)

    @property
    def error(self) -> MlopsError:
        """The same, to be raised to a user."""
        problem = self.problem
        kind = Unavailable
        if self.status in (401, 403):
            kind = Refused  # type: ignore[assignment]  # a sibling class with the same parameters
        elif self.status in (400, 422):
            kind = InvalidSpec  # type: ignore[assignment]  # likewise
        return kind(problem.what, problem.why, problem.todo)


class Unreachable(Unavailable):
    """The API doesn't answer."""


class Api:
    """Kubernetes' API, in one context and namespace. Made by `connect`; belongs to the loop it was made on."""

    def __init__(self, client: ApiClient, namespace: str, reload: Any) -> None:
        self._client = client
        self._reload = reload
        self.namespace = namespace

    @classmethod
    async def connect(cls, context: str = "", namespace: str = "") -> Api:
        """Log in as the kubeconfig says, or in a pod without one, as its service account.

        Raises
        ------
        Unavailable : the package kubernetes is missing, or there is neither a kubeconfig nor a pod around us.
        InvalidSpec : the kubeconfig lacks the context.
        """
        try:
            from kubernetes.aio.client import ApiClient, Configuration
        except ImportError as error:
            raise Unavailable("Kubernetes clusters need the package 'kubernetes'", str(error), _EXTRA) from None
        configuration = Configuration()
        configuration.connection_pool_maxsize = 0  # no limit here: callers ask for 50 things at a time, beside watches
        found = await _login(configuration, context)

        async def reload() -> None:
            await _login(configuration, context)

        return cls(ApiClient(configuration), namespace or found, reload)

    def within(self, namespace: str) -> Api:
        """The same connection, for another namespace; for its own one when `namespace` is empty."""
        return Api(self._client, namespace, self._reload) if namespace else self

    @property
    def host(self) -> str:
        """Where the API is."""
        return str(self._client.configuration.host)

    def path(self, kind: str, name: str = "", *, group: str = "", namespace: str | None = None) -> str:
        """The path of `kind` (such as "pods") or one of them; `group` such as "apps/v1", empty for the core."""
        root = f"/apis/{group}" if group else "/api/v1"
        space = self.namespace if namespace is None else namespace
        middle = f"/namespaces/{quote(space)}" if space else ""
        return f"{root}{middle}/{kind}" + (f"/{quote(name)}" if name else "")

    async def request(
        self, method: str, path: str, body: Json | None = None, *, query: Mapping[str, Any] | None = None,
        content: str = JSON, timeout: float = 30.0, parse: bool = True,
    ) -> Json:  # fmt: skip
        """The API's answer. With `parse` False it isn't read, and empty here.

        Raises
        ------
        Answer : the API refused.
        Unreachable : it doesn't answer.
        """
        data = await self._read(method, path, body, query, content, timeout)
        return (await _parse(data)) if parse and data else {}

    async def text(self, path: str, query: Mapping[str, Any] | None = None, timeout: float = 30.0) -> str:
        """An answer that is text: a log. Raises as `request`."""
        return (await self._read("GET", path, None, query, JSON, timeout)).decode("utf-8", errors="replace")

    async def exists(self, path: str) -> bool:
        """Whether there is something at `path`."""
        try:
            await self.request("GET", path, parse=False)
        except Answer as answer:
            if answer.status == 404:
                return False
            raise
        return True

    async def lines(self, path: str, query: Mapping[str, Any], silence: float) -> AsyncIterator[Json]:
        """Each line of an answer that goes on, as JSON: a watch. Ends when the API ends it.

        Raises
        ------
        Answer : the API refused.
        Unreachable : it doesn't answer, or said nothing for `silence` seconds.
        """
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=silence)
        try:
            response = await self._send("GET", path, None, query, JSON, timeout)
            try:
                async for line in response.content:
                    if line.strip():
                        yield json.loads(line)
            finally:
                response.close()
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError) as error:
            raise _unreachable(self.host, error) from error

    async def websocket(
        self, path: str, query: Mapping[str, Any], protocols: tuple[str, ...], heartbeat: float
    ) -> ClientWebSocketResponse:
        """A websocket to the API, such as a port-forward, pinged every `heartbeat` seconds. Raises as `request`."""
        import aiohttp

        url = self.host + path + "?" + urlencode(query)
        session = await self._session()
        try:
            return await session.ws_connect(  # type: ignore[no-any-return]  # aiohttp's, through an untyped client
                url, protocols=protocols, headers=await self._headers(path, "*/*"), ssl=self._ssl,
                proxy=self._client.rest_client.proxy, heartbeat=heartbeat, max_msg_size=0, compress=0,
            )  # fmt: skip
        except aiohttp.WSServerHandshakeError as error:
            raise Answer(error.status, {"message": error.message}) from error
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            raise _unreachable(self.host, error) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()  # type: ignore[no-untyped-call]  # the client has no types there

    @property
    def _ssl(self) -> ssl.SSLContext:
        context: ssl.SSLContext = self._client.rest_client.ssl_context
        return context

    async def _session(self) -> Any:
        rest = self._client.rest_client
        if rest.pool_manager is None:
            rest.pool_manager = rest._create_pool_manager()
        return rest.pool_manager

    async def _headers(self, path: str, accept: str = JSON) -> dict[str, str]:
        headers: dict[str, str] = {"Accept": accept}
        await self._client.update_params_for_auth(headers, [], ["BearerToken"], path, "GET", None)
        return headers

    async def _read(
        self, method: str, path: str, body: Json | None, query: Mapping[str, Any] | None, content: str, timeout: float
    ) -> bytes:
        import aiohttp

        limit = aiohttp.ClientTimeout(total=timeout, sock_connect=10)
        try:
            response = await self._send(method, path, body, query, content, limit)
            return await response.read()  # type: ignore[no-any-return]  # aiohttp's, through an untyped client
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            raise _unreachable(self.host, error) from error

    async def _send(
        self, method: str, path: str, body: Json | None, query: Mapping[str, Any] | None, content: str, timeout: Any
    ) -> Any:
        """The open answer. A login that expired is renewed once."""
        url = self.host + path + (f"?{urlencode(query)}" if query else "")
        session = await self._session()
        data = None if body is None else json.dumps(body, separators=(",", ":"))
        for attempt in (1, 2):
            headers = await self._headers(path) | ({"Content-Type": content} if body is not None else {})
            response = await session.request(
                method, url, data=data, headers=headers, timeout=timeout, proxy=self._client.rest_client.proxy
            )
            if response.status < 300:
                return response
            answer = await response.read()
            if response.status != 401 or attempt == 2:
                raise Answer(response.status, _status(answer))
            await self._reload()
        raise AssertionError("both attempts return or raise")


async def _login(configuration: Any, context: str) -> str:
    """Load the login into `configuration`; the namespace that goes with it."""
    from kubernetes.aio import config

    file = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    there = _any_exists(file.split(os.pathsep))
    load: Any = config
    try:
        if there:
            loader = await load.load_kube_config(file, context or None, configuration, persist_config=False)
            return str(loader.current_context["context"].get("namespace") or "default")
        load.load_incluster_config(client_configuration=configuration)
        return _pods_namespace()
    except config.ConfigException as error:
        if there:
            raise InvalidSpec("The kubeconfig doesn't lead to a cluster", str(error), f"Look at {file}.") from None
        raise Unavailable(
            "There is no way to a Kubernetes cluster",
            f"there is no kubeconfig at {file}, and this is not a pod",
            "Get a kubeconfig from who runs the cluster, and set KUBECONFIG to its path.",
        ) from None


def _any_exists(paths: list[str]) -> bool:
    return any(Path(path).expanduser().exists() for path in paths if path)


def _pods_namespace() -> str:
    return _IN_POD.read_text(encoding="utf-8").strip()


def _unreachable(host: str, error: BaseException) -> Unreachable:
    why = str(error) or type(error).__name__
    return Unreachable(f"Kubernetes at {host} doesn't answer", why, "Check the network (VPN?) and the kubeconfig.")


async def _parse(data: bytes) -> Json:
    """Parsed JSON; big ones in a thread, so that the loop goes on meanwhile."""
    if len(data) < 200_000:
        return json.loads(data)  # type: ignore[no-any-return]  # the API answers objects
    return await asyncio.to_thread(json.loads, data)


def _status(data: bytes) -> Json:
    try:
        status = json.loads(data)
    except ValueError:
        return {"message": data.decode("utf-8", errors="replace")[:500]}
    return status if isinstance(status, dict) else {"message": str(status)}

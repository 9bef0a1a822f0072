"""Calls to Kubernetes' API as plain JSON, on one event loop.

`kubernetes.aio` brings the login (kubeconfig, plug-ins, service account) and the connections; its typed models are left
out: the controller reads thousands of pods a minute on the scheduler's own loop, and only a few fields of each.
"""

from __future__ import annotations

import asyncio
import io
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlencode

from ....core.base import Seconds
from ....core.cluster import Problem
from ....core.errors import InvalidSpec, MlopsError, Refused, Unavailable
from ..why import refusal
from . import rest
from .login import Login

if TYPE_CHECKING:
    from aiohttp import ClientWebSocketResponse
    from kubernetes.aio.client import ApiClient
    from multidict import CIMultiDict

_T = TypeVar("_T")

Json = dict[str, Any]
JSON = "application/json"
#: How often a request is sent that the API puts off, and seconds that it is put off at most.
TRIES, LONGEST = 4, 5.0
MERGE_PATCH = "application/merge-patch+json"


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


def unanswered(patience: Seconds) -> Unavailable:
    """What there is to say where it hasn't answered in time."""
    return Unavailable("Kubernetes doesn't answer", f"it said nothing in {patience:.0f} s", "Check the network (VPN?).")


def problem_of(error: Exception, patience: Seconds) -> Problem:
    """Why it can't be asked, whatever came of that within `patience`."""
    if isinstance(error, asyncio.TimeoutError):
        return Problem.of(unanswered(patience))
    if isinstance(error, Answer):
        return error.problem
    if isinstance(error, MlopsError):
        return Problem.of(error)
    return Problem(what="What Kubernetes answers can't be read", why=f"{type(error).__name__}: {error}")


class Api:
    """Kubernetes' API, in one context and namespace. Made by `connect`; belongs to the loop it was made on."""

    def __init__(self, client: ApiClient, namespace: str, login: Login) -> None:
        self._client, self._login = client, login
        self.namespace = namespace

    @classmethod
    async def connect(cls, context: str = "", namespace: str = "") -> Api:
        """Log in as the kubeconfig says, or in a pod without one, as its service account. Raises as `Login.open`."""
        login = Login(context)
        client, found = await login.open()
        return cls(client, namespace or found, login)

    def within(self, namespace: str) -> Api:
        """The same connection, for another namespace; for its own one when `namespace` is empty."""
        return Api(self._client, namespace, self._login) if namespace else self

    @property
    def host(self) -> str:
        """Where the API is."""
        return str(self._client.configuration.host)

    def path(self, kind: str, name: str = "", *, group: str = "", namespace: str | None = None) -> str:
        """The path of `kind` (such as "pods") or one of them; `group` such as "apps/v1", empty for the core.

        Raises
        ------
        InvalidSpec : a name can't be one, and would lead elsewhere.
        """
        root = f"/apis/{group}" if group else "/api/v1"
        space = self.namespace if namespace is None else namespace
        middle = f"/namespaces/{_step(space)}" if space else ""
        return f"{root}{middle}/{kind}" + (f"/{_step(name)}" if name else "")

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
        return (await self._parse(data)) if parse and data else {}

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

        url, session = self.host + path + "?" + urlencode(query), rest.session(self._client)

        async def open_it(login: CIMultiDict[str]) -> ClientWebSocketResponse:
            try:
                opened: ClientWebSocketResponse = await session.ws_connect(
                    url, protocols=protocols, headers=_with(login, {"Accept": "*/*"}), heartbeat=heartbeat,
                    max_msg_size=0, compress=0, ssl=rest.ssl_context(self._client), **rest.way(self._client),
                )  # fmt: skip
                return opened
            except aiohttp.WSServerHandshakeError as error:
                raise Answer(error.status, {"message": error.message}) from error

        try:
            return await self._as_us(path, open_it)
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            raise _unreachable(self.host, error) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()  # type: ignore[no-untyped-call]  # the client has no types there

    async def _as_us(self, path: str, ask: Callable[[CIMultiDict[str]], Awaitable[_T]]) -> _T:
        """What `ask` gets with our login's headers. A login that expired is renewed once."""
        login = await self._login.headers(path)
        try:
            return await ask(login)
        except Answer as answer:
            if answer.status != 401:
                raise
        await self._login.renew(login)
        return await ask(await self._login.headers(path))

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

    async def _parse(self, data: bytes) -> Json:
        """Parsed JSON; big ones in a thread, so that the loop goes on meanwhile."""
        try:
            found = json.loads(data) if len(data) < 200_000 else await asyncio.to_thread(json.loads, data)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            return found
        begins = data[:40].decode("utf-8", errors="replace")
        raise Unreachable(
            "What answers isn't Kubernetes",
            f"{self.host} sent {begins!r}",
            "Check the server's address in the kubeconfig, and whether this network wants a login first.",
        )

    async def _send(
        self, method: str, path: str, body: Json | None, query: Mapping[str, Any] | None, content: str, timeout: Any
    ) -> Any:
        """The open answer."""
        url, session = self.host + path + (f"?{urlencode(query)}" if query else ""), rest.session(self._client)
        headers = {"Accept": JSON} | ({"Content-Type": content} if body is not None else {})
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()

        async def send(login: CIMultiDict[str], tries: int = TRIES) -> Any:
            sent = None if data is None else io.BytesIO(data)  # piece by piece, however large it is
            response = await session.request(
                method, url, data=sent, headers=_with(login, headers), timeout=timeout, **rest.way(self._client)
            )
            if response.status < 300:
                return response
            answer = Answer(response.status, _status(await response.read()))
            wait = response.headers.get("Retry-After", "")
            if response.status not in (429, 503) or not wait.isdecimal() or tries == 1:
                raise answer
            await asyncio.sleep(min(float(wait), LONGEST))
            return await send(login, tries - 1)

        return await self._as_us(path, send)


def _step(name: str) -> str:
    """`name` as one step of a path, whatever is in it: names also come from labels, links and command lines."""
    if name in (".", ".."):
        raise InvalidSpec(f"{name!r} is no name of anything in Kubernetes")
    return quote(name, safe="")


def _with(login: CIMultiDict[str], headers: Mapping[str, str]) -> CIMultiDict[str]:
    """Both. A name may be there twice: somebody who acts as another one may do so in several groups."""
    both = login.copy()
    both.update(headers)
    return both


def _unreachable(host: str, error: BaseException) -> Unreachable:
    import aiohttp

    why = str(error) or type(error).__name__
    if isinstance(error, (aiohttp.ClientSSLError, ssl.SSLError)):
        cause = error.__cause__ if isinstance(error.__cause__, ssl.SSLError) else None
        return Unreachable(
            "There is no safe connection to Kubernetes",
            f"{host}: {getattr(cause, 'verify_message', '') or why}",
            "Compare the certificates in the kubeconfig, the server's name and this machine's clock.",
        )
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return Unreachable("The proxy to Kubernetes doesn't answer", why, "Check the proxy's address.")
    if isinstance(error, asyncio.TimeoutError):
        why = f"{host} said nothing in time"
    return Unreachable("Kubernetes doesn't answer", why, "Check the network (VPN?) and the kubeconfig.")


def _status(data: bytes) -> Json:
    try:
        status = json.loads(data)
    except ValueError:
        return {"message": data.decode("utf-8", errors="replace")[:500]}
    return status if isinstance(status, dict) else {"message": str(status)}


async def delete(api: Api, path: str, how: Json | None = None) -> None:
    """Delete an object; a no-op when it is gone. Raises as `Api.request`.

    Parameters
    ----------
    how : the API's DeleteOptions, such as preconditions.
    """
    try:
        await api.request("DELETE", path, how, parse=False)
    except Answer as answer:
        if answer.status != 404:
            raise

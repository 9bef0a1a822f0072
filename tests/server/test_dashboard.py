"""Dask's dashboard through the server: pages, files, redirects and Bokeh's websocket; only by who is logged in, and in
a sandbox."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tornado import web
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.websocket import websocket_connect

from jupyter_mlops import places
from jupyter_mlops.controller.remote import RemoteLink

from ..websockets import hang_up
from .conftest import PATIENCE, SMALL, running

NONE = {**SMALL, "groups": [{"workers": 0, "minimum": 0, "maximum": 1, "memory": "500 MiB"}]}


async def address_of(jp_fetch: Any, path: str = "", **params: str) -> str:
    """Where who is logged in is sent for the dashboard of `one`."""
    where = ("jupyter-mlops", "clusters", "one", "dashboard", path)
    sent_on = await jp_fetch(*where, params=params, follow_redirects=False, raise_error=False)
    assert sent_on.code == 302, sent_on.body
    return str(sent_on.headers["Location"])


async def test_a_dashboard_behind_the_login(
    ask: Any,
    jp_fetch: Any,
    http_server_client: Any,
    jp_base_url: str,
    jp_http_port: int,
    jp_auth_header: dict[str, str],
) -> None:
    await ask("PUT", "profiles/none", NONE)
    await ask("POST", "clusters", {"profile": "none", "name": "one"})
    await running(ask, "one")
    for headers in ({}, {**jp_auth_header, "Origin": "https://evil.example"}):
        door = f"{jp_base_url}jupyter-mlops/clusters/one/dashboard/status"
        refused = await http_server_client.fetch(door, headers=headers, raise_error=False, follow_redirects=False)
        assert refused.code == 403
    address = await address_of(jp_fetch)
    assert await address_of(jp_fetch, "status") == address
    assert re.fullmatch(rf"{jp_base_url}jupyter-mlops/dashboards/[\w-]{{40,}}/status", address)

    # From here on as the sandboxed page asks: without cookies or a token, from no origin.
    page = await http_server_client.fetch(address)
    text = page.body.decode()
    assert "sandbox allow-scripts" in page.headers["Content-Security-Policy"]
    assert "allow-same-origin" not in page.headers["Content-Security-Policy"]
    files = re.findall(r'src="([^"]+\.js[^"]*)"', text)
    assert files, text[:500]
    root = address.removesuffix("status")
    for file in files:
        if not file.startswith("http"):
            assert (await http_server_client.fetch(root + file.split("?")[0].removeprefix("/"))).code == 200

    # Bokeh's own websocket, with the token that the page carries.
    token = re.search(r'"token":\s*"([^"]+)"', text)
    assert token, "the page holds a Bokeh session"
    url = f"ws://localhost:{jp_http_port}{address}/ws"
    socket = await websocket_connect(HTTPRequest(url, headers={"Origin": "null"}), subprotocols=["bokeh", token[1]])
    first = await asyncio.wait_for(socket.read_message(), PATIENCE)
    assert first is not None and "ACK" in "".join([str(first), *[str(await socket.read_message()) for _ in range(2)]])
    await hang_up(socket)
    for bad in (url.replace(root, f"{jp_base_url}jupyter-mlops/dashboards/{'k' * 43}/"), url):
        origin = "https://evil.example" if bad == url else "null"
        with pytest.raises(HTTPClientError) as error:
            await websocket_connect(HTTPRequest(bad, headers={"Origin": origin}), subprotocols=["bokeh", token[1]])
        assert error.value.code == 403

    link = await places.get("local").link("one")
    host, port, key = await link.dashboard()
    await link.close()
    direct = AsyncHTTPClient(force_instance=True)
    answer = await direct.fetch(f"http://{host}:{port}/status", raise_error=False)
    assert answer.code == 403, "another user of this machine has no key"
    answer = await direct.fetch(f"http://{host}:{port}/status", headers={"X-Jupyter-MLOps-Key": key})
    assert answer.code == 200
    direct.close()


class Hostile(web.RequestHandler):
    """A dashboard that wants to be more than a page."""

    asked: list[Any]

    def initialize(self, asked: list[Any]) -> None:
        self.asked = asked

    def get(self) -> None:
        self.asked.append(self.request)
        self.set_header("Content-Type", "text/html")
        for name in ("Access-Control-Allow-Origin", "Service-Worker-Allowed", "Clear-Site-Data", "Refresh", "Link"):
            self.set_header(name, "*")
        self.set_header("Content-Security-Policy", "default-src *")
        self.set_cookie("username-localhost-8888", "mine")
        if self.request.path == "/away":
            self.redirect(self.get_query_argument("to"))


@asynccontextmanager
async def hostile_dashboard(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[Any]]:
    """The cluster's controller says that its dashboard is this one; gives what it is asked."""
    asked: list[Any] = []
    server = HTTPServer(web.Application([(r".*", Hostile, {"asked": asked})]))
    (socket,) = bind_sockets(0, "127.0.0.1")
    server.add_sockets([socket])

    async def dashboard(self: RemoteLink) -> tuple[str, int, str]:
        return "127.0.0.1", socket.getsockname()[1], "key"

    monkeypatch.setattr(RemoteLink, "dashboard", dashboard)
    try:
        yield asked
    finally:
        server.stop()
        await server.close_all_connections()


async def test_a_dashboard_gets_no_login_and_gives_no_headers(
    ask: Any, jp_fetch: Any, http_server_client: Any, jp_auth_header: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await ask("PUT", "profiles/none", NONE)
    await ask("POST", "clusters", {"profile": "none", "name": "one"})
    await running(ask, "one")
    async with hostile_dashboard(monkeypatch) as asked:
        token = jp_auth_header["Authorization"].split()[1]
        address = await address_of(jp_fetch, "x", token=token, theme="dark")
        assert address.endswith("/x?theme=dark")
        secret = {"Cookie": "username-x=secret", "X-Forwarded-Access-Token": "secret", "X-XSRFToken": "secret"}
        for accept in ("text/html", "text/event-stream"):
            headers = {**jp_auth_header, **secret, "Accept": accept}
            answer = await http_server_client.fetch(f"{address}&token=secret", headers=headers)
            told = {name.lower() for name in answer.headers}
            assert not told & {"set-cookie", "service-worker-allowed", "clear-site-data", "refresh", "link"}
            assert not {name for name in told if name.startswith("access-control")}
            assert answer.headers.get_list("Content-Security-Policy")[0].startswith("sandbox")
            assert len(answer.headers.get_list("Content-Security-Policy")) == 1
        for request in asked:
            sent = f"{request.uri} {list(request.headers.get_all())}"
            assert request.uri == "/x?theme=dark" and "secret" not in sent and token not in sent
        root = address.partition("/x?")[0]
        for path, reached in (("%00", "/%00"), ("a%3Fb%23c", "/a%3Fb%23c"), ("%2F%2Fevil.example", "/evil.example")):
            await http_server_client.fetch(f"{root}/{path}")
            assert asked[-1].uri == reached
        await http_server_client.fetch(f"{root}/b", body=b"x", allow_nonstandard_methods=True)
        assert asked[-1].body == b""
        for to, followed in (("https://evil.example/", None), ("//evil.example", None), ("/status", f"{root}/status")):
            away = await http_server_client.fetch(f"{root}/away?to={to}", follow_redirects=False, raise_error=False)
            assert away.headers.get("Location") == followed


async def test_there_is_no_dashboard_of_what_is_not_there(ask: Any, jp_fetch: Any) -> None:
    answer = await jp_fetch("jupyter-mlops", "clusters", "none", "dashboard", "status", raise_error=False)
    assert answer.code == 404

"""Dask's dashboard through the server: pages, files, redirects and Bokeh's websocket, and never without the login."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from jupyter_mlops import places

from ..websockets import hang_up
from .conftest import PATIENCE, SMALL, finished


async def test_a_dashboard_behind_the_login(
    ask: Any,
    jp_fetch: Any,
    http_server_client: Any,
    jp_base_url: str,
    jp_http_port: int,
    jp_auth_header: dict[str, str],
) -> None:
    await ask("PUT", "profiles/small", SMALL)
    await finished(ask, await ask("POST", "clusters", {"profile": "small", "name": "one"}))
    where = ("jupyter-mlops", "clusters", "one", "dashboard")

    page = await jp_fetch(*where, "status", request_timeout=PATIENCE)
    assert page.code == 200
    text = page.body.decode()
    files = re.findall(r'src="([^"]+\.js[^"]*)"', text)
    assert files, text[:500]
    for file in files:
        if not file.startswith("http"):
            answer = await jp_fetch(*where, file.split("?")[0].removeprefix("/"))
            assert answer.code == 200
    redirected = await jp_fetch(*where, "", follow_redirects=False, raise_error=False)
    assert redirected.code in (301, 302)
    assert redirected.headers["Location"] == f"{jp_base_url}jupyter-mlops/clusters/one/dashboard/status"

    # Bokeh's own websocket, with the token that the page carries.
    token = re.search(r'"token":\s*"([^"]+)"', text)
    assert token, "the page holds a Bokeh session"
    path = f"{jp_base_url}jupyter-mlops/clusters/one/dashboard/status/ws"
    ours = {**jp_auth_header, "Origin": f"http://localhost:{jp_http_port}"}
    socket = await websocket_connect(
        HTTPRequest(f"ws://localhost:{jp_http_port}{path}", headers=ours), subprotocols=["bokeh", token[1]]
    )
    first = await asyncio.wait_for(socket.read_message(), PATIENCE)
    assert first is not None and "ACK" in "".join([str(first), *[str(await socket.read_message()) for _ in range(2)]])
    await hang_up(socket)

    for headers in ({}, {**jp_auth_header, "Origin": "https://evil.example"}):
        url = f"ws://localhost:{jp_http_port}{path}"
        try:
            await websocket_connect(HTTPRequest(url, headers=headers), subprotocols=["bokeh", token[1]])
        except HTTPClientError as error:
            assert error.code == 403
        else:
            raise AssertionError("the websocket was opened")
    refused = await http_server_client.fetch(
        f"{jp_base_url}jupyter-mlops/clusters/one/dashboard/status", raise_error=False
    )
    assert refused.code == 403

    link = await places.get("local").link("one")
    host, port, key = await link.dashboard()
    await link.close()
    direct = AsyncHTTPClient(force_instance=True)
    answer = await direct.fetch(f"http://{host}:{port}/status", raise_error=False)
    assert answer.code == 403, "another user of this machine has no key"
    answer = await direct.fetch(f"http://{host}:{port}/status", headers={"X-Jupyter-MLOps-Key": key})
    assert answer.code == 200
    direct.close()


async def test_there_is_no_dashboard_of_what_is_not_there(ask: Any, jp_fetch: Any) -> None:
    answer = await jp_fetch("jupyter-mlops", "clusters", "none", "dashboard", "status", raise_error=False)
    assert answer.code == 404

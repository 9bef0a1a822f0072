"""Dask's dashboard: there when asked for, and only for who has the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from jupyter_mlops.controller.link import DASHBOARD_KEY_HEADER
from jupyter_mlops.core.profile import Group

from ..websockets import hang_up
from .cluster import PATIENCE, cluster, make_spec


def asked(url: str, key: str | None = None) -> HTTPRequest:
    """A request that has time for its answer: pages are made on the loop that asks."""
    headers = {} if key is None else {DASHBOARD_KEY_HEADER: key}
    return HTTPRequest(url, headers=headers, connect_timeout=PATIENCE, request_timeout=PATIENCE)


async def test_nothing_listens_with_http_until_it_is_asked_for(tmp_path: Path) -> None:
    async with cluster(make_spec(Group(workers=0)), tmp_path) as c:
        server: Any = c.scheduler.http_server
        port = server.port
        with pytest.raises(ConnectionRefusedError):
            await AsyncHTTPClient().fetch(f"http://127.0.0.1:{port}/info/main/workers.html")
        assert "dashboard" not in c.scheduler.services


async def test_the_dashboard_is_refused_without_the_key(tmp_path: Path) -> None:
    async with cluster(make_spec(Group(workers=0)), tmp_path) as c:
        host, port, key = await c.link.dashboard()
        assert host == "127.0.0.1"
        assert (host, port, key) == await c.link.dashboard(), "it is started once"
        client = AsyncHTTPClient()
        for path in ("/status", "/info/main/workers.html", "/health", "/metrics", "/statics/css/base.css", "/none"):
            for wrong in (None, "wrong", "", "schlüssel"):
                with pytest.raises(HTTPClientError) as refused:
                    await client.fetch(asked(f"http://{host}:{port}{path}", wrong))
                assert refused.value.code == 403, path
        page = await client.fetch(asked(f"http://{host}:{port}/status", key))
        assert b"Bokeh" in page.body
        health = await client.fetch(asked(f"http://{host}:{port}/health", key))
        assert health.body == b"ok"


async def test_it_is_looked_for_where_the_scheduler_is(tmp_path: Path) -> None:
    async with cluster(make_spec(Group(workers=0)), tmp_path) as c:
        _, port, key = await c.link.dashboard()

        async def elsewhere() -> dict[str, Any]:
            return {"ok": ["169.254.169.254", port, key]}

        c.scheduler.handlers["mlops_dashboard"] = elsewhere
        assert await c.link.dashboard() == ("127.0.0.1", port, key)


async def test_its_websockets_are_refused_too(tmp_path: Path) -> None:
    async with cluster(make_spec(Group(workers=0)), tmp_path) as c:
        host, port, key = await c.link.dashboard()
        url = f"ws://{host}:{port}/status/ws"
        with pytest.raises(HTTPClientError) as refused:
            await websocket_connect(asked(url), subprotocols=["bokeh", "token"])
        assert refused.value.code == 403
        socket = await websocket_connect(asked(f"ws://{host}:{port}/eventstream", key))
        await hang_up(socket)

"""No route, found by walking them all, serves who may not be served."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_server.auth.authorizer import Authorizer
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.routing import Router
from tornado.web import RequestHandler
from tornado.websocket import websocket_connect
from traitlets.config import Config

VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def routes(web_app: Any) -> Iterator[tuple[str, str]]:
    """Verb and path of each of our routes."""
    for pattern, target in patterns(web_app).items():
        path = re.sub(r"\([^)]*\)", "some-name", pattern)
        for verb in VERBS:
            if getattr(target, verb.lower()) is not getattr(RequestHandler, verb.lower()):
                yield verb, path


def patterns(web_app: Any) -> dict[str, Any]:
    """The path of each of our routes, with `([^/]+)` and `(.*)` for names in it → its handler."""
    found = {}
    for rule in walk(web_app.default_router):
        pattern = rule.matcher.regex.pattern if hasattr(rule.matcher, "regex") else ""
        if "jupyter-mlops" in pattern:
            found[pattern.replace("(?:/(.*))?", "/(.*)").rstrip("$").replace("\\", "")] = rule.target
    return found


def walk(router: Any) -> Iterator[Any]:
    for rule in getattr(router, "rules", []):
        if isinstance(rule.target, Router):
            yield from walk(rule.target)
        else:
            yield rule
    if (wildcard := getattr(router, "wildcard_router", None)) is not None:
        yield from walk(wildcard)


async def status(client: Any, verb: str, path: str, headers: dict[str, str]) -> int:
    """The status that a request gets."""
    body = "{}" if verb in ("POST", "PUT", "PATCH") else None
    if path.endswith("/stream"):
        headers = {**headers, "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
        headers["Sec-WebSocket-Key"] = "x3JJHMbDL1EzLkh9GBhXDw=="
    try:
        answer = await client.fetch(path, method=verb, body=body, headers=headers, follow_redirects=False)
    except HTTPClientError as error:
        return int(error.code)
    return int(answer.code)


def test_every_route_is_found(jp_serverapp: Any) -> None:
    found = set(routes(jp_serverapp.web_app))
    assert len(found) >= 24, found
    paths = {path.split("jupyter-mlops/")[1] for _, path in found}
    assert {"stream", "clusters", "clusters/some-name/dashboard/some-name", "runs/some-name/again"} <= paths


async def test_without_a_token_nothing_is_served(jp_serverapp: Any, http_server_client: Any) -> None:
    for verb, path in routes(jp_serverapp.web_app):
        assert await status(http_server_client, verb, path, {}) == 403, (verb, path)


async def test_a_wrong_token_is_no_token(jp_serverapp: Any, http_server_client: Any) -> None:
    for verb, path in routes(jp_serverapp.web_app):
        headers = {"Authorization": "token nonsense"}
        assert await status(http_server_client, verb, path, headers) == 403, (verb, path)


async def test_a_page_of_another_origin_is_refused_though_it_knows_the_token(
    jp_serverapp: Any, http_server_client: Any, jp_auth_header: dict[str, str]
) -> None:
    for verb, path in routes(jp_serverapp.web_app):
        headers = {**jp_auth_header, "Origin": "https://evil.example"}
        assert await status(http_server_client, verb, path, headers) == 403, (verb, path)


async def test_without_xsrf_a_cookie_changes_nothing(
    jp_serverapp: Any, http_server_client: Any, jp_auth_header: dict[str, str], jp_base_url: str
) -> None:
    answer = await http_server_client.fetch(f"{jp_base_url}tree", headers=jp_auth_header, raise_error=False)
    cookies = {part.split("=")[0]: part.split(";")[0] for part in answer.headers.get_list("Set-Cookie")}
    cookie = next(text for name, text in cookies.items() if name.startswith("username-"))
    assert await status(http_server_client, "GET", f"{jp_base_url}jupyter-mlops/clusters", {"Cookie": cookie}) == 200
    checked = 0
    for verb, path in routes(jp_serverapp.web_app):
        if verb != "GET":
            assert await status(http_server_client, verb, path, {"Cookie": cookie}) == 403, (verb, path)
            headers = {"Cookie": f"{cookie}; _xsrf=abc", "X-XSRFToken": "abc"}
            assert await status(http_server_client, verb, path, headers) != 403, (verb, path)
            checked += 1
    assert checked >= 9


class Nobody(Authorizer):
    """Lets nobody do anything with what is ours."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return not resource.startswith(("jupyter-mlops", "mlops:"))


async def test_who_is_not_authorised_gets_nothing(
    jp_serverapp: Any, http_server_client: Any, jp_auth_header: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(jp_serverapp.web_app.settings, "authorizer", Nobody(parent=jp_serverapp))
    for verb, path in routes(jp_serverapp.web_app):
        assert await status(http_server_client, verb, path, dict(jp_auth_header)) == 403, (verb, path)


class Spectator(Authorizer):
    """Lets everybody look and change, and nobody run code."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return action != "execute" or resource not in ("jupyter-mlops", "mlops:services")


async def test_who_may_not_execute_starts_and_repeats_nothing(
    jp_serverapp: Any, http_server_client: Any, jp_auth_header: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(jp_serverapp.web_app.settings, "authorizer", Spectator(parent=jp_serverapp))
    refused = set()
    for verb, path in routes(jp_serverapp.web_app):
        name = path.split("jupyter-mlops/")[1]
        if name != "stream" and await status(http_server_client, verb, path, dict(jp_auth_header)) == 403:
            refused.add((verb, name))
    keyed = ("GET", "dashboards/some-name/some-name")  # there is no such key
    runs = {("POST", f"runs/some-name/{what}") for what in ("again", "sizes")}
    split = {
        ("PATCH", "services/some-name"),
        *(("POST", f"services/some-name/{what}") for what in ("promote", "retrain", "rollback")),
    }
    schedules = {("POST", "schedules"), ("POST", "schedules/some-name/run")}
    assert refused - {keyed} == {("POST", "clusters"), ("POST", "services"), *runs, *split, *schedules}


class TestWhereAnAuthorizerDecides:
    @pytest.fixture
    def jp_server_config(self, jp_server_config: Config) -> Config:
        jp_server_config.ServerApp.authorizer_class = Spectator
        return jp_server_config

    async def test_jupyter_s_own_metrics_which_ask_none_say_nothing_of_money(self, jp_fetch: Any) -> None:
        assert b"mlops_clusters" in (await jp_fetch("jupyter-mlops", "metrics")).body
        assert b"mlops_" not in (await jp_fetch("metrics")).body


async def test_the_stream_opens_for_our_own_page(
    jp_serverapp: Any, http_server_client: Any, jp_auth_header: dict[str, str], jp_base_url: str, jp_http_port: int
) -> None:
    url = f"ws://localhost:{jp_http_port}{jp_base_url}jupyter-mlops/stream"
    ours = {**jp_auth_header, "Origin": f"http://localhost:{jp_http_port}"}
    socket = await websocket_connect(HTTPRequest(url, headers=ours))
    await socket.write_message("no hello")
    assert await socket.read_message() is None
    assert socket.close_code == 1003
    socket.close()


@pytest.mark.parametrize("path", ["clusters", "clusters/x/workers", "runs", "operations"])
async def test_polling_is_no_activity(path: str, jp_serverapp: Any, ask: Any) -> None:
    jp_serverapp.web_app.settings.pop("api_last_activity", None)
    await ask("GET", path)
    assert "api_last_activity" not in jp_serverapp.web_app.settings
    await ask("POST", "clusters", {"profile": "nothing-like-it"})
    assert "api_last_activity" in jp_serverapp.web_app.settings

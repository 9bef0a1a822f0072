"""Whatever is sent to whichever route: an answer in words, no fault of the server's, nothing in its log."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest, HTTPResponse
from tornado.websocket import websocket_connect

from ..websockets import hang_up
from .conftest import SMALL, running
from .test_security import VERBS, patterns

#: Requests to each route, and messages to the websocket. The same ones each time.
REQUESTS, SEED = 14, 11

#: A fault of ours; 503 and 507 are what is said of clusters and disks.
FAULTS = {500, 501, 502, 504, 599}

NAMES = [
    "one", "..", ".", "%2e%2e%2f%2e%2e", "%00", "a%00b", "%ff%fe", "%ed%a0%80", "x" * 3000, "%0d%0aSet-Cookie:a", "-",
    "%3Cscript%3E", "0123456789ab", "%F0%9F%98%80", "'%22;--", "%252e", "*", "~root", "%5c%5c", "status",
    "%1b%5d0;x%07",
]  # fmt: skip

VALUES: list[Any] = [
    None, True, 0, -1, 1e308, 10**30, "", "one", "x" * 100_000, "\0", "\x1b]0;x\x07", "‮", "é" * 50, [], [[]], {},
    {"": {}}, [None] * 1000, "2 GiB", "-1 h", {"cpu_hour": -1}, [{"name": "a"}], {"A\0": "b", "": "=", "C=": "\0"},
]  # fmt: skip

FIELDS = [
    "profile", "name", "workers", "group", "minimum", "maximum", "now", "cluster", "price", "kinds", "tracking_uri",
    "default_profile", "last_used", "groups", "environment", "limits", "options", "place", "title", "format", "\0",
]  # fmt: skip

BODIES = [
    b"", b"{", b"null", b"[]", b'"x"', b"\xff\xfe", b'{"a": NaN}', b"[" * 20_000 + b"]" * 20_000,
    b'{"title": "\\ud800"}', b'{"default_profile": "\\ud800"}', b'{"last_used": {"\\udfff": 1}}', b'{"a":' * 5000,
    b'{"a": "' + b"x" * 2_000_000 + b'"}', b"\0", b'{"profile": {"name": "\\udc00"}}',
]  # fmt: skip


class Faults(logging.Handler):
    """What is logged with a traceback. That a cluster doesn't answer just now (503) is no fault."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.said.append(logging.Formatter().format(record))


@pytest.fixture
def faults(jp_serverapp: Any) -> Iterator[Faults]:
    """What the server logs as its own faults."""
    gc.collect()  # tasks that earlier tests dropped are told of now
    handler = Faults()
    loggers = [jp_serverapp.log, logging.getLogger("tornado"), logging.getLogger("asyncio")]
    for logger in loggers:
        logger.addHandler(handler)
    yield handler
    for logger in loggers:
        logger.removeHandler(handler)


class Fuzzer:
    """Makes requests, always the same."""

    def __init__(self) -> None:
        self._random = random.Random(SEED)

    def path(self, pattern: str) -> str:
        """A path of the route, with names of all sorts in it."""
        steps = pattern.split("(.*)")
        path = "".join(step + self._names() for step in steps[:-1]) + steps[-1]
        while "([^/]+)" in path:
            path = path.replace("([^/]+)", self._random.choice(NAMES), 1)
        return path + self._random.choice(["", "", f"?{self._query()}", "?%00=%ff&&==", "?token=%00"])

    def body(self) -> bytes:
        """A body: JSON of what is known, and what is no JSON at all."""
        if self._random.random() < 0.5:
            return self._random.choice(BODIES)
        return json.dumps({self._random.choice(FIELDS): self._random.choice(VALUES) for _ in range(3)}).encode()

    def headers(self) -> dict[str, str]:
        """Headers that ask for something special."""
        odd = {"Range": "bytes=-1", "If-None-Match": "x", "Accept": "text/event-stream", "Content-Type": "text/\xff"}
        odd |= {"Origin": "null", "Upgrade": "websocket", "Expect": "nothing", "Accept-Encoding": "\x7f"}
        name = self._random.choice([*odd, ""])
        return {name: odd[name]} if name else {}

    def _names(self) -> str:
        return "/".join(self._random.choices(NAMES, k=self._random.randrange(3)))

    def _query(self) -> str:
        names = ["since", "limit", "lines", "worker", "cluster", "force"]
        return urlencode({self._random.choice(names): self._random.choice(["nan", "-1", "1e999", "\0", "/etc/x", "٣"])})


async def test_no_request_is_a_fault_of_the_server(
    ask: Any, jp_serverapp: Any, http_server_client: Any, jp_auth_header: dict[str, str], faults: Faults
) -> None:
    groups = [{"workers": 0, "minimum": 0, "maximum": 0, "memory": "500 MiB"}]
    await ask("PUT", "profiles/none", {**SMALL, "groups": groups})
    await ask("POST", "clusters", {"profile": "none", "name": "one"})
    await running(ask, "one")
    door = await http_server_client.fetch(
        f"{jp_serverapp.base_url}jupyter-mlops/clusters/one/dashboard/status",
        headers=jp_auth_header, follow_redirects=False, raise_error=False,
    )  # fmt: skip
    NAMES.append(door.headers["Location"].split("/")[-2])
    fuzzer = Fuzzer()

    async def send(verb: str, path: str, body: bytes | None, headers: dict[str, str]) -> HTTPResponse | None:
        options = {"follow_redirects": False, "allow_nonstandard_methods": True, "raise_error": False}
        try:
            return await http_server_client.fetch(path, method=verb, body=body, headers=headers, **options)
        except HTTPClientError as error:
            return error.response

    statuses: dict[int, int] = {}
    for pattern in patterns(jp_serverapp.web_app):
        for number in range(REQUESTS):
            verb = VERBS[number % len(VERBS)]
            path = fuzzer.path(pattern)
            if verb == "DELETE":
                path = path.replace("/one", "/two")  # the cluster that the others are about
            login = jp_auth_header if number % 7 else {}
            answer = await send(verb, path, fuzzer.body(), {**fuzzer.headers(), **login})
            assert answer is not None, (verb, path)
            statuses[answer.code] = statuses.get(answer.code, 0) + 1
            assert answer.code not in FAULTS, (verb, path, answer.code, answer.body[:500])
            assert not [line for line in answer.headers.get_list("Set-Cookie") if line.startswith("a")], (verb, path)
            assert not faults.said, (verb, path, faults.said)
    assert len(statuses) >= 5, statuses
    assert (await ask("GET", "clusters/one"))["phase"] == "running", "it serves as before"


async def test_no_message_is_a_fault_of_the_server(
    jp_http_port: int, jp_base_url: str, jp_auth_header: dict[str, str], faults: Faults, browse: Any
) -> None:
    chance = random.Random(SEED)
    url = f"ws://localhost:{jp_http_port}{jp_base_url}jupyter-mlops/stream"
    messages: list[bytes | str] = [*BODIES, "x" * 70_000, json.dumps({"type": "hello", "seq": 10**40})]
    for _ in range(2 * REQUESTS):
        fields = ["epoch", "seq", "follow_clusters", "follow_runs", "type"]
        messages.append(json.dumps({chance.choice(fields): chance.choice(VALUES) for _ in range(3)}))
    names = [*NAMES, "\0", "x" * 5000]
    messages.append(json.dumps({"type": "hello", "follow_clusters": names, "follow_runs": names}))
    for message in messages:
        socket = await websocket_connect(HTTPRequest(url, headers=jp_auth_header))
        await socket.write_message(message, binary=isinstance(message, bytes))
        await hang_up(socket)
        assert not faults.said, (message[:200], faults.said)
    browser = await browse()
    await asyncio.wait_for(browser.read(), 60)
    assert not faults.said

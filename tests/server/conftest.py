"""A real Jupyter server with the extension, on a home folder of each test's own, and real local clusters."""

from __future__ import annotations

import asyncio
import functools
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest
from traitlets.config import Config

from jupyter_mlops import places
from jupyter_mlops.client.clusters.listing import list_clusters
from jupyter_mlops.core.naming import ClusterName

from ..websockets import hang_up

#: Seconds that anything may take on a busy machine.
PATIENCE = 150.0

#: A profile that is ready soon.
SMALL = {
    "title": "Small",
    "groups": [{"workers": 1, "minimum": 0, "maximum": 4, "memory": "500 MiB"}],
    "price": {"cpu_hour": 3.6, "source": "test"},
}


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks by HTTP waits as long as all else here: Tornado's clients give a server 20 s."""
    for limit in ("connect_timeout", "request_timeout"):
        monkeypatch.setitem(vars(HTTPRequest)["_DEFAULTS"], limit, PATIENCE)


@pytest.fixture
def jp_fetch(jp_fetch: Any) -> Any:
    """As pytest-jupyter's, which has a limit of its own."""
    return functools.partial(jp_fetch, request_timeout=PATIENCE)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jp_environ: None) -> Iterator[Path]:
    """The home folder; its clusters are ended when the test is."""
    folder = tmp_path / "mlops"
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(folder))
    folder.mkdir(mode=0o700)
    yield folder
    asyncio.run(_end_all())


async def _end_all() -> None:
    for state in (await list_clusters()).clusters:
        if state.place == "local" and state.phase != "ended":
            await places.get("local").stop(state.name, force=True)


@pytest.fixture
def jp_server_config(home: Path) -> Config:
    """The extension is on, and looks often."""
    return Config(
        {
            "ServerApp": {"jpserver_extensions": {"jupyter_mlops": True}, "reraise_server_extension_failures": True},
            "MlopsApp": {"list_interval": 0.5, "quiet_interval": 0.5},
        }
    )


Ask = Callable[..., Awaitable[Any]]


@pytest.fixture
def ask(jp_fetch: Any) -> Ask:
    """Send a request; the answer's JSON, or the status and the error."""

    async def send(method: str, path: str, body: Any = None, **params: Any) -> Any:
        text = None if body is None else json.dumps(body)
        if text is None and method in ("POST", "PUT", "PATCH"):
            text = "{}"
        try:
            answer = await jp_fetch("jupyter-mlops", *path.split("/"), method=method, body=text, params=params)
        except HTTPClientError as error:
            assert error.response is not None, error
            return error.code, json.loads(error.response.body)
        return json.loads(answer.body) if answer.body else None

    return send


class Browser:
    """What a browser knows from the stream alone: a snapshot with the changes applied."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.epoch, self.seq = "", 0
        self.snapshots = self.messages = 0
        self.clusters: dict[str, Any] = {}
        self.runs: dict[str, Any] = {}
        self.operations: dict[str, Any] = {}
        self.places: dict[str, Any] = {}
        self.profiles: list[Any] = []
        self.silent: list[Any] = []
        self.models: list[Any] = []
        self.services: list[Any] = []
        self.schedules: dict[str, list[Any]] = {"schedules": [], "silent": []}
        self.workers: dict[str, dict[str, Any]] = {}
        self.events: dict[str, list[Any]] = {}
        self.journal: dict[str, list[Any]] = {}

    async def hello(self, **hello: Any) -> None:
        """Tests know clusters by name, of which each has one; a browser has their ids."""
        if names := hello.get("follow_clusters"):
            ids = {state.name: state.id for state in (await list_clusters()).clusters}
            hello["follow_clusters"] = [ids.get(name, name) for name in names]
        await self.socket.write_message(json.dumps({"type": "hello", **hello}))

    async def read(self) -> dict[str, Any]:
        text = await asyncio.wait_for(self.socket.read_message(), PATIENCE)
        assert text is not None, "the server closed the stream"
        message: dict[str, Any] = json.loads(text)
        self._take(message)
        return message

    async def until(self, condition: Callable[[], Any]) -> Any:
        """Read until the condition holds; its value."""
        deadline = time.monotonic() + PATIENCE
        while not (value := condition()):
            assert time.monotonic() < deadline, "it did not come"
            await self.read()
        return value

    def _take(self, message: dict[str, Any]) -> None:
        self.epoch, self.seq = message["epoch"], message["seq"]
        self.messages += 1
        if message["type"] == "snapshot":
            self.snapshots += 1
            self.clusters = {value["name"]: value for value in message["clusters"]}
            self.runs = {value["id"]: value for value in message["runs"]}
            self.operations = {value["id"]: value for value in message["operations"]}
            self.places = {value["name"]: value for value in message["places"]}
            self.profiles, self.silent, self.models = message["profiles"], message["silent"], message["models"]
            self.services, self.schedules = message["services"], message["schedules"]
            self.workers, self.events, self.journal = {}, {}, {}
            return
        for change in message["changes"]:
            self._apply(change)

    def _apply(self, change: dict[str, Any]) -> None:
        noun, key, value = change["noun"], change["id"], change["value"]
        if noun in ("cluster", "workers", "events"):
            key = ClusterName.of(key).name
        if noun in ("profiles", "silent", "models", "services", "schedules"):
            setattr(self, noun, value)
        elif noun == "workers":
            table = self.workers.setdefault(key, {})
            if change["whole"]:
                table.clear()
            table.update((worker["name"], worker) for worker in value)
            for gone in change["gone"]:
                table.pop(gone, None)
        elif noun in ("events", "journal"):
            lines = getattr(self, noun).setdefault(key, [])
            if change["whole"]:
                lines.clear()
            lines.extend(value)
        else:
            table = getattr(self, f"{noun}s")
            table.pop(key, None) if value is None else table.update({key: value})


@pytest.fixture
def browse(jp_ws_fetch: Any, jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[Callable[..., Awaitable[Browser]]]:
    """Open the stream and say hello."""
    browsers = []

    async def connect(**hello: Any) -> Browser:
        browser = Browser(await jp_ws_fetch("jupyter-mlops", "stream"))
        browsers.append(browser)
        await browser.hello(**hello)
        return browser

    yield connect
    for browser in browsers:
        jp_asyncio_loop.run_until_complete(hang_up(browser.socket))


async def finished(ask: Ask, operation: dict[str, Any]) -> dict[str, Any]:
    """The operation when it has ended."""
    deadline = time.monotonic() + PATIENCE
    while operation["phase"] not in ("done", "failed"):
        assert time.monotonic() < deadline, operation
        await asyncio.sleep(0.1)
        operation = await ask("GET", f"operations/{operation['id']}")
    return operation


async def running(ask: Ask, name: str) -> None:
    """Return when the cluster's scheduler answers: one without workers is ready before that."""
    deadline = time.monotonic() + PATIENCE
    while not isinstance(await ask("GET", f"clusters/{name}/workers"), list):
        assert time.monotonic() < deadline, "it did not come"
        await asyncio.sleep(0.1)


async def eventually(condition: Callable[[], Awaitable[Any]]) -> Any:
    """What `condition` gives once that is something."""
    deadline = time.monotonic() + PATIENCE
    while not (value := await condition()):
        assert time.monotonic() < deadline, "it did not come"
        await asyncio.sleep(0.1)
    return value

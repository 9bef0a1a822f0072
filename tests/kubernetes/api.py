"""An API of Kubernetes that only stores: for tests of what is stored, which need no pods."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from aiohttp import web

Json = dict[str, Any]

_PATH = re.compile(r"/(?:api/v1|apis/[^/]+/[^/]+)(?:/namespaces/[^/]+)?/(?P<kind>[a-z]+)(?:/(?P<name>[^/]+))?")
#: What there is besides the kinds of Kubernetes itself, if a test wants it.
DASK = frozenset({"daskclusters", "daskworkergroups", "daskautoscalers"})


class StoringApi:
    """Objects by kind and name, in one namespace, and what was asked to change them."""

    namespace = "ann"

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Json]] = {}
        self.changes: list[str] = []
        self.url = ""
        #: Kinds that it doesn't know.
        self.unknown = set(DASK)
        #: Kinds that nobody may touch, and what nobody may do with one: "PATCH deployments".
        self.refused: set[str] = set()
        self.put("namespaces", {"metadata": {"name": self.namespace}})
        #: What happens just before somebody does one of these, once: "PATCH deployments".
        self.before: dict[str, Callable[[], object]] = {}
        #: Whether who will do with what is at hand is told what was before the last change, where that may be told.
        self.lags = False
        self._older: dict[str, Json] = {}
        self._closing = asyncio.Event()

    def of(self, kind: str, start: str) -> Json:
        """The object of that kind whose name begins so."""
        (found,) = [item for name, item in self.objects.get(kind, {}).items() if name.startswith(start)]
        return found

    def kept(self, start: str, name: str) -> str:
        """The text of a file that the Secret keeps whose name begins so."""
        return base64.b64decode(self.of("secrets", start)["data"][name]).decode()

    def keep(self, start: str, name: str, text: str) -> None:
        """Put another text there."""
        self.of("secrets", start)["data"][name] = base64.b64encode(text.encode()).decode()

    def put(self, kind: str, body: Json) -> Json:
        """Store an object as the API would."""
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        given = {"uid": str(uuid.uuid4()), "creationTimestamp": now, "namespace": self.namespace, "labels": {}}
        given["resourceVersion"] = "1"
        item = {**body, "metadata": {**given, **body["metadata"]}}
        self.objects.setdefault(kind, {})[item["metadata"]["name"]] = item
        return item

    def kubeconfig(self, folder: Path) -> Path:
        """A kubeconfig that leads here."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": self.url}}],
            "users": [{"name": "ann", "user": {}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "ann", "namespace": self.namespace}}],
            "current-context": "c",
        }
        path = folder / "kubeconfig"
        path.write_text(json.dumps(config))
        return path

    def _delete(self, kind: str, name: str) -> Json:
        """Remove an object, and what it owns."""
        gone = self.objects[kind].pop(name)
        for there in self.objects.values():
            for other in list(there.values()):
                owners = other["metadata"].get("ownerReferences") or []
                if any(owner["uid"] == gone["metadata"]["uid"] for owner in owners):
                    del there[other["metadata"]["name"]]
        return gone

    async def close(self) -> None:
        """End the watches."""
        self._closing.set()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """To any request. A watch never tells of anything."""
        match = _PATH.fullmatch(request.path)
        if match is None or match["kind"] in self.unknown:
            return _status(404)
        if {match["kind"], f"{request.method} {match['kind']}"} & self.refused:
            return _status(403)
        kind, name, there = match["kind"], match["name"], self.objects.setdefault(match["kind"], {})
        if "watch" in request.query:
            watch = web.StreamResponse()
            await watch.prepare(request)
            await self._closing.wait()
            return watch
        if request.method == "GET" and name is None:
            selector = request.query.get("labelSelector", "")
            fields = dict(part.split("=") for part in request.query.get("fieldSelector", "").split(",") if part)
            items = [item for item in there.values() if _selected(item["metadata"]["labels"], selector)]
            if "metadata.name" in fields:
                items = [item for item in items if item["metadata"]["name"] == fields["metadata.name"]]
            items = [{key: item[key] for key in item if key not in ("kind", "apiVersion")} for item in items]
            return web.json_response({"metadata": {"resourceVersion": "1"}, "items": items})
        if request.method == "POST":
            body = await request.json()
            if body["metadata"]["name"] in there:
                return _status(409)
            return web.json_response(self.put(kind, body), status=201)
        if (happens := self.before.pop(f"{request.method} {kind}", None)) is not None:
            await asyncio.to_thread(happens)
        if name not in there:
            return _status(404)
        if request.method != "GET":
            self.changes.append(f"{request.method} {kind} {name}")
        if request.method == "DELETE":
            body = await request.json() if request.can_read_body else {}
            expected = body.get("preconditions", {}).get("resourceVersion")
            if expected not in (None, there[name]["metadata"]["resourceVersion"]):
                return _status(409)
            return web.json_response(self._delete(kind, name))
        if request.method == "PATCH":
            patch = await request.json()
            now = there[name]["metadata"].get("resourceVersion")
            expected = None if isinstance(patch, list) else patch.get("metadata", {}).get("resourceVersion")
            if expected not in (None, now):
                return _status(409)
            self._older[f"{kind}/{name}"] = there[name]
            changed = _replaced(there[name], patch) if isinstance(patch, list) else _merged(there[name], patch)
            if changed is None:
                return _status(422)
            there[name] = changed
            there[name]["metadata"]["resourceVersion"] = str(int(now or 0) + 1)
        older, least = self._older.get(f"{kind}/{name}"), request.query.get("resourceVersion")
        if self.lags and older is not None and least and int(older["metadata"]["resourceVersion"]) >= int(least):
            return web.json_response(older)
        return web.json_response(there[name])


@contextmanager
def storing_api() -> Iterator[StoringApi]:
    """One that answers until the end."""
    api, loop = StoringApi(), asyncio.new_event_loop()
    started = threading.Event()

    async def serve() -> web.AppRunner:
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", api.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        api.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        started.set()
        return runner

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    runner = asyncio.run_coroutine_threadsafe(serve(), loop).result()
    started.wait()
    try:
        yield api
    finally:
        asyncio.run_coroutine_threadsafe(api.close(), loop).result()
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _selected(labels: dict[str, str], selector: str) -> bool:
    for part in re.split(r",(?![^(]*\))", selector) if selector else []:
        one_of = re.fullmatch(r"(\S+) in \((.*)\)", part)
        if one_of is not None:
            fits = labels.get(one_of[1]) in one_of[2].split(",")
        elif "!=" in part:
            key, _, value = part.partition("!=")
            fits = labels.get(key) != value
        else:
            key, _, value = part.partition("=")
            fits = labels.get(key) == value if value else key in labels
        if not fits:
            return False
    return True


def _merged(item: Json, patch: Json) -> Json:
    merged = dict(item)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            under = merged.get(key)
            merged[key] = _merged(under if isinstance(under, dict) else {}, value)
        else:
            merged[key] = value
    return merged


def _replaced(item: Json, patch: list[Json]) -> Json | None:
    """What a JSON patch makes of an object, that only replaces; None where a test of it fails."""
    changed: Json = json.loads(json.dumps(item))
    for change in patch:
        assert change["op"] in ("replace", "test"), change
        *steps, last = [step.replace("~1", "/") for step in change["path"].split("/")[1:]]
        under = changed
        for step in steps:
            under = under[step]
        assert last in under, change["path"]
        if change["op"] == "test" and under[last] != change["value"]:
            return None
        under[last] = change["value"]
    return changed


def _status(code: int) -> web.Response:
    return web.json_response({"kind": "Status", "code": code, "message": f"status {code}", "reason": ""}, status=code)

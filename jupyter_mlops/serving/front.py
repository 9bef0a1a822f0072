"""What callers see of a service: HTTP, with the Open Inference Protocol (V2) and plain records."""

from __future__ import annotations

import asyncio
import contextlib
import http
import itertools
import secrets
import sys
import time
import traceback
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import unquote

from pydantic_core import to_json
from tornado import httputil
from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream, StreamClosedError

from .._version import __version__
from ..core.base import Seconds
from ..core.errors import InvalidInput, NotFound, Refused, Unavailable, Unreadable
from ..core.service import MOST_BODY
from ..core.waiting import until_set, wait_for
from ..core.words import listed, size
from .answering import Answering
from .connections import OpenConnections
from .counts import CONTENT_TYPE
from .frames import INFER, PREDICT, AskedHead, Frame
from .reply import COME_IN, PlainReply, fault
from .tensors import KEY

#: Seconds that a connection may be silent between requests, or need for the head of one; and in which a body has to
#: arrive.
_SILENT, _ARRIVING = 60.0, 30.0

#: Bytes of a request's head.
_MOST_HEAD = 16_384

#: Bytes of an answer that are sent at a time, and seconds in which a caller has to take them.
_PART, _TAKING = 1_000_000, 60.0

#: Bytes of bodies that are held at a time, at least; and of how many of the largest ones.
_HELD, _BODIES = 256_000_000, 4

_JSON = "application/json"


class FrontServer(HTTPServer):
    """Takes connections, up to a number."""

    def initialize(self, router: Answering, most: int) -> None:  # type: ignore[override]  # Tornado's way to construct
        """Serve `router`, with `most` connections at a time."""
        self.connections, self._router = OpenConnections(most), router
        #: Whether it is about to end: whoever asks is answered, and asked to come over another connection next time.
        self.leaving = False
        #: Bytes of bodies of requests that aren't answered.
        self.held = 0
        #: Requests that have begun to arrive, and are not answered.
        self._asked: set[_Request] = set()
        self._answered = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        #: What ids begin with, so that no other router of this service gives the same ones.
        self._begin, self._numbers = secrets.token_hex(6), itertools.count(1)
        super().initialize(
            _NoCallback(),
            max_header_size=_MOST_HEAD,
            max_body_size=sys.maxsize,  # what is too large is told so, and thrown away
        )
        self.conn_params.header_timeout = None  # as that of a body: `OpenConnections.close_late`
        self._closes = self._spawn(self.connections.close_late())

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        """As Tornado's; one connection too many is told so, and closed."""
        if self.connections.take(stream):
            super().handle_stream(stream, address)
        else:
            self._spawn(self.connections.turn_away(stream))

    def on_close(self, server_conn: object) -> None:
        """As Tornado's."""
        self.connections.closed(server_conn.stream)  # type: ignore[attr-defined]  # of HTTP/1
        super().on_close(server_conn)

    def start_request(self, server_conn: object, request_conn: httputil.HTTPConnection) -> httputil.HTTPMessageDelegate:
        """As Tornado's."""
        self.connections.expect(server_conn.stream, _SILENT)  # type: ignore[attr-defined]  # of HTTP/1
        return _Request(self._router, request_conn, self._spawn, self)

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def next_id(self) -> str:
        """The id of a request, which no other one has."""
        return f"{self._begin}-{next(self._numbers):x}"

    def begins(self, request: _Request) -> None:
        """A request arrives."""
        self._asked.add(request)

    def ends(self, request: _Request) -> None:
        """It is answered, or its caller is gone."""
        self._asked.discard(request)
        self._answered.set()

    async def finish(self, patience: Seconds) -> None:
        """Take no more connections, and return when what was asked is answered, or too late."""
        self.stop()
        late = time.monotonic() + patience
        while self._asked and (left := late - time.monotonic()) > 0:
            self._answered.clear()
            await until_set(self._answered, left)
        self._closes.cancel()
        await self.close_all_connections()


class _NoCallback(httputil.HTTPServerConnectionDelegate):
    """Tornado wants one, in whose place `start_request` is."""


class _Request(httputil.HTTPMessageDelegate):
    """One request: read within bounds, answered once."""

    def __init__(
        self,
        router: Answering,
        connection: httputil.HTTPConnection,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        server: FrontServer,
    ) -> None:
        self._router, self._connection, self._spawn, self._server = router, connection, spawn, server
        self._stream: IOStream = connection.stream  # type: ignore[attr-defined]  # of HTTP/1
        self._chunks: list[bytes] = []
        self._size = self._held = 0
        self._refused: PlainReply | None = None
        #: Set when all of one that was refused has arrived, or its caller is gone.
        self._read = asyncio.Event()
        self._gone = False
        self._caller = ""
        #: The version that the caller wants, if they say so, and the one that answers.
        self._named: int | None = None
        self._version = router.version
        self._counted = False
        self._began = time.monotonic()

    def headers_received(self, start_line: Any, headers: httputil.HTTPHeaders) -> asyncio.Task[None] | None:
        """Whoever may not ask isn't listened to: no body of theirs is kept."""
        self._server.begins(self)
        self._server.connections.expect(self._stream, _ARRIVING)
        self._method: str = start_line.method
        self._key = unquote(headers.get(KEY, ""))
        self._path = [unquote(part) for part in start_line.path.partition("?")[0].split("/") if part]
        self._refused = self._doubt(headers)
        if self._refused is None:
            return None
        waits = headers.get("Expect") == "100-continue"  # it sends nothing before it is told to: it isn't
        if waits:
            self._read.set()
        task = self._spawn(self._answer())
        return task if waits else None

    def _doubt(self, headers: httputil.HTTPHeaders) -> PlainReply | None:
        """Why its body isn't wanted; None where it is."""
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        if self._path[:2] != ["v2", "health"]:
            refused = self._let_in(token.strip() if scheme.lower() == "bearer" else "")
            if refused is not None:
                return refused
        if headers.get("Content-Encoding", "identity") != "identity":
            return fault(415, "Bodies are taken as they are: send no Content-Encoding.")
        if "Inference-Header-Content-Length" in headers:
            return fault(415, "Tensors are taken as JSON, not as bytes: tritonclient wants binary_data=False.")
        length = headers.get("Content-Length", "")
        return self._too_large() if self._caller and length.isdecimal() and int(length[:20]) > self._most else None

    @property
    def _most(self) -> int:
        """Bytes that its body may have."""
        return max(self._router.body, MOST_BODY) if self._path[:1] == ["log"] else self._router.body

    def _let_in(self, token: str) -> PlainReply | None:
        """Why it may not ask; None where it may."""
        if not token:
            return fault(401, COME_IN, WWW_Authenticate="Bearer")
        try:
            caller = self._router.caller(token)
        except Unavailable as error:
            return fault(503, str(error), Retry_After="1")
        if caller is None:
            words = "This token opens nothing here: it was taken back, or is another service's."
            return fault(401, words, WWW_Authenticate="Bearer")
        self._caller = caller
        self._server.connections.asked(self._stream)
        return None

    def data_received(self, chunk: bytes) -> None:
        """Part of the body. What is refused is told so at once, and thrown away as it comes: were the connection closed
        instead, its sender would learn of that only, and not why."""
        self._size += len(chunk)
        if self._refused is not None or not self._caller:
            return
        if self._size > self._most:
            self._refused = self._too_large()
        elif self._server.held + len(chunk) > max(_HELD, _BODIES * self._router.body):
            words = f"The service holds {size(self._server.held)} of requests, and takes no more at a time. Try again."
            self._refused = fault(503, words, Retry_After="1")
        if self._refused is not None:
            self._let_go()
            self._spawn(self._answer())
        else:
            self._chunks.append(chunk)
            self._server.held += len(chunk)
            self._held += len(chunk)

    def finish(self) -> None:
        """All is there."""
        self._server.connections.arrived(self._stream)
        self._connection.set_close_callback(self.on_connection_close)  # type: ignore[attr-defined]  # of HTTP/1
        self._read.set()
        if self._refused is None:
            self._spawn(self._answer())

    def on_connection_close(self) -> None:
        """The caller is gone. What it has asked is asked all the same."""
        self._gone = True
        if not self._read.is_set():
            self._let_go()
        self._read.set()
        self._server.ends(self)

    def _let_go(self) -> None:
        """Its body isn't held any more."""
        self._chunks.clear()
        self._server.held -= self._held
        self._held = 0

    async def _answer(self) -> None:
        try:
            await self._answered()
        finally:
            self._let_go()
            self._server.ends(self)

    async def _answered(self) -> None:
        rows = 0
        try:
            if self._refused is not None:
                raise self._refused
            frame = await self._routed()
            status, body, headers, rows = frame.code, frame.body, {"Content-Type": _JSON}, frame.rows
        except PlainReply as reply:
            status, headers = reply.status, {"Content-Type": _JSON, **reply.headers}
            body = reply.body if isinstance(reply.body, bytes) else to_json(reply.body)
        except Unavailable as error:
            status, headers = 503, {"Content-Type": _JSON, "Retry-After": "1"}
            body = to_json({"error": str(error)})
        except asyncio.TimeoutError:
            status, headers = 504, {"Content-Type": _JSON}
            body = to_json({"error": "The model took too long; its replica is ended, and another takes its place."})
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller is answered
            traceback.print_exc()
            status, headers = 500, {"Content-Type": _JSON}
            body = to_json({"error": f"The service failed: {type(error).__name__}: {error}"})
        if self._counted or self._refused is not None:
            self._router.counts.count(self._version, status, self._caller, time.monotonic() - self._began, rows)
        if not self._gone:
            with contextlib.suppress(StreamClosedError):
                await self._write(status, headers, body)

    async def _write(self, status: int, headers: dict[str, str], body: bytes) -> None:
        """Returns when all of it has been taken."""
        line = httputil.ResponseStartLine("HTTP/1.1", status, http.HTTPStatus(status).phrase)
        told = httputil.HTTPHeaders({**headers, "Content-Length": str(len(body)), "X-Content-Type-Options": "nosniff"})
        if self._server.leaving:
            told["Connection"] = "close"
        body = b"" if self._method == "HEAD" else body
        await self._taken(self._connection.write_headers(line, told, body[:_PART]))
        for at in range(_PART, len(body), _PART):
            await self._taken(self._connection.write(body[at : at + _PART]))
        if self._refused is not None:
            await self._read.wait()
        if not self._gone:
            self._connection.finish()

    async def _taken(self, written: asyncio.Future[None]) -> None:
        """Wait until a part of the answer is taken. Who doesn't take it is no caller any more."""
        if not written.done():
            try:
                await wait_for(written, _TAKING)
            except asyncio.TimeoutError:
                self._connection.close()  # type: ignore[attr-defined]  # of HTTP/1
                raise StreamClosedError from None
        written.result()

    async def _routed(self) -> Frame:
        """A replica's answer, or raises `PlainReply`."""
        path, model = self._path, self._router.model
        if path == ["metrics"]:
            self._only("GET")
            counts = self._router.counts.text(self._router.ready, self._server.connections.number)
            raise PlainReply(200, counts, {"Content-Type": CONTENT_TYPE})
        if path == ["watch"]:
            self._only("GET")
            raise self._watched()
        if path[:1] == ["log"] and len(path) == 2:
            self._only("POST")
            raise await self._of_log(path[1])
        if path == ["predict"]:
            return await self._ask(PREDICT)
        if path[:1] != ["v2"]:
            raise self._nowhere()
        if path[1:2] in ([], ["health"]):
            raise self._of_server(path[1:])
        if path[1] != "models" or len(path) < 3:
            raise self._nowhere()
        if path[2] != model:
            raise fault(404, f"There is no model {path[2][:200]!r} here: this service has {model!r}.")
        rest = path[3:]
        if rest[:1] == ["versions"] and len(rest) > 1:
            self._named = self._number(rest[1])
            rest = rest[2:]
        if rest == ["infer"]:
            return await self._ask(INFER)
        if rest == ["predict"]:
            return await self._ask(PREDICT)
        self._only("GET")
        if not rest:
            raise PlainReply(200, self._router.metadata(self._named))
        if rest == ["ready"]:
            raise self._readiness({"name": model}, self._named)
        raise self._nowhere()

    def _number(self, text: str) -> int:
        """The version that is asked for, and no other; raises `PlainReply` where it doesn't answer."""
        known = [version for version in self._router.ready if self._router.answers(version)]
        for version in known:
            if text == str(version):
                return version
        served = listed([str(version) for version in known]) or "none"
        are = "are" if len(known) > 1 else "is"
        raise fault(404, f"Version {text[:50]!r} of {self._router.model!r} isn't served: {served} {are}.")

    def _watched(self) -> PlainReply:
        try:
            return PlainReply(200, self._router.watch(self._caller).model_dump_json().encode())
        except Refused as error:
            return fault(403, str(error))

    async def _of_log(self, question: str) -> PlainReply:
        try:
            return PlainReply(200, await self._router.of_log(self._caller, question, self._body()))
        except (Refused, NotFound, InvalidInput, Unreadable) as error:
            return fault({Refused: 403, NotFound: 404, InvalidInput: 400}.get(type(error), 500), str(error))

    def _of_server(self, rest: list[str]) -> PlainReply:
        self._only("GET")
        if not rest:
            return PlainReply(200, {"name": "jupyter-mlops", "version": __version__, "extensions": []})
        if rest == ["health", "live"]:
            return PlainReply(200, {"live": True})
        return self._readiness({}) if rest == ["health", "ready"] else self._nowhere()

    def _readiness(self, told: dict[str, Any], version: int | None = None) -> PlainReply:
        found = self._router.ready
        some = any(found.values()) if version is None else found.get(version, 0) > 0
        ready = some and self._router.begun and not self._server.leaving
        return PlainReply(200 if ready else 503, {**told, "ready": ready})

    async def _ask(self, code: int) -> Frame:
        self._only("POST")
        self._counted = True
        head, named = AskedHead(self._server.next_id(), self._key), self._named is not None
        arm = self._router.choose(head, self._named)
        self._version = arm.version
        self._version, frame = await self._router.ask(arm, code, self._body(), head, named=named)
        return frame

    def _body(self) -> bytes:
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        return body

    def _only(self, method: str) -> None:
        if self._method != method:
            raise fault(405, f"This is asked with {method}, not with {self._method[:20]}.", Allow=method)

    def _nowhere(self) -> PlainReply:
        model = self._router.model
        known = f"v2/models/{model}, v2/models/{model}/infer, predict, v2/health/ready, metrics"
        return fault(404, f"There is nothing at {'/'.join(self._path)[:200]!r}. There are: {known}.")

    def _too_large(self) -> PlainReply:
        return fault(413, f"The body is larger than {size(self._router.body)}: send fewer rows at a time.")

"""Callers that are slow: they are waited for so long, and what they send or don't read takes so much memory."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from tornado.netutil import bind_sockets

from jupyter_mlops.home.services import ServiceFolder
from jupyter_mlops.serving import front
from jupyter_mlops.serving.answering import Answering
from jupyter_mlops.serving.counts import TrafficCounts
from jupyter_mlops.serving.frames import AskedHead, Frame
from jupyter_mlops.serving.front import FrontServer
from jupyter_mlops.serving.minutes import MinuteCounts
from jupyter_mlops.serving.usage import CallerCounts

from .conftest import PATIENCE

MB = 1_000_000

HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer me\r\n"
CHUNKED, NONE = b"Transfer-Encoding: chunked\r\n\r\n", b"Content-Length: 0\r\n\r\n"


class Answers:
    """A router that answers whatever it is asked with as much as it is told to, once it may."""

    model, version, body = "churn", 1, 16 * MB

    def __init__(self, folder: Path, answer: bytes) -> None:
        of = ServiceFolder(folder)
        usage, minutes = CallerCounts(of.usage, pytest.fail), MinuteCounts(of.traffic, pytest.fail)
        self.counts = TrafficCounts("churn", usage, minutes)
        self.answer, self.may_answer, self.asked = answer, asyncio.Event(), 0

    def caller(self, token: str) -> str | None:
        return token

    def choose(self, head: AskedHead, version: int | None = None) -> Any:
        return self

    async def ask(self, arm: Any, code: int, body: bytes, head: AskedHead, *, named: bool) -> tuple[int, Frame]:
        self.asked += 1
        await self.may_answer.wait()
        return 1, Frame(1, 200, self.answer)


Serve = Callable[..., tuple[FrontServer, Answers, int]]


@pytest.fixture
def serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jp_asyncio_loop: asyncio.AbstractEventLoop
) -> Iterator[Serve]:
    """Serves such answers, with so many seconds for what is named: the server, who answers, and its port."""
    made: list[FrontServer] = []

    def begin(answer: bytes = b"{}", **seconds: float) -> tuple[FrontServer, Answers, int]:
        for name in ("_SILENT", "_ARRIVING", "_TAKING"):
            monkeypatch.setattr(front, name, seconds.get(name, PATIENCE))
        answers = Answers(tmp_path, answer)
        server = FrontServer(cast(Answering, answers), most=100)
        made.append(server)
        sockets = bind_sockets(0, "127.0.0.1")
        server.add_sockets(sockets)
        return server, answers, sockets[0].getsockname()[1]

    yield begin
    for each in made:
        jp_asyncio_loop.run_until_complete(each.finish(0))


async def until(true: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("told", "dripping"),
    [(HEAD, b"x"), (HEAD + b"Content-Length: 1000\r\n\r\n", b"x"), (HEAD + CHUNKED, b"1\r\nx\r\n"), (b"", b"")],
    ids=["head", "body", "chunks", "nothing"],
)
async def test_who_sends_a_byte_now_and_then_is_not_waited_for(serve: Serve, told: bytes, dripping: bytes) -> None:
    server, answers, port = serve(_SILENT=0.5, _ARRIVING=0.5)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(told)

    async def drip() -> None:
        while True:
            writer.write(dripping)
            await asyncio.sleep(0.05)

    drips = asyncio.create_task(drip())
    with contextlib.suppress(ConnectionError):
        assert not await asyncio.wait_for(reader.read(), PATIENCE)
    await until(lambda: server.connections.number == 0)
    assert (answers.asked, server.held) == (0, 0)
    drips.cancel()
    writer.close()


async def test_who_does_not_read_the_answer_is_not_waited_for(serve: Serve) -> None:
    server, answers, port = serve(bytes(20 * MB), _TAKING=0.5)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1000)
    writer.write(HEAD + NONE)
    await until(lambda: answers.asked)
    answers.may_answer.set()
    await until(lambda: server.connections.number == 0)
    writer.close()
    assert reader  # without it the connection would be closed by now


async def test_who_reads_slowly_gets_all_of_a_large_answer(serve: Serve) -> None:
    server, answers, port = serve(bytes(20 * MB))
    answers.may_answer.set()
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**16)
    writer.write(HEAD + b"Connection: close\r\n" + NONE)
    head, parts = await reader.readuntil(b"\r\n\r\n"), 0
    while part := await reader.read(2**16):
        parts += len(part)
        await asyncio.sleep(0.001)
    assert parts == 20 * MB and b"Content-Length: 20000000\r\n" in head
    await until(lambda: server.connections.number == 0)
    writer.close()


async def test_so_many_bytes_of_requests_are_held_and_no_more(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those of callers that have gone meanwhile: what they asked still waits for a replica."""
    monkeypatch.setattr(front, "_HELD", 0)
    monkeypatch.setattr(front, "_BODIES", 4)
    server, answers, port = serve()
    callers = []
    for number in range(4):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD + b"Content-Length: %d\r\n\r\n" % answers.body + b" " * answers.body)
        callers.append((reader, writer))
        await until(lambda number=number: answers.asked > number)
    for _, writer in callers:
        writer.close()
    await until(lambda: server.connections.number == 0)

    async def heard() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD + b"Connection: close\r\nContent-Length: 1000\r\n\r\n" + b" " * 1000)
        try:
            return await asyncio.wait_for(reader.read(), PATIENCE)
        finally:
            writer.close()

    told = await heard()
    assert told.startswith(b"HTTP/1.1 503 ") and b"The service holds 64 MB of requests" in told
    assert b"Retry-After: 1\r\n" in told
    answers.may_answer.set()
    await until(lambda: server.held == 0)
    assert (await heard()).startswith(b"HTTP/1.1 200 ")

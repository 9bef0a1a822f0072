"""Schedulers and workers that send what runs code where it is unpickled: it makes a file, the marker."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import msgpack

#: What Dask greets with.
GREETING = {"compression": None, "python": (3, 12, 0), "pickle-protocol": 5}


class Touch:
    """What is unpickled to a call of `Path.touch`."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._marker,)


def framed(*frames: bytes) -> bytes:
    """A message of these frames, as Dask sends it."""
    lengths = struct.pack(f"={len(frames)}Q", *map(len, frames))
    content = struct.pack("=Q", len(frames)) + lengths + b"".join(frames)
    return struct.pack("=Q", len(content)) + content


def plain(message: Any) -> bytes:
    """A message of plain data."""
    return framed(msgpack.packb(message))


def pickled(marker: Path, around: Callable[[Any], Any] = lambda member: member) -> bytes:
    """A message with a member that Dask's reader unpickles, whatever it is told."""
    header = msgpack.packb({"pickled-obj": pickle.dumps(Touch(marker)), "num-sub-frames": 0})
    return framed(msgpack.packb(around({"__Pickled__": 1})), header)


def serialized(marker: Path, around: Callable[[Any], Any] = lambda member: member) -> bytes:
    """A message with a member that Dask's reader unpickles where it deserializes."""
    header = msgpack.packb({"serializer": "pickle", "num-sub-frames": 1})
    return framed(msgpack.packb(around({"__Serialized__": 1})), header, pickle.dumps(Touch(marker)))


class FakeScheduler:
    """What listens in a scheduler's place.

    Parameters
    ----------
    answer : its answer to all that is asked, as bytes.
    greeting : its greeting.
    """

    def __init__(self, answer: bytes, greeting: bytes = plain(GREETING)) -> None:
        self._answer, self._greeting = answer, greeting
        #: What was asked.
        self.asked: list[str] = []
        #: How many connected.
        self.callers = 0
        self.port = 0
        self._writers: list[asyncio.StreamWriter] = []

    @contextlib.asynccontextmanager
    async def listening(self, context: ssl.SSLContext | None = None) -> AsyncIterator[FakeScheduler]:
        """It listens meanwhile."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            await self.hang_up()

    async def hang_up(self) -> None:
        """Close all connections."""
        for writer in self._writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in self._writers), return_exceptions=True)
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self.callers += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            writer.write(self._greeting)
            await read_frames(reader)
            while True:
                (frame, *_) = await read_frames(reader)
                self.asked.append(str(msgpack.unpackb(frame, strict_map_key=False).get("op")))
                writer.write(self._answer)
                await writer.drain()


async def read_frames(reader: asyncio.StreamReader) -> Sequence[bytes]:
    """The frames of the next message."""
    _, count = struct.unpack("=QQ", await reader.readexactly(16))
    lengths = struct.unpack(f"={count}Q", await reader.readexactly(8 * count))
    return [await reader.readexactly(length) for length in lengths]

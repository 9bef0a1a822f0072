"""A TCP connection between two endpoints, with a carrier in between that may break: they go on with the next carrier.

The tunnel holds one endpoint, with a Dask client behind it; the relay in the scheduler's pod holds the other, with the
scheduler behind it. Neither client nor scheduler notices when the API server restarts or a network is away: what the
other endpoint has not acknowledged is kept, and sent again. On a carrier the tunnel's endpoint first names the
connection, then each endpoint says how many bytes it has received; then come frames: a kind, a length, and data, an
acknowledgement or the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import struct
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

from ....core.waiting import end_tasks

Send = Callable[[bytes], Awaitable[None]]

logger = logging.getLogger(__name__)

#: Bytes of a session's name.
NAME = 16
#: How many bytes an endpoint has received; the greatest of them means that it knows no such session.
COUNT = struct.Struct(">Q")
UNKNOWN = 2**64 - 1
_FRAME = struct.Struct(">BI")
_DATA, _SEEN, _END = 0, 1, 2

CHUNK = 256 * 1024
#: Bytes received between two acknowledgements, and bytes that may wait for one.
ACKNOWLEDGE, KEPT = 64 * 1024, 16 * 2**20


class Carrier(Protocol):
    """What a connection is carried over. Its methods raise `OSError` or `EOFError` when it breaks."""

    @property
    def reader(self) -> asyncio.StreamReader:
        """What the other endpoint says."""

    async def send(self, data: bytes) -> None:
        """Say something to the other endpoint."""

    async def close(self) -> None:
        """Give it up."""


#: Makes a carrier and greets the other endpoint: the connection's name and what has been received → a carrier and what
#: has been received there.
Connect = Callable[[bytes, int], Awaitable[tuple[Carrier, int]]]


async def greet(carrier: Carrier, name: bytes, received: int) -> int:
    """Say which connection it is that goes on, and what has arrived of it; returns what has arrived there."""
    await carrier.send(name + COUNT.pack(received))
    (seen,) = COUNT.unpack(await carrier.reader.readexactly(COUNT.size))
    return int(seen)


async def resume(endpoint: Endpoint, connect: Connect) -> None:
    """Carry a connection over as many carriers as it takes, until it is over or unknown to the other endpoint.

    Raises
    ------
    what `connect` raises when it gives up.
    """
    name = secrets.token_bytes(NAME)
    while not endpoint.over.is_set():
        carrier, seen = await connect(name, endpoint.received)
        try:
            if seen == UNKNOWN:
                return
            await endpoint.carry(seen, carrier.reader, carrier.send)
        except (OSError, EOFError) as error:
            logger.info("A port-forward to the scheduler broke, and is made again: %r", error)
        finally:
            await carrier.close()


async def first_of(*works: Coroutine[Any, Any, Any]) -> None:
    """Do all of these until one is done, and stop the others; raises what that one raised."""
    tasks = {asyncio.create_task(work) for work in works}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await end_tasks(*tasks)


class Endpoint:
    """One end of the connection.

    Parameters
    ----------
    reader, writer : the connection to the client or to the scheduler.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.received = 0
        self._acknowledged = 0
        self._unseen: deque[bytes] = deque()
        self._kept = 0
        self._base = 0
        self._unsent: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._ended = False
        #: Set when both ends are closed, or nothing more can be said.
        self.over = asyncio.Event()
        self._pump = asyncio.get_running_loop().create_task(self._read())

    async def carry(self, seen: int, carrier: asyncio.StreamReader, send: Send) -> None:
        """Go on over a new carrier, of whose other side `seen` bytes are known to have arrived there.

        Returns when the connection is over. Raises what the carrier raises when it breaks.
        """
        self._saw(seen)
        self._unsent = deque(self._unseen)
        self._news.set()
        self._acknowledged = self.received
        await first_of(self._receive(carrier), self._send(send))

    async def close(self) -> None:
        """Close the connection to the client or scheduler."""
        self.over.set()
        await end_tasks(self._pump)
        self._writer.close()
        with contextlib.suppress(OSError):
            # Its future is shared: who is cancelled while waiting would cancel it for all others who wait.
            await asyncio.shield(self._writer.wait_closed())

    async def _read(self) -> None:
        """Take what the client or scheduler says, as long as there is room for it."""
        with contextlib.suppress(OSError):
            while data := await self._reader.read(CHUNK):
                self._unseen.append(data)
                self._unsent.append(data)
                self._kept += len(data)
                self._news.set()
                while self._kept > KEPT:
                    self._room.clear()
                    await self._room.wait()
        self._ended = True
        self._news.set()

    def _saw(self, count: int) -> None:
        """The other endpoint has received so much: it need not be kept."""
        while self._unseen and self._base < count:
            first = self._unseen.popleft()
            if self._base + len(first) > count:
                rest = first[count - self._base :]
                self._unseen.appendleft(rest)
                self._kept -= len(first) - len(rest)
                self._base = count
                break
            self._base += len(first)
            self._kept -= len(first)
        self._room.set()

    async def _send(self, send: Send) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            while self._unsent:
                data = self._unsent.popleft()
                await send(_FRAME.pack(_DATA, len(data)) + data)
            if self.received - self._acknowledged >= ACKNOWLEDGE:
                self._acknowledged = self.received
                await send(_FRAME.pack(_SEEN, COUNT.size) + COUNT.pack(self.received))
            if self._ended and not self._unsent:
                await send(_FRAME.pack(_END, 0))
                self.over.set()
                return

    async def _receive(self, carrier: asyncio.StreamReader) -> None:
        while True:
            kind, length = _FRAME.unpack(await carrier.readexactly(_FRAME.size))
            data = await carrier.readexactly(length)
            if kind == _SEEN:
                self._saw(*COUNT.unpack(data))
            elif kind == _DATA:
                self._writer.write(data)
                self.received += length
                if self.received - self._acknowledged >= ACKNOWLEDGE:
                    self._news.set()
                await self._writer.drain()
            else:
                self.over.set()
                return

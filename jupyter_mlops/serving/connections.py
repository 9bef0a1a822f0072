"""How many connections a process may have open, and which of them make room for others."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import resource
import socket
import time

from pydantic_core import to_json
from tornado.iostream import IOStream, StreamClosedError

from ..core.base import Seconds
from ..core.waiting import wait_for

#: Open files that it wants for itself, beside one for each connection: replicas of two versions have two each.
_FILES = 400

#: Connections beyond those that are taken which are told so at a time, and seconds that each has to hear it.
_MOST_TURNED_AWAY, _HEARING = 50, 5.0

#: Seconds that a connection has to ask something before it may have to make room, and how many are looked at for that.
_YOUNG, _LOOKED_AT = 2.0, 10

#: Seconds between two looks at what doesn't arrive.
_LOOK = 1.0


class OpenConnections:
    """The connections that are open, up to a number. Where that is reached those make room over which nobody who may
    has asked anything: to hold them open costs nothing, and needs no token.

    Parameters
    ----------
    most : how many there may be.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._open: set[IOStream] = set()
        #: Those over which nothing was asked, the oldest first, and since when they are open.
        self._silent: dict[IOStream, Seconds] = {}
        #: Until when something has to arrive over those that are waited for.
        self._late: dict[IOStream, Seconds] = {}
        self._turned_away = 0

    @property
    def number(self) -> int:
        """How many are open."""
        return len(self._open)

    def take(self, stream: IOStream) -> bool:
        """Have one more; whether there is room for it."""
        if self.number >= self.most and not self._make_room():
            return False
        self._open.add(stream)
        self._silent[stream] = time.monotonic()
        return True

    def asked(self, stream: IOStream) -> None:
        """Somebody who may has asked something over it."""
        self._silent.pop(stream, None)

    def expect(self, stream: IOStream, within: Seconds) -> None:
        """A head, or a body, has to arrive over it within so many seconds."""
        self._late[stream] = time.monotonic() + within

    def arrived(self, stream: IOStream) -> None:
        """It has."""
        self._late.pop(stream, None)

    async def close_late(self) -> None:
        """Close those over which what is expected doesn't arrive in time, every second: a clock for each request, as
        Tornado has, takes a tenth of what a request does."""
        while True:
            await asyncio.sleep(_LOOK)
            now = time.monotonic()
            for stream in [stream for stream, late in self._late.items() if late < now]:
                self.closed(stream)
                stream.close()

    def closed(self, stream: IOStream) -> None:
        """It is gone."""
        self._open.discard(stream)
        self._silent.pop(stream, None)
        self._late.pop(stream, None)

    def _make_room(self) -> bool:
        """Close the one that has been silent for longest; whether there is one that was so for long enough."""
        late = time.monotonic() - _YOUNG
        for stream, since in [*itertools.islice(self._silent.items(), _LOOKED_AT)]:
            if since > late:
                return False
            if not _has_come(stream):
                self.closed(stream)
                stream.close()
                return True
        return False

    async def turn_away(self, stream: IOStream) -> None:
        """Tell a connection that it is one too many. What it sends is read, and thrown away, until it has heard that:
        were it closed before, its sender would learn of a broken connection, and not why."""
        if self._turned_away >= _MOST_TURNED_AWAY:
            return stream.close()
        words = to_json({"error": f"The service has {self.most} open connections, and takes no more. Try again."})
        head = f"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: {len(words)}"

        async def tell() -> None:
            await stream.write(f"{head}\r\nConnection: close\r\nRetry-After: 1\r\n\r\n".encode() + words)
            stream.socket.shutdown(socket.SHUT_WR)
            while True:
                await stream.read_bytes(65536, partial=True)

        self._turned_away += 1
        try:
            with contextlib.suppress(StreamClosedError, OSError, asyncio.TimeoutError):
                await wait_for(tell(), _HEARING)
        finally:
            self._turned_away -= 1
            stream.close()


def _has_come(stream: IOStream) -> bool:
    """Whether something has come over a connection that wasn't read yet: where much is to do, that may take a while."""
    try:
        return not stream.closed() and bool(stream.socket.recv(1, socket.MSG_PEEK))
    except OSError:
        return False


def most_connections(wanted: int) -> int:
    """Connections that may be open, as far as the system gives files for them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        more = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (more, hard))
            soft = more
    return wanted if soft == resource.RLIM_INFINITY else max(10, min(wanted, soft - _FILES))

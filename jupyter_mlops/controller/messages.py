"""Asks a Dask scheduler, and reads its answers as plain data.

Dask's own reader unpickles whatever a message holds, also while it connects: who answers could run code here. This
speaks the same framing. A message is one length, the number of its frames with the length of each, and the frames; the
first of them is msgpack, and the others are what its members `__Serialized__` and `__Pickled__` were pickled to. These
are never looked at.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
import sys
from typing import Any
from urllib.parse import urlsplit

import msgpack  # type: ignore[import-untyped]  # it has no types

from ..core.base import Seconds
from ..core.errors import AnswerRefused, ClusterUnreachable
from . import roles

#: Bytes of a message, and frames of it, that are read at most.
MOST_BYTES = 256 * 2**20
MOST_FRAMES = 100_000

#: Seconds between two tries to connect: the first, and the most; each is twice the one before.
_AGAIN: tuple[Seconds, Seconds] = (0.02, 0.5)

#: Members of a message that Dask's reader would unpickle, or import a module for.
_OPAQUE = ("__Serialized__", "__Pickled__", "__Enum__")


class Messenger:
    """Asks one scheduler. On one event loop only; several questions may be under way at once.

    Parameters
    ----------
    url : the scheduler's address, such as `tls://127.0.0.1:40123`.
    context : the client's keys; None where the scheduler has no TLS.
    connecting : seconds for which it is tried to connect: a port that is closed may open.
    """

    def __init__(self, url: str, context: ssl.SSLContext | None = None, connecting: Seconds = 4.0) -> None:
        self.url = url
        self._context, self._connecting = context, connecting
        self._idle: list[_Connection] = []
        self._busy: set[_Connection] = set()

    async def ask(self, operation: str, leave_out: bool = False, **request: Any) -> Any:
        """The answer to one of Dask's requests, or of ours; None for one that the scheduler doesn't know.

        Parameters
        ----------
        leave_out : take an answer whose members are pickled, without them: None stands in their place.

        Raises
        ------
        OSError : it can't be reached, or breaks off.
        AnswerRefused : its answer isn't plain data.
        ClusterUnreachable : it says that it failed.
        """
        connection = await self._connection()
        self._busy.add(connection)
        try:
            await connection.write({"op": operation, "reply": True, **request})
            answer, opaque = await connection.read()
        except BaseException:  # also when the caller is cancelled: the answer to come is nobody else's
            connection.close()
            raise
        finally:
            self._busy.discard(connection)
        self._idle.append(connection)
        if isinstance(answer, dict) and answer.get("status") == "uncaught-error":
            raise ClusterUnreachable(
                "The cluster's scheduler failed to answer",
                f"{operation}: {answer.get('exception_text') or 'without a reason'}",
                "Look at its log.",
            )
        if opaque and not leave_out:
            raise refused(self.url, "it holds a pickle, which could run code here")
        return answer

    def close(self) -> None:
        """Close the connections; questions that are under way end with an `OSError`."""
        for connection in [*self._idle, *self._busy]:
            connection.close()
        self._idle.clear()

    async def _connection(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
            connection.close()
        loop, (wait, most) = asyncio.get_running_loop(), _AGAIN
        deadline = loop.time() + self._connecting
        while True:
            try:
                return await _connected(self.url, self._context)
            except ssl.SSLCertVerificationError:
                raise  # another cluster's: it stays so
            except OSError:
                if loop.time() + wait > deadline:
                    raise
            await asyncio.sleep(wait)
            wait = min(most, 2 * wait)


def refused(url: str, why: str) -> AnswerRefused:
    """The error for an answer that isn't plain data."""
    return AnswerRefused(
        "The answer of the cluster's scheduler was refused",
        f"{url}: {why}",
        "No scheduler of ours answers so: do not use this cluster, and ask who made it.",
    )


async def _connected(url: str, context: ssl.SSLContext | None) -> _Connection:
    """A new connection, after Dask's greetings."""
    where = urlsplit(url)
    if (where.scheme == "tls") != (context is not None):
        raise ConnectionError("its address and its keys don't fit: one has TLS, the other hasn't")
    reader, writer = await asyncio.open_connection(where.hostname, where.port, ssl=context)
    connection = _Connection(url, reader, writer)
    try:
        if context is not None and not roles.may_schedule(roles.role_of(writer.get_extra_info("peercert"))):
            raise refused(url, "it is another part of the cluster, in the scheduler's place")
        await connection.write({"compression": None, "python": sys.version_info[:3], "pickle-protocol": 5})
        _, opaque = await connection.read()
        if opaque:
            raise refused(url, "its greeting holds a pickle, which could run code here")
    except BaseException:
        connection.close()
        raise
    return connection


class _Connection:
    """One connection: a question, its answer, the next question."""

    def __init__(self, url: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._url, self._reader, self._writer = url, reader, writer

    @property
    def usable(self) -> bool:
        """Whether the other end is there, as far as is known."""
        return not (self._reader.at_eof() or self._reader.exception() or self._writer.is_closing())

    async def write(self, message: Any) -> None:
        """Send a message of plain data."""
        frame = msgpack.packb(message)
        self._writer.write(struct.pack("=QQQ", 16 + len(frame), 1, len(frame)) + frame)
        await self._writer.drain()

    async def read(self) -> tuple[Any, bool]:
        """The next message, and whether members of it were left out since they aren't plain data.

        Raises
        ------
        OSError : the connection broke.
        AnswerRefused : what came is no message of plain data.
        """
        try:
            first, frames, later = struct.unpack("=QQQ", await self._reader.readexactly(24))
            if not 1 <= frames <= MOST_FRAMES:
                raise refused(self._url, "it isn't a message of Dask's")
            lengths = (later, *struct.unpack(f"={frames - 1}Q", await self._reader.readexactly(8 * (frames - 1))))
            if sum(lengths) > MOST_BYTES or first > MOST_BYTES:
                raise refused(self._url, f"it is longer than {MOST_BYTES // 2**20} MiB")
            frame = await self._reader.readexactly(lengths[0])
            for length in lengths[1:]:
                await self._reader.readexactly(length)
        except asyncio.IncompleteReadError:
            raise ConnectionResetError("the connection was closed") from None
        return self._decoded(frame)

    def close(self) -> None:
        """Close it at once."""
        with contextlib.suppress(RuntimeError):  # its loop has ended
            self._writer.transport.abort()

    def _decoded(self, frame: bytes) -> tuple[Any, bool]:
        opaque = False

        def member(found: dict[Any, Any]) -> Any:
            nonlocal opaque
            if any(mark in found for mark in _OPAQUE):
                opaque = True
                return None
            return set(found["as-list"]) if found.keys() == {"__Set__", "as-list"} else found

        def extension(code: int, data: bytes) -> Any:
            raise ValueError(f"it holds an extension of msgpack, {code}")

        try:
            message = msgpack.unpackb(
                frame, object_hook=member, ext_hook=extension, use_list=False, strict_map_key=False
            )
        except (ValueError, TypeError, RecursionError, msgpack.exceptions.UnpackException) as error:
            raise refused(self._url, f"it can't be read: {error}") from None
        return message, opaque

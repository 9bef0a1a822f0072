"""Forwards a local port to a scheduler's pod from outside of the Kubernetes cluster, and heals itself.

A local port stays open for as long as the tunnel does. Each connection to it goes through the API to the scheduler pod
that there is at that moment; while there is none, or the API doesn't answer, the connection waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from ....core.waiting import end_tasks, wait_for
from ..api.client import Answer, Api, Unreachable
from .peer import is_ours
from .resumable import CHUNK, Endpoint, first_of, greet, resume

if TYPE_CHECKING:
    from aiohttp import ClientWebSocketResponse

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

#: Seconds that a new connection waits for a scheduler: less than Dask's own patience with a connection (30 s).
PATIENCE = 25.0
#: Seconds between signs of life of an open connection; without one it is closed, and its user connects again.
HEARTBEAT = 6.0
#: Seconds that an open connection waits for a new port-forward when its own broke: apiservers restart, laptops are
#: closed.
LOST = 300.0
#: Seconds for the pod to answer the first word over a new port-forward.
GREETING = 10.0
#: Answers that waiting doesn't change.
_FOR_GOOD = (400, 401, 403, 405, 406)
_PROTOCOL = "v4.channel.k8s.io"


class Socket:
    """One forwarded connection: channel 0 carries data, channel 1 the kubelet's complaints.

    The first message of each channel is only the port's number.
    """

    def __init__(self, raw: ClientWebSocketResponse) -> None:
        self._raw = raw
        self._opened: set[int] = set()

    async def send(self, data: bytes) -> None:
        """Send data. Raises `OSError` when the connection is gone."""
        await self._raw.send_bytes(b"\0" + data)

    async def receive(self) -> bytes:
        """Data, as it comes; empty at the end.

        Raises
        ------
        Unreachable : the pod refuses the connection, in the kubelet's words.
        """
        while True:
            message = await self._raw.receive()
            if not isinstance(message.data, bytes) or not message.data:
                return b""  # closed, or failed
            channel, data = message.data[0], message.data[1:]
            if channel not in self._opened:
                self._opened.add(channel)
                data = data[2:]
            if not data:
                continue
            if channel == 1:
                raise Unreachable("The scheduler's pod refuses the connection", data.decode(errors="replace").strip())
            return data

    async def close(self) -> None:
        """Close it."""
        await self._raw.close()


class PortForward:
    """A forwarded connection as a stream: a `Carrier`."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self.reader = asyncio.StreamReader(limit=2**26)
        self.send = socket.send
        self._feeding = asyncio.get_running_loop().create_task(self._feed())

    async def close(self) -> None:
        """Close it."""
        await end_tasks(self._feeding)
        await self._socket.close()

    async def _feed(self) -> None:
        """Small buffers: the socket's own flow control holds the sender back."""
        try:
            while data := await self._socket.receive():
                self.reader.feed_data(data)
                await asyncio.sleep(0)
        except (OSError, Unreachable) as error:
            logger.info("A port-forward to the scheduler ended: %s", error)
        finally:
            self.reader.feed_eof()


class Tunnel:
    """Forwards a local port to `port` of a pod.

    Parameters
    ----------
    api : Kubernetes, on the loop that the tunnel runs on.
    find : the name of the pod now. Raises `Answer` or `Unreachable` while there is none.
    port : in the pod.
    resumed : whether a relay listens there: then open connections, too, outlive their port-forward.
    guarded : let in only this user's own processes, since what listens there asks nobody for a key.
    same : whether it is the same pod all the time: once that is gone, nothing is waited for.
    """

    def __init__(
        self, api: Api, find: Callable[[], Awaitable[str]], port: int, resumed: bool = False, guarded: bool = False,
        same: bool = False,
    ) -> None:  # fmt: skip
        self._api, self._find, self._port, self._resumed, self._guarded = api, find, port, resumed, guarded
        self._for_good = (*_FOR_GOOD, 404) if same else _FOR_GOOD
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.local_port = 0

    async def open(self) -> int:
        """Begin; the local port, of this machine only."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=CHUNK)
        self.local_port = int(self._server.sockets[0].getsockname()[1])
        return self.local_port

    async def close(self) -> None:
        """Close the port and all connections."""
        if self._server is not None:
            self._server.close()
        await end_tasks(*self._connections)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            if self._guarded and not await asyncio.to_thread(is_ours, *_ends(writer)):
                logger.warning("A process of another user tried to connect to a cluster through the tunnel")
                return
            await (self._resume(reader, writer) if self._resumed else self._forward(reader, writer))
        except (OSError, EOFError, Unreachable, Answer, asyncio.TimeoutError) as error:
            logger.info("A connection through the tunnel ended: %s", error)
        except asyncio.CancelledError:
            pass  # the tunnel is closed; there is nobody above to tell
        finally:
            self._connections.discard(task)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):  # as above
                await writer.wait_closed()

    async def _resume(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry a connection over one port-forward after the other, until it is over or there was none for too long."""
        endpoint, began = Endpoint(reader, writer), False

        async def connect(name: bytes, received: int) -> tuple[PortForward, int]:
            nonlocal began
            again, began = began, True
            return await self._retry(lambda: self._greeted(name, received), LOST if again else PATIENCE, again)

        try:
            await resume(endpoint, connect)
        finally:
            await endpoint.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        socket = await self._retry(self._connect, PATIENCE)
        try:
            await first_of(self._outward(reader, socket), self._inward(socket, writer))
        finally:
            await socket.close()

    async def _greeted(self, name: bytes, received: int) -> tuple[PortForward, int]:
        """A port-forward on which the relay has answered: a pod that starts takes connections before its relay runs."""
        forward = PortForward(await self._connect())
        try:
            return forward, await wait_for(greet(forward, name, received), GREETING)
        except BaseException:
            await forward.close()
            raise

    async def _connect(self) -> Socket:
        """A connection to the pod that there is now."""
        path = self._api.path("pods", await self._find()) + "/portforward"
        return Socket(await self._api.websocket(path, {"ports": self._port}, (_PROTOCOL,), HEARTBEAT))

    async def _retry(self, attempt: Callable[[], Awaitable[_T]], patience: float, whatever: bool = False) -> _T:
        """Try until it succeeds, for `patience` seconds; `whatever` the answer is, since people log in again."""
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + patience, 0.1
        while True:
            try:
                return await attempt()
            except (Answer, Unreachable, OSError, EOFError, asyncio.TimeoutError) as error:
                for_good = isinstance(error, Answer) and error.status in self._for_good and not whatever
                if for_good or loop.time() + pause > deadline:
                    raise
            await asyncio.sleep(pause)
            pause = min(1.0, 2 * pause)

    async def _outward(self, reader: asyncio.StreamReader, socket: Socket) -> None:
        while data := await reader.read(CHUNK):
            await socket.send(data)

    async def _inward(self, socket: Socket, writer: asyncio.StreamWriter) -> None:
        while data := await socket.receive():
            writer.write(data)
            await writer.drain()


def _ends(writer: asyncio.StreamWriter) -> tuple[tuple[str, int], tuple[str, int]]:
    """Where a connection comes from, and where it arrived."""
    return writer.get_extra_info("peername"), writer.get_extra_info("sockname")

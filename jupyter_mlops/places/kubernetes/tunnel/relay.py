"""The scheduler pod's end of tunnels: connections to the scheduler that outlive the carriers they came over."""

from __future__ import annotations

import asyncio
import logging

from ....core.waiting import end_tasks
from .. import names
from .resumable import CHUNK, COUNT, NAME, UNKNOWN, Endpoint

logger = logging.getLogger("distributed.scheduler.mlops")

#: Seconds that a connection is kept without a carrier: a laptop may be closed for a while.
KEPT = 600.0


class Relay:
    """Listens inside of the pod only, where port-forwards arrive."""

    def __init__(self, port: int = names.RELAY_PORT, target: int = names.SCHEDULER_PORT) -> None:
        self._port, self._target = port, target
        self._endpoints: dict[bytes, Endpoint] = {}
        self._carriers: dict[bytes, asyncio.Task[None]] = {}
        self._alone_since: dict[bytes, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> int:
        """Begin; the port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port, limit=CHUNK)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Close all connections."""
        if self._server is not None:
            self._server.close()
        await end_tasks(*self._carriers.values(), *self._tasks)
        await asyncio.gather(*(endpoint.close() for endpoint in self._endpoints.values()))

    async def _accept(self, carrier: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        name = b""
        try:
            name = await carrier.readexactly(NAME)
            (seen,) = COUNT.unpack(await carrier.readexactly(COUNT.size))
            old = self._carriers.pop(name, None)
            if old is not None:  # it is broken, only that it has not been noticed here
                await end_tasks(old)
            self._carriers[name] = task
            await self._carry(name, seen, carrier, writer)
        except (OSError, EOFError) as error:
            logger.info("A carrier of a tunnel broke: %r", error)
        except asyncio.CancelledError:
            pass  # another carrier has taken over, or the relay closes; nobody above wants to know
        finally:
            writer.close()
            if self._carriers.get(name) is task:
                del self._carriers[name]

    async def _carry(self, name: bytes, seen: int, carrier: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        endpoint = self._endpoints.get(name)
        if endpoint is None and seen:
            writer.write(COUNT.pack(UNKNOWN))
            await writer.drain()
            return
        if endpoint is None:
            endpoint = Endpoint(*await asyncio.open_connection("127.0.0.1", self._target, limit=CHUNK))
            self._endpoints[name] = endpoint
        writer.write(COUNT.pack(endpoint.received))

        async def send(data: bytes) -> None:
            writer.write(data)
            await writer.drain()

        try:
            await endpoint.carry(seen, carrier, send)
        finally:
            self._expire_later(name, endpoint)

    def _expire_later(self, name: bytes, endpoint: Endpoint) -> None:
        loop = asyncio.get_running_loop()
        self._alone_since[name] = loop.time()
        task = loop.create_task(self._expire(name, endpoint))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _expire(self, name: bytes, endpoint: Endpoint) -> None:
        """Close a connection that is over, or that no carrier has come for in time."""
        if not endpoint.over.is_set():
            await asyncio.sleep(KEPT)
            alone = asyncio.get_running_loop().time() - self._alone_since.get(name, 0.0)
            if name in self._carriers or alone < KEPT - 1:
                return
        await endpoint.close()
        if self._endpoints.get(name) is endpoint:
            del self._endpoints[name]
            self._alone_since.pop(name, None)

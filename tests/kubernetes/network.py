"""A network between a user and Kubernetes that can be cut: a TCP relay in front of the API server."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .kube import Kube


class Network:
    """Carries connections to the API server of `kube`, on a thread of its own. Close it in the end.

    Made for an API server whose certificate holds for the address of this machine, too.
    """

    def __init__(self, kube: Kube) -> None:
        self._config = json.loads(kube.config)
        server = urlsplit(self._config["clusters"][0]["cluster"]["server"])
        self._target = (server.hostname, server.port or 443)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network")
        self._thread.start()
        self._flows: set[asyncio.Task[None]] = set()
        self._open = asyncio.Event()
        self._open.set()
        self._bound = _bound(0)
        self.port = int(self._bound.getsockname()[1])
        self._call(self._listen())

    def kubeconfig(self, folder: Path) -> Path:
        """A kubeconfig in `folder` that leads through this network."""
        cluster = self._config["clusters"][0]["cluster"]
        cluster |= {"server": f"https://127.0.0.1:{self.port}"}
        path = folder / "network.kubeconfig"
        path.write_text(json.dumps(self._config))
        return path

    def swallow(self) -> None:
        """From now on nothing arrives, and nobody is told: a cable is pulled, a laptop's lid closed."""
        self._loop.call_soon_threadsafe(self._open.clear)

    def refuse(self) -> None:
        """All connections break, and none can be made: an API server dies."""
        self._call(self._break())

    def heal(self) -> None:
        """Connections can be made again; those that were swallowed never come back."""

        async def heal() -> None:
            await self._break()
            self._open.set()
            await self._listen()

        self._call(heal())

    def close(self) -> None:
        """End it."""
        self._call(self._break())
        self._bound.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, sock=self._bound)

    async def _break(self) -> None:
        self._server.close()
        self._bound.close()
        self._bound = _bound(self.port)  # nobody listens there, and no other process gets it
        for flow in self._flows:
            flow.cancel()
        await asyncio.gather(*self._flows, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        flow = asyncio.get_running_loop().create_task(self._carry(reader, writer))
        self._flows.add(flow)
        flow.add_done_callback(self._flows.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back = None
        try:
            there, back = await asyncio.open_connection(*self._target)
            await asyncio.gather(self._pass_on(reader, back), self._pass_on(there, writer))
        except OSError:
            pass  # one end is gone
        finally:
            for each in (writer, back):
                if each is not None:
                    each.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._open.wait()
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError


def _bound(port: int) -> socket.socket:
    """A socket of that port."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    return made

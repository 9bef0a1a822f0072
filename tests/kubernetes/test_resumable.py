"""A connection whose carrier breaks again and again loses, doubles and reorders nothing."""

from __future__ import annotations

import asyncio
import hashlib
import random
import secrets

import pytest

from jupyter_mlops.places.kubernetes.tunnel.relay import Relay
from jupyter_mlops.places.kubernetes.tunnel.resumable import CHUNK, COUNT, NAME, UNKNOWN, Endpoint, greet, resume

MEGABYTES = 16


@pytest.mark.parametrize("seed", range(6))
async def test_bytes_survive_broken_carriers(seed: int) -> None:
    """An echo server behind a relay; the carrier is cut at random moments, with data under way in both directions."""

    dice = random.Random(seed)
    payload = dice.randbytes(MEGABYTES * 2**20)
    echo = await asyncio.start_server(_echo, "127.0.0.1", 0)
    relay = Relay(0, echo.sockets[0].getsockname()[1])
    port = await relay.open()
    cuts: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    held = []  # a server's tasks are garbage once nothing but themselves knows them, as between two carriers

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(asyncio.current_task())
        cuts.set_result(await _carry(reader, writer, port, dice))

    door = await asyncio.start_server(carry, "127.0.0.1", 0, limit=CHUNK)
    reader, writer = await asyncio.open_connection("127.0.0.1", door.sockets[0].getsockname()[1])

    async def send() -> None:
        for at in range(0, len(payload), 100_000):
            writer.write(payload[at : at + 100_000])
            await writer.drain()

    sending = asyncio.create_task(send())
    back = await asyncio.wait_for(reader.readexactly(len(payload)), 150)
    await sending
    assert hashlib.sha256(back).digest() == hashlib.sha256(payload).digest()
    writer.close()
    await writer.wait_closed()
    assert await asyncio.wait_for(cuts, 150) >= 2
    await relay.close()
    echo.close()
    door.close()


async def test_a_relay_that_was_restarted_says_so() -> None:
    relay = Relay(0, 1)
    reader, writer = await asyncio.open_connection("127.0.0.1", await relay.open())
    writer.write(secrets.token_bytes(NAME) + COUNT.pack(5))
    assert COUNT.unpack(await reader.readexactly(COUNT.size)) == (UNKNOWN,)
    writer.close()
    await relay.close()


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()
    writer.close()


class _Carrier:
    """A plain TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self._writer = reader, writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def cut(self) -> None:
        self._writer.transport.abort()

    async def close(self) -> None:
        self.cut()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, dice: random.Random) -> int:
    """As the tunnel does it, with scissors."""
    endpoint, cuts = Endpoint(reader, writer), 0

    async def connect(name: bytes, received: int) -> tuple[_Carrier, int]:
        nonlocal cuts
        carrier = _Carrier(*await asyncio.open_connection("127.0.0.1", port, limit=CHUNK))
        seen = await greet(carrier, name, received)
        if cuts < 30:
            asyncio.get_running_loop().call_later(dice.uniform(0.001, 0.03), carrier.cut)
            cuts += 1
        return carrier, seen

    await resume(endpoint, connect)
    await endpoint.close()
    return cuts

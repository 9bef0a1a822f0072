"""A tunnel to a cluster without keys lets in its user only. No Kubernetes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from jupyter_mlops.places.kubernetes.api.client import Answer
from jupyter_mlops.places.kubernetes.tunnel import peer
from jupyter_mlops.places.kubernetes.tunnel.port_forward import Tunnel

CONNECT = """
import encodings.idna, os, socket, sys
os.setuid(int(sys.argv[2]))
print(socket.create_connection(("127.0.0.1", int(sys.argv[1]))).recv(1))
"""


async def reached(user: int, guarded: bool) -> bool:
    """Whether a process of that user gets through the tunnel, as far as to where its pod is looked for."""
    looked = asyncio.Event()

    async def find() -> str:
        looked.set()
        raise Answer(403, {})

    tunnel = Tunnel(cast(Any, SimpleNamespace(path="/".join)), find, 8786, guarded=guarded)
    command = [sys.executable, "-c", CONNECT, str(await tunnel.open()), str(user)]
    try:
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=150)
        assert done.stdout == b"b''\n", done.stderr
    finally:
        await tunnel.close()
    return looked.is_set()


async def test_ones_own_processes_get_through() -> None:
    assert await reached(os.getuid(), guarded=True)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")
async def test_other_users_do_not() -> None:
    assert await reached(65534, guarded=False), "this is what is guarded against"
    assert not await reached(65534, guarded=True)


async def test_without_linuxs_table_ones_own_processes_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "_TABLE", Path("/nowhere"))
    assert await reached(os.getuid(), guarded=True)


async def test_what_is_told_of_other_users_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = "  0: 0100007F:{port} 0100007F:2252 {state} 00000000:00000000 00:00000000 00000000 {user:5} 0 1 1"
    rows = [
        row.format(port="0001", state="01", user=os.getuid()),
        row.format(port="0002", state="01", user=os.getuid() + 1),
        row.format(port="0003", state="06", user=os.getuid()),  # closed: its user isn't told
    ]
    table = tmp_path / "tcp"
    table.write_text("\n".join(["  sl  local_address rem_address   st", *rows]) + "\n")
    monkeypatch.setattr(peer, "_TABLE", table)
    ours = [port for port in range(1, 5) if peer.is_ours(("127.0.0.1", port), ("127.0.0.1", 0x2252))]
    assert ours == ([1] if sys.byteorder == "little" else [])

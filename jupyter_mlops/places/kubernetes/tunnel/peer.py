"""Whose a connection is: a port of this machine is open to all of its users."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path
from typing import Any

import psutil

#: What Linux tells of each connection, with the user who opened it.
_TABLE = Path("/proc/net/tcp")
_ESTABLISHED = "01"

_Address = tuple[str, int]


def is_ours(peer: _Address, here: _Address) -> bool:
    """Whether the process that connected from `peer` to the port `here`, both of IPv4, is one of this user's.

    False, too, where that can't be known, and when it has gone meanwhile. Blocks for some milliseconds.
    """
    try:
        lines = _TABLE.read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return _is_of_our_processes(peer, here)
    wanted = [_written(peer), _written(here), _ESTABLISHED]
    rows = (line.split() for line in lines)
    return any(row[1:4] == wanted and row[7] == str(os.getuid()) for row in rows)


def _written(address: _Address) -> str:
    """An address as the table has it: the number in the machine's own order of bytes."""
    (number,) = struct.unpack("=I", socket.inet_aton(address[0]))
    return f"{number:08X}:{address[1]:04X}"


def _is_of_our_processes(peer: _Address, here: _Address) -> bool:
    """The same where there is no table, as on macOS: who isn't root sees the connections of his own processes only."""
    for process in psutil.process_iter():
        try:
            if process.uids().real == os.getuid() and (peer, here) in _connections(process):
                return True
        except psutil.Error:
            continue
    return False


def _connections(process: psutil.Process) -> list[tuple[Any, Any]]:
    return [(tuple(each.laddr), tuple(each.raddr)) for each in process.net_connections("tcp4")]

"""What travels between the processes of one machine that execute a run: the seat in the Dask worker, its runners and
the template that these are forked from.

A message is plain data with names. Bytes that are large travel beside it, uncopied, and open files beside those.
"""

from __future__ import annotations

import array
import contextlib
import os
import socket
import struct
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import msgpack  # type: ignore[import-untyped]  # it has no types

Message = dict[str, Any]

#: Bytes from which on a value travels beside its message.
LARGE = 4096

#: Open files that a message may carry.
FILES = 32

_LENGTHS = struct.Struct("<II")


class Wire:
    """One end of a connection. Any thread may send; one thread receives.

    Parameters
    ----------
    end : a stream socket of the machine's own (`AF_UNIX`).
    """

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self._sending = threading.Lock()
        #: Files that came with the last message; whoever takes them closes them.
        self.files: list[int] = []

    def fileno(self) -> int:
        """As of a file."""
        return self.end.fileno()

    def send(self, message: Mapping[str, Any], files: Sequence[int] = ()) -> None:
        """Send a message.

        Raises
        ------
        OSError : nobody is at the other end any more.
        """
        large = {name: value for name, value in message.items() if isinstance(value, bytes) and len(value) >= LARGE}
        small = {name: value for name, value in message.items() if name not in large}
        # text that no encoding knows, as file names may be, must not end a run
        data = msgpack.packb([small, [[name, len(value)] for name, value in large.items()]], unicode_errors="replace")
        with self._sending:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))] if files else []
            self.end.sendmsg([_LENGTHS.pack(len(data), len(files))], rights)
            self.end.sendall(data)
            for value in large.values():
                self.end.sendall(value)

    def receive(self) -> Message | None:
        """The next message; None when the other end is gone."""
        head = self._head()
        if head is None:
            return None
        size, count = _LENGTHS.unpack(head)
        data = self._read(size)
        if data is None or len(self.files) != count:
            return None
        message, large = msgpack.unpackb(data, strict_map_key=False)
        for name, length in large:
            value = self._read(length)
            if value is None:
                return None
            message[name] = value
        return dict(message)

    def close(self) -> None:
        """Hang up."""
        for file in self.files:
            with contextlib.suppress(OSError):
                os.close(file)
        self.files = []
        self.end.close()

    def _head(self) -> bytes | None:
        self.files = []
        head = b""
        while len(head) < _LENGTHS.size:
            try:
                got, files, _, _ = socket.recv_fds(self.end, _LENGTHS.size - len(head), FILES)
            except OSError:
                return None
            if not got:
                return None
            head += got
            self.files += files
        return head

    def _read(self, size: int) -> bytes | None:
        data = bytearray(size)
        view = memoryview(data)
        at = 0
        while at < size:
            try:
                got = self.end.recv_into(view[at:])
            except OSError:
                return None
            if not got:
                return None
            at += got
        return bytes(data)

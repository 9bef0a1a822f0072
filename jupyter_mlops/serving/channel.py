"""A replica's end of the sockets between it and its router."""

from __future__ import annotations

import os
import select
import socket
import threading
from collections import deque
from collections.abc import Iterable

from .frames import Frame, FrameReader

#: Bytes that are read at a time.
_READ = 262_144


class RouterChannel:
    """What its router asks, and its answers. Once the router is gone there is nobody to answer, and the process ends,
    whatever it does.

    Parameters
    ----------
    channel : connected; nobody else may read from it.
    """

    def __init__(self, channel: socket.socket) -> None:
        self._socket, self._reader = channel, FrameReader()
        self._arrived: deque[Frame] = deque()
        threading.Thread(target=self._end_with_router, name="router", daemon=True).start()

    def next(self, most: int) -> list[Frame]:
        """What has arrived, so many at most; waits for the first. What arrives while the model answers is the next
        batch, so that nothing waits for a clock."""
        while not self._arrived:
            try:
                data = self._socket.recv(_READ)
            except OSError:
                data = b""
            if not data:
                os._exit(0)
            self._arrived += self._reader.feed(data)
        return [self._arrived.popleft() for _ in range(min(most, len(self._arrived)))]

    def send(self, frames: Iterable[Frame]) -> None:
        """Say all of them at once: to say each by itself costs the router, too, as much as to read it."""
        if data := b"".join(frame.packed() for frame in frames):
            try:
                self._socket.sendall(data)
            except OSError:
                os._exit(0)

    def _end_with_router(self) -> None:
        """Nothing is read here: this sleeps until the other end is closed, which is told without being asked for."""
        hung_up = select.poll()
        hung_up.register(self._socket, 0)
        hung_up.poll()
        os._exit(0)

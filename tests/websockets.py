"""The tests' own ends of websockets."""

from __future__ import annotations

from tornado.websocket import WebSocketClientConnection


async def hang_up(socket: WebSocketClientConnection) -> None:
    """Close it, unless it is closed, and wait until its peer has: a connection that outlives its test's loop stays."""
    if socket.protocol is not None:
        socket.close()
        while await socket.read_message() is not None:
            pass

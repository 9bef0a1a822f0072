"""The websocket of changes: a `Hello` in; a `Snapshot`, then `Changes` out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized, ws_authenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from jupyter_server.utils import ensure_async
from tornado import web
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from ..base import RESOURCE, is_same_origin, services_of
from ..models.handlers import MODELS
from ..schedules.handlers import SCHEDULES
from ..serving.handlers import SERVICES

if TYPE_CHECKING:
    from .hub import Subscriber

#: Seconds between two messages to one browser: at most three a second, and a change is on screen well within one.
TICK = 0.3

_MOST_BYTES = 64 * 1024

#: What an authorizer is asked about each list that is a resource of its own, as it is where the list is asked for.
_RESOURCES = {"models": MODELS, "services": SERVICES, "schedules": SCHEDULES}


class StreamHandler(WebSocketMixin, WebSocketHandler, JupyterHandler):
    """One browser. It never waits for another one."""

    auth_resource = RESOURCE
    _hidden: frozenset[str] = frozenset()
    _subscriber: Subscriber | None = None
    _pump: asyncio.Task[None] | None = None

    def check_origin(self, origin: str | None = None) -> bool:
        """Only the server's own pages, whatever token they know."""
        return is_same_origin(self)

    @ws_authenticated
    @authorized
    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Upgrade, once the origin and the user are known to be right."""
        if not self.check_origin():
            raise web.HTTPError(403, "This page may not use this server")
        self._hidden = frozenset([noun for noun, resource in _RESOURCES.items() if not await self._may_read(resource)])
        self._services = await services_of(self)
        # WebSocketHandler answers 400 itself when this is no websocket request.
        await WebSocketHandler.get(self, *args, **kwargs)

    async def _may_read(self, resource: str) -> bool:
        return bool(await ensure_async(self.authorizer.is_authorized(self, self.current_user, "read", resource)))

    async def open(self, *args: Any, **kwargs: Any) -> None:
        """The connection is up."""
        from .hub import Subscriber

        super().open(*args, **kwargs)
        self._subscriber = Subscriber(self._services.hub, self._hidden)
        self._pump = asyncio.create_task(self._send(self._subscriber))

    def on_message(self, message: str | bytes) -> None:
        """A `Hello`; anything else ends the connection."""
        from ...core.base import read_record
        from ...core.errors import Unreadable
        from ...core.stream import Hello

        if self._subscriber is None:
            return
        try:
            hello = read_record(Hello, message)
        except Unreadable:
            self.close(1003, "expected a hello")
            return
        self._subscriber.hello(hello)

    async def _send(self, subscriber: Subscriber) -> None:
        from ...core.waiting import until_set
        from .hub import BEAT

        while True:
            quiet = not await until_set(subscriber.wake, BEAT)
            subscriber.wake.clear()
            try:
                if (message := subscriber.message(beat=quiet)) is not None:
                    # Returns when the system took it all: a slow connection slows only itself.
                    await self.write_message(message)
            except WebSocketClosedError:
                return
            await asyncio.sleep(TICK)

    def on_close(self) -> None:
        """The browser is gone."""
        if self._pump is not None:
            self._pump.cancel()
        if self._subscriber is not None:
            self._subscriber.close()
        if self.ping_callback is not None:
            self.ping_callback.stop()

    @property
    def max_message_size(self) -> int:
        """Bytes of a browser's message at most: a `Hello` is short."""
        return _MOST_BYTES


HANDLERS = [(r"stream", StreamHandler)]

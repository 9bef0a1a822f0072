"""Routes of clusters."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ..base import Handler, QuietHandler

_MOST_LINES = 10_000


class ClustersHandler(QuietHandler):
    """All clusters, wherever they were made."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List them, newest first."""
        self.reply(await self.services.clusters.states())

    @web.authenticated
    @authorized(action="execute")  # type: ignore[untyped-decorator]  # typed without arguments only
    async def post(self) -> None:
        """Start one: its profile says what code runs in it."""
        self._track_activity = True
        self.reply(await self.services.clusters.start(self.body()), 202)


class ClusterHandler(Handler):
    """One cluster."""

    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        """Its state now."""
        self.reply(await self.services.clusters.state(name))

    @web.authenticated
    @authorized
    async def patch(self, name: str) -> None:
        """Scale it, let idle workers go, let it follow its work, or give it other limits."""
        self.reply(await self.services.clusters.change(name, self.body()), 202)

    @web.authenticated
    @authorized
    async def delete(self, name: str) -> None:
        """Stop it; of an ended one, forget the record."""
        operation = await self.services.clusters.remove(name, self.switch("force"))
        self.reply(operation, 202)


class WorkersHandler(QuietHandler):
    """The workers of a cluster."""

    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        """List them."""
        self.reply(await self.services.clusters.workers(name))


class EventsHandler(QuietHandler):
    """What happened to a cluster."""

    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        """List it, oldest first."""
        self.reply(await self.services.clusters.events(name))


class ReceiptHandler(QuietHandler):
    """The final sum of a cluster that ended."""

    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        """Read it."""
        self.reply(await self.services.clusters.receipt(name))


class TimelineHandler(QuietHandler):
    """Workers, CPU and money over time."""

    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        """The samples after `since`."""
        self.reply(await self.services.clusters.timeline(name, self.number("since", 0, 0, 1e12)))


class LogsHandler(QuietHandler):
    """The last lines of a log."""

    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        """Of the worker named `worker`, else of the scheduler."""
        worker = self.get_query_argument("worker", "") or None
        lines = self.whole("lines", 200, 1, _MOST_LINES)
        self.reply(await self.services.clusters.logs(name, worker, lines))


HANDLERS = [
    (r"clusters", ClustersHandler),
    (r"clusters/([^/]+)", ClusterHandler),
    (r"clusters/([^/]+)/workers", WorkersHandler),
    (r"clusters/([^/]+)/events", EventsHandler),
    (r"clusters/([^/]+)/receipt", ReceiptHandler),
    (r"clusters/([^/]+)/timeline", TimelineHandler),
    (r"clusters/([^/]+)/logs", LogsHandler),
]

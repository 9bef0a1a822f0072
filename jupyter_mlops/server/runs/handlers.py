"""Routes of runs."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ..base import Handler, QuietHandler

#: More than any number of a line or of a change.
_LATEST = 10**12


class RunsHandler(QuietHandler):
    """All runs, of live and of ended clusters."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """The newest `limit`, of one `cluster` or of all."""
        cluster = self.get_query_argument("cluster", "") or None
        self.reply(await self.services.runs.states(cluster, self.whole("limit", 100, 1, 10_000)))


class RunHandler(Handler):
    """One run."""

    @web.authenticated
    @authorized
    async def get(self, run: str) -> None:
        """Its state now."""
        self.reply(await self.services.runs.state(run))

    @web.authenticated
    @authorized
    async def delete(self, run: str) -> None:
        """Cancel it."""
        self.reply(await self.services.runs.cancel(run), 202)


class RecordHandler(Handler):
    """What was kept of a run."""

    @web.authenticated
    @authorized
    async def delete(self, run: str) -> None:
        """Remove it; only of a run that is over."""
        await self.services.runs.forget(run)
        self.reply(None)


class JournalHandler(QuietHandler):
    """What a run printed and logged."""

    @web.authenticated
    @authorized
    async def get(self, run: str) -> None:
        """The lines after the number `since`."""
        self.reply(await self.services.runs.journal(run, self.whole("since", 0, 0, _LATEST)))


class CurvesHandler(QuietHandler):
    """What a run's metrics were."""

    @web.authenticated
    @authorized
    async def get(self, run: str) -> None:
        """Its curves that changed after `since`, of at most `most` points each."""
        from ...core.curve import FEWEST_POINTS, MOST_POINTS  # pydantic: not at the server's start

        since, most = self.whole("since", 0, 0, _LATEST), self.whole("most", 400, FEWEST_POINTS, MOST_POINTS)
        self.reply(await self.services.runs.curves(run, since, most))


class TrialsHandler(QuietHandler):
    """What a sweep has tried."""

    @web.authenticated
    @authorized
    async def get(self, run: str) -> None:
        """Its trials that changed after `since`."""
        self.reply(await self.services.runs.trials(run, self.whole("since", 0, 0, _LATEST)))


class StacksHandler(Handler):
    """Where a run's code is at this moment."""

    @web.authenticated
    @authorized
    async def get(self, run: str) -> None:
        """The Python stacks of its processes."""
        self.reply(await self.services.runs.stacks(run))


class SizesHandler(Handler):
    """Other numbers of workers for a map."""

    @web.authenticated
    @authorized(action="execute")  # type: ignore[untyped-decorator]  # as below
    async def post(self, run: str) -> None:
        """Have sizes tried with its next items."""
        await self.services.runs.try_sizes(run)
        self.reply(None)


class AgainHandler(Handler):
    """A run's record as the start of a new run."""

    @web.authenticated
    @authorized(action="execute")  # type: ignore[untyped-decorator]  # typed without arguments only
    async def post(self, run: str) -> None:
        """Run it again, detached."""
        self.reply(await self.services.runs.again(run, self.body()), 202)


HANDLERS = [
    (r"runs", RunsHandler),
    (r"runs/([^/]+)", RunHandler),
    (r"runs/([^/]+)/record", RecordHandler),
    (r"runs/([^/]+)/journal", JournalHandler),
    (r"runs/([^/]+)/curves", CurvesHandler),
    (r"runs/([^/]+)/trials", TrialsHandler),
    (r"runs/([^/]+)/stacks", StacksHandler),
    (r"runs/([^/]+)/sizes", SizesHandler),
    (r"runs/([^/]+)/again", AgainHandler),
]

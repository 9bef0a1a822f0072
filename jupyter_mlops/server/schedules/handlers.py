"""Routes of notebooks that run by themselves. A site's Authorizer can tell who looks from who has any run
(`mlops:schedules`); who has one run must be allowed to run code as well."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ..base import RESOURCE, Handler, QuietHandler

SCHEDULES = "mlops:schedules"


class SchedulesHandler(QuietHandler):
    """All of them."""

    auth_resource = SCHEDULES

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List them."""
        self.reply(await self.services.schedules.listed())

    @web.authenticated
    @authorized(action="execute")  # type: ignore[untyped-decorator]  # typed without arguments only
    async def post(self) -> None:
        """Have a notebook below the server's root run by itself, or at other times or elsewhere than before."""
        await self.check_may("execute", RESOURCE)
        kernels = self.settings.get("kernel_spec_manager")
        self.reply(await self.services.schedules.schedule(self.body(), kernels))


class ScheduleHandler(Handler):
    """One of them."""

    auth_resource = SCHEDULES

    @web.authenticated
    @authorized
    async def delete(self, schedule: str) -> None:
        """Have it run by itself no more."""
        await self.services.schedules.unschedule(schedule)
        self.reply(None)


class ScheduleLogHandler(QuietHandler):
    """What one of them printed."""

    auth_resource = SCHEDULES

    @web.authenticated
    @authorized
    async def get(self, schedule: str) -> None:
        """The end of it, of its last run."""
        self.reply({"lines": await self.services.schedules.log(schedule)})


class RunNowHandler(Handler):
    """One of them, now."""

    auth_resource = SCHEDULES

    @web.authenticated
    @authorized(action="execute")  # type: ignore[untyped-decorator]  # as above
    async def post(self, schedule: str) -> None:
        """Have it run at once."""
        await self.check_may("execute", RESOURCE)
        self.reply(await self.services.schedules.run_now(schedule), 202)


HANDLERS = [
    (r"schedules", SchedulesHandler),
    (r"schedules/([^/]+)", ScheduleHandler),
    (r"schedules/([^/]+)/log", ScheduleLogHandler),
    (r"schedules/([^/]+)/run", RunNowHandler),
]

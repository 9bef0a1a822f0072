"""Routes of services. A site's Authorizer can tell who looks from who deploys, tries and stops (`mlops:services`)."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ..base import RESOURCE, Handler, QuietHandler

SERVICES = "mlops:services"


class ServicesHandler(QuietHandler):
    """All services."""

    auth_resource = SERVICES

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List them."""
        self.reply(await self.services.serving.states())

    @web.authenticated
    @authorized(action="execute")  # type: ignore[untyped-decorator]  # typed without arguments only
    async def post(self) -> None:
        """Have a version of a model answer, and wait until it does. Which notebook retrains it, and that an alarm does,
        is for those who may run code."""
        if {"pipeline", "retrain"} & self.body().keys():
            await self.check_may("execute", RESOURCE)
        self.reply(await self.services.serving.deploy(self.body(), self.asker))


class ServiceHandler(Handler):
    """One service."""

    auth_resource = SERVICES

    @web.authenticated
    @authorized
    async def delete(self, name: str) -> None:
        """Stop it."""
        self.reply(await self.services.serving.stop(name, self.asker))

    @web.authenticated
    @authorized(action="execute")  # type: ignore[untyped-decorator]  # as above
    async def patch(self, name: str) -> None:
        """Give the version that is tried another share, or have it wait or go on."""
        self.reply(await self.services.serving.change_split(name, self.body(), self.asker))


class PromoteCandidateHandler(Handler):
    """The version that is tried beside the one that serves, in its place."""

    auth_resource = SERVICES

    @web.authenticated
    @authorized(action="execute")  # type: ignore[untyped-decorator]  # as above
    async def post(self, name: str) -> None:
        """Have it serve, and wait until it does."""
        self.reply(await self.services.serving.promote(name, self.body(), self.asker))


class RollBackHandler(Handler):
    """What served before."""

    auth_resource = SERVICES

    @web.authenticated
    @authorized(action="execute")  # type: ignore[untyped-decorator]  # as above
    async def post(self, name: str) -> None:
        """Take the version that is tried back, or have the one before serve again, and wait until that is so."""
        self.reply(await self.services.serving.roll_back(name, self.body(), self.asker))


class ComparisonHandler(QuietHandler):
    """The version that is tried, compared with the one that serves."""

    auth_resource = SERVICES

    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        """How that is."""
        self.reply({"candidate": await self.services.serving.candidate(name)})


class RetrainHandler(Handler):
    """The pipeline of a service's model."""

    auth_resource = SERVICES

    @web.authenticated
    @authorized(action="execute")  # type: ignore[untyped-decorator]  # typed without arguments only
    async def post(self, name: str) -> None:
        """Have it run in the background. It is code that runs: who may not run any may not do this."""
        await self.check_may("execute", RESOURCE)
        self.reply(await self.services.serving.retrain(name, self.body().get("why", ""), self.asker), 202)


class ServiceExampleHandler(QuietHandler):
    """What a service could be asked."""

    auth_resource = SERVICES

    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        """A few rows of its version's example."""
        self.reply({"records": await self.services.serving.example(name)})


class WatchHandler(QuietHandler):
    """What a service is asked, compared with its version's baseline."""

    auth_resource = SERVICES

    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        """How that is."""
        self.reply(await self.services.serving.watch(name))


class PerformanceHandler(QuietHandler):
    """How good a service's version is at what it is asked."""

    auth_resource = SERVICES

    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        """Its metric by the time of the answers."""
        self.reply(await self.services.serving.performance(name))


class CallersHandler(QuietHandler):
    """Who calls a service."""

    auth_resource = SERVICES

    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        """Those who may, what each asked today, and who would miss it."""
        self.reply(await self.services.serving.callers(name))


class ServiceHistoryHandler(QuietHandler):
    """What became of a service in the last hours."""

    auth_resource = SERVICES

    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        """How much it was asked, how what it is asked has changed, and what was done to it."""
        self.reply(await self.services.serving.history(name, self.get_argument("seconds", "86400")))


class LabelsHandler(Handler):
    """What turned out to be true of what a service has answered."""

    auth_resource = SERVICES

    @web.authenticated
    @authorized
    async def post(self, name: str) -> None:
        """Join labels, and tell what became of them."""
        self.reply(await self.services.serving.label(name, self.body().get("labels")))


class ForgetHandler(Handler):
    """What the requests of a key left in a service's log."""

    auth_resource = SERVICES

    @web.authenticated
    @authorized
    async def post(self, name: str) -> None:
        """Remove it, and tell how many rows that were."""
        self.reply({"rows": await self.services.serving.forget_key(name, self.body().get("key"), self.asker)})


class TryHandler(Handler):
    """One request to a service, as its owner."""

    auth_resource = SERVICES

    @web.authenticated
    @authorized
    async def post(self, name: str) -> None:
        """Ask it, and tell the status and what it said."""
        self.reply(await self.services.serving.try_out(name, self.body().get("records")))


HANDLERS = [
    (r"services", ServicesHandler),
    (r"services/([^/]+)", ServiceHandler),
    (r"services/([^/]+)/retrain", RetrainHandler),
    (r"services/([^/]+)/promote", PromoteCandidateHandler),
    (r"services/([^/]+)/rollback", RollBackHandler),
    (r"services/([^/]+)/comparison", ComparisonHandler),
    (r"services/([^/]+)/example", ServiceExampleHandler),
    (r"services/([^/]+)/watch", WatchHandler),
    (r"services/([^/]+)/performance", PerformanceHandler),
    (r"services/([^/]+)/callers", CallersHandler),
    (r"services/([^/]+)/history", ServiceHistoryHandler),
    (r"services/([^/]+)/labels", LabelsHandler),
    (r"services/([^/]+)/forget", ForgetHandler),
    (r"services/([^/]+)/try", TryHandler),
]

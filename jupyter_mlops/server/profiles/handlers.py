"""Routes of profiles."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ..base import Handler


class ProfilesHandler(Handler):
    """All profiles, the last used one first."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List them."""
        self.reply(await self.services.profiles.views())


class ProfileHandler(Handler):
    """One profile of the user's."""

    @web.authenticated
    @authorized
    async def put(self, name: str) -> None:
        """Save it."""
        self.reply(await self.services.profiles.save(name, self.body()))

    @web.authenticated
    @authorized
    async def delete(self, name: str) -> None:
        """Remove it."""
        await self.services.profiles.delete(name)
        self.reply(None)


class EstimateHandler(Handler):
    """What a profile that isn't saved would cost."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Estimate it."""
        self.reply(await self.services.profiles.estimate(self.body()))


HANDLERS = [
    (r"profiles", ProfilesHandler),
    (r"profiles/estimate", EstimateHandler),
    (r"profiles/([^/]+)", ProfileHandler),
]

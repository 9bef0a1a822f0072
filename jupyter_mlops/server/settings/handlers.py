"""Route of the settings."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ..base import Handler


class SettingsHandler(Handler):
    """What a user sets once, for all clusters."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Read them."""
        self.reply(await self.services.settings.get())

    @web.authenticated
    @authorized
    async def put(self) -> None:
        """Replace them."""
        self.reply(await self.services.settings.save(self.body()))


HANDLERS = [(r"settings", SettingsHandler)]

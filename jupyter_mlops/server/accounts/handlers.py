"""Route of the accounts."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ..base import Handler


class AccountsHandler(Handler):
    """Accounts of all places."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List them."""
        self.reply(await self.services.accounts.all())

    @web.authenticated
    @authorized
    async def put(self) -> None:
        """Give oneself one, another one, or none."""
        self.reply(await self.services.accounts.save(self.body()))


HANDLERS = [(r"accounts", AccountsHandler)]

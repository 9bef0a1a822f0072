"""Routes of operations."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ..base import QuietHandler


class OperationsHandler(QuietHandler):
    """What was asked for in the last hour."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List it, newest first."""
        self.reply(self.services.operations.all())


class OperationHandler(QuietHandler):
    """One operation."""

    @web.authenticated
    @authorized
    async def get(self, operation: str) -> None:
        """How far it is."""
        self.reply(self.services.operations.get(operation))


HANDLERS = [(r"operations", OperationsHandler), (r"operations/([^/]+)", OperationHandler)]

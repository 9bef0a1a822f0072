"""Routes of models. A site's Authorizer can tell who looks (`mlops:models`) from who promotes (`mlops:promote`)."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ..base import Handler, QuietHandler

MODELS, PROMOTE = "mlops:models", "mlops:promote"


class ModelsHandler(QuietHandler):
    """All models."""

    auth_resource = MODELS

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """List them, with their versions."""
        self.reply(await self.services.models.states())


class ModelHandler(QuietHandler):
    """One model."""

    auth_resource = MODELS

    @web.authenticated
    @authorized
    async def get(self, name: str) -> None:
        """It, with its gates, how its versions did at them, and its trail."""
        self.reply(await self.services.models.view(name))


class CardHandler(Handler):
    """The card of a version."""

    auth_resource = MODELS

    @web.authenticated
    @authorized
    async def get(self, name: str, number: str) -> None:
        """Its text, in Markdown."""
        self.reply({"card": await self.services.models.card(name, number)})


class NotebookHandler(Handler):
    """The notebook of a version."""

    auth_resource = MODELS

    @web.authenticated
    @authorized
    async def get(self, name: str, number: str) -> None:
        """A copy of it as it was; whoever asks writes it, as they may."""
        root = str(self.settings.get("server_root_dir", ""))
        self.reply(await self.services.models.notebook(name, number, root))


class RunVersionsHandler(QuietHandler):
    """The versions that a run made."""

    auth_resource = MODELS

    @web.authenticated
    @authorized
    async def get(self, run: str) -> None:
        """Their names."""
        self.reply({"versions": await self.services.models.of_run(run)})


class VerifyHandler(QuietHandler):
    """Whether a version is as it was saved."""

    auth_resource = MODELS

    @web.authenticated
    @authorized
    async def get(self, name: str, number: str) -> None:
        """What was looked at: its files, its environment, the model's trail. Nothing is loaded."""
        self.reply(await self.services.models.verify(name, number))


class PromoteHandler(Handler):
    """Which version a model's name means."""

    auth_resource = PROMOTE

    @web.authenticated
    @authorized(action="write")  # type: ignore[untyped-decorator]  # typed without arguments only
    async def post(self, name: str) -> None:
        """Promote one, if it passes the gates. To override them is to ask for `execute`."""
        asked = self.services.models.read_promotion(self.body())
        if asked.override:
            await self.check_may("execute", PROMOTE)
        self.reply(await self.services.models.promote(name, asked, self.asker))


HANDLERS = [
    (r"models", ModelsHandler),
    (r"models/([^/]+)", ModelHandler),
    (r"models/([^/]+)/versions/([^/]+)/card", CardHandler),
    (r"models/([^/]+)/versions/([^/]+)/notebook", NotebookHandler),
    (r"models/([^/]+)/versions/([^/]+)/verify", VerifyHandler),
    (r"runs/([^/]+)/versions", RunVersionsHandler),
    (r"models/([^/]+)/promote", PromoteHandler),
]

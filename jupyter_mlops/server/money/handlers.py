"""Routes of money."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ..base import Handler, QuietHandler


class MoneyHandler(QuietHandler):
    """What a month cost."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """The `month` "2026-11", in UTC; the current one, when not given."""
        self.reply(await self.services.money.view(self.get_query_argument("month", "")))


class MoneyExportHandler(Handler):
    """A month as a file."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """As `csv`, `parquet`, `focus` or `html`."""
        from ...client.costs.export import ENDINGS, MEDIA  # with pydantic: not at the server's start

        month, wanted = self.get_query_argument("month", ""), self.get_query_argument("as", "")
        content, name, format_ = await self.services.money.export(month, wanted)
        self.set_header("Content-Disposition", f'attachment; filename="costs-{name}{ENDINGS[format_]}"')
        self.finish(content, set_content_type=MEDIA[format_])


class MetricsHandler(QuietHandler):
    """Metrics for Prometheus."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Clusters, workers, money and budgets, in Prometheus' text format."""
        from prometheus_client import CONTENT_TYPE_LATEST

        self.finish(self.services.metrics.text(), set_content_type=CONTENT_TYPE_LATEST)


HANDLERS = [
    (r"money", MoneyHandler),
    (r"money/export", MoneyExportHandler),
    (r"metrics", MetricsHandler),
]

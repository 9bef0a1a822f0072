"""The Dask client that a user has of a cluster."""

from __future__ import annotations

from typing import Any

import distributed

from ..quiet import keep_dask_quiet, log_unhandled, unheard

keep_dask_quiet()


class Client(distributed.Client):
    """Dask's own, which says nothing in red when its cluster ends or a wait is cut short: whoever uses it then gets an
    error."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]  # Dask's has no types
        loop: Any = self.loop
        loop.asyncio_loop.set_exception_handler(log_unhandled)

    async def _reconnect(self) -> None:
        with unheard():
            await super()._reconnect()

"""Looks at services whose routers can't write here."""

from __future__ import annotations

import contextlib

from .. import places
from ..core.errors import MlopsError


async def keep_services() -> None:
    """Keep here what the services of all places have counted and logged, as `Hosting.keep` does. A place that can't be
    asked keeps no other one from that."""
    for place in places.names():
        with contextlib.suppress(MlopsError):
            if (hosting := places.get(place).hosting()) is not None:
                await hosting.keep()

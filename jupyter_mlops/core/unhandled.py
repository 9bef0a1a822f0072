"""What event loops of ours do with exceptions that nobody waits for.

Dask and aiohttp drop many when a wait is cut short or a connection goes. asyncio would write "Task exception was
never retrieved" into the terminal, or under some later cell. Whoever waits is told in a sentence; for us they are in
the log `jupyter_mlops.dask`, at its level INFO.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

#: Where they go.
LOG = "jupyter_mlops.dask"

_log = logging.getLogger(LOG)


def log_unhandled(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """An exception handler for loops."""
    _log.info("%s", context.get("message", ""), exc_info=context.get("exception"))

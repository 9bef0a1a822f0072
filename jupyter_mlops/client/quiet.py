"""What Dask logs of our connections doesn't go into cells: it would come under any cell, long after its own.

Whoever waits for a run or a cluster is told in a sentence. For us it is in the log `jupyter_mlops.dask`, at its level
INFO.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
import threading
from collections.abc import Iterator

from ..core.unhandled import LOG

#: The name of the thread whose lines are meant.
THREAD = "mlops-loop"

#: Where they go instead.
_log = logging.getLogger(LOG)

#: The logs to which Dask gives handlers of their own, which write to the cell.
_LOGS = ("distributed", "distributed.client", "distributed.gc", "tornado", "tornado.application")

_unheard = contextvars.ContextVar("mlops-unheard", default=False)


@contextlib.contextmanager
def unheard() -> Iterator[None]:
    """What Dask logs within this is meant, too."""
    token = _unheard.set(True)
    try:
        yield
    finally:
        _unheard.reset(token)


class _Ours(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line may go on to where Dask writes it."""
        if threading.current_thread().name != THREAD and not _unheard.get():
            return True
        _log.info("%s: %s", record.name, record.getMessage())
        return False


_FILTER = _Ours()


def keep_dask_quiet() -> None:
    """From now on Dask's lines of our connections go to our own log. Once is enough, and more do no harm."""
    import distributed.config  # noqa: F401 - makes the handlers

    for name in _LOGS:
        for handler in logging.getLogger(name).handlers:
            if _FILTER not in handler.filters:
                handler.addFilter(_FILTER)

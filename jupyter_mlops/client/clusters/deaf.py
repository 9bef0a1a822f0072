"""A Dask client that sends, and of what it is told opens no pickle: whoever answers can't run code where it is.

Its futures say whether they are done or have failed. Their values stay as they were sent, and errors are texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...controller import dask
from ...controller.frames import frames_of, unopened

#: What a scheduler tells its client that needs no pickle to be understood.
_HEARD = frozenset(
    {
        "adjust-heartbeat-interval",
        "cancelled-keys",
        "close",
        "key-in-memory",
        "lost-data",
        "restart",
        "stream-closed",
        "stream-start",
        "task-erred",
        "task-retried",
    }
)

#: Members that Dask's client would unpickle.
_PICKLES = ("category", "message", "traceback", "type")


def deaf(url: str) -> str:
    """The address for a Dask client to use instead of `url`, one of a scheduler."""
    scheme = url.partition("://")[0]
    dask.backends.setdefault("deaf-tls", _DeafTLSBackend())
    dask.backends.setdefault("deaf-tcp", _DeafTCPBackend())
    return f"deaf-{url}" if scheme in ("tls", "tcp") else url


def heard(message: Any) -> Any:
    """What is left of a message without what has to be unpickled."""
    if isinstance(message, (list, tuple)):
        return [_without_pickles(each) for each in message if isinstance(each, Mapping) and each.get("op") in _HEARD]
    return _without_pickles(message) if isinstance(message, Mapping) else message


def _without_pickles(message: Mapping[Any, Any]) -> dict[Any, Any]:
    left = {name: value for name, value in message.items() if name not in _PICKLES}
    if left.get("exception") is not None:
        text = message.get("exception_text")
        left["exception"] = Exception(text if isinstance(text, str) else "the reason is in the log of its worker")
    return left


class _Deaf(dask.TCP):
    async def read(self, deserializers: Any = None) -> Any:
        """As Dask's, without what has to be unpickled."""
        return heard(unopened(await frames_of(self)))


class _DeafTLS(_Deaf, dask.TLS):
    """With TLS."""


class _DeafTCPConnector(dask.TCPConnector):
    comm_class = _Deaf


class _DeafTLSConnector(dask.TLSConnector):
    comm_class = _DeafTLS


class _DeafTCPBackend(dask.TCPBackend):
    _connector_class = _DeafTCPConnector


class _DeafTLSBackend(dask.TLSBackend):
    _connector_class = _DeafTLSConnector

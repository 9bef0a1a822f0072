"""Guards a scheduler against its workers.

Users' code runs in workers, and a worker may be another one's by now. It shows a worker's certificate, which gives it
little: what it sends is not unpickled in the scheduler, and what only clients may ask is refused. Dask's scheduler
knows no roles, and unpickles what any message holds; so its connections are made by the classes here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..agent.reports import OPERATION
from . import dask, roles
from .background import logger
from .frames import frames_of, unopened

#: What workers ask of a scheduler: Dask's own, and the locks, queues and shuffles that begin so.
CALLS = frozenset(
    {
        "close",
        "heartbeat_worker",
        "identity",
        "log_event",
        "register-worker",
        "register_nanny",
        "retire_workers",
        "unregister",
        "versions",
        "who_has",
    }
)
CALLS_BEGIN = ("event_", "lock_", "multi_lock_", "queue_", "semaphore_", "shuffle_", "variable_")

#: What they tell it on their stream.
NEWS = frozenset(
    {
        "add-keys",
        "close-stream",
        "keep-alive",
        "log-event",
        "long-running",
        "release-worker-data",
        "request-refresh-who-has",
        "reschedule",
        "steal-response",
        "task-erred",
        "task-finished",
        "worker-status-change",
        OPERATION,
    }
)


def guard_scheduler() -> None:
    """Let all connections of this process, which is a scheduler's, be guarded from now on."""
    dask.backends["tls"] = GuardedBackend()


class GuardedComm(dask.TLS):
    """A connection whose other end may be a worker; then nothing that it sends is unpickled."""

    async def read(self, deserializers: Any = None) -> Any:
        """As Dask's."""
        if not self.of_worker:
            return await super().read(deserializers)  # type: ignore[no-untyped-call]  # Dask's
        return unopened(await frames_of(self))

    @property
    def of_worker(self) -> bool:
        """Whether the other end is a worker."""
        return roles.role_of(self.extra_info.get("peercert")) == roles.WORKER


class AskedComm(GuardedComm):
    """A connection whose other end asks."""

    async def read(self, deserializers: Any = None) -> Any:
        """As Dask's, without what a worker may not ask: that is answered here."""
        while True:
            message = await super().read(deserializers)
            if not self.of_worker:
                return message
            if isinstance(message, Mapping):
                operation = message.get("op")
                if "op" not in message or _may_ask(operation):  # a greeting has none
                    return message
                logger.warning("A worker at %s asked for what only clients may: %r", self.peer_address, operation)
                if message.get("reply", True) or operation == "register-client":
                    await self.write(_refusal(operation))  # type: ignore[no-untyped-call]  # Dask's
                continue
            return self._news(message) if isinstance(message, (tuple, list)) else message

    def _news(self, messages: Sequence[Any]) -> list[Any]:
        """What a worker may tell."""
        told = [each for each in messages if isinstance(each, Mapping) and each.get("op") in NEWS]
        if len(told) < len(messages):
            logger.warning("A worker at %s told what only clients may", self.peer_address)
        return told


def _refusal(operation: Any) -> Any:
    """The answer to what a worker may not ask."""
    if operation == "register-client":  # a client raises this text
        return [{"op": "stream-start", "error": "A worker of this cluster may not be its client, too"}]
    why = PermissionError(f"a worker may not ask for {str(operation)[:100]!r}")
    return dask.error_message(why, status="uncaught-error")


def _may_ask(operation: Any) -> bool:
    return isinstance(operation, str) and (operation in CALLS or operation.startswith(CALLS_BEGIN))


class GuardedConnector(dask.TLSConnector):
    """Connects to workers."""

    comm_class = GuardedComm


class GuardedListener(dask.TLSListener):
    """Takes connections."""

    comm_class = AskedComm


class GuardedBackend(dask.TLSBackend):
    """Both."""

    _connector_class = GuardedConnector
    _listener_class = GuardedListener

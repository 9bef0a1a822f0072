"""Operations: a command that was accepted, as a task with a progress and an end."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from logging import Logger

from ...core.base import Seconds
from ...core.cluster import Problem
from ...core.errors import MlopsError, UnknownOperation
from ...core.operation import Operation, OperationKind
from ...core.waiting import end_tasks
from ..stream.hub import Hub

#: Seconds that an operation is listed after its end.
KEEP: Seconds = 3600.0


class Progress:
    """What a command's task tells of itself."""

    def __init__(self, operations: OperationManager, operation: str) -> None:
        self._operations, self._operation = operations, operation

    def tell(self, progress: float | None = None, text: str | None = None, result: str | None = None) -> None:
        """How far it is, in 0 to 1 and in words, and what it made. What isn't given stays."""
        said = {"progress": progress, "text": text, "result": result}
        self._operations.update(self._operation, **{key: value for key, value in said.items() if value is not None})


Work = Callable[[Progress], Awaitable[None]]


class OperationManager:
    """All operations of the last hour."""

    def __init__(self, hub: Hub, log: Logger) -> None:
        self._hub, self._log = hub, log
        self._operations: dict[str, Operation] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, kind: OperationKind, subject: str, work: Work) -> Operation:
        """Begin `work`, and return at once."""
        self._expire()
        operation = Operation(id=secrets.token_hex(6), kind=kind, subject=subject, phase="running", created=time.time())
        self._put(operation)
        task = asyncio.create_task(self._run(operation.id, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return operation

    def all(self) -> list[Operation]:
        """All of the last hour, newest first."""
        self._expire()
        return sorted(self._operations.values(), key=lambda operation: operation.created, reverse=True)

    def get(self, operation: str) -> Operation:
        """One; raises `UnknownOperation`."""
        if operation not in self._operations:
            raise UnknownOperation.named(operation, self._operations)
        return self._operations[operation]

    def update(self, operation: str, **fields: object) -> None:
        """Change an operation's fields."""
        self._put(self._operations[operation].model_copy(update=fields))

    async def close(self) -> None:
        """Let go of what is under way: the clusters carry on with it."""
        await end_tasks(*self._tasks)

    async def _run(self, operation: str, work: Work) -> None:
        problem = None
        try:
            await work(Progress(self, operation))
        except MlopsError as error:
            problem = Problem.of(error)
        except Exception as error:  # noqa: BLE001  # a fault of ours must end the operation too, and is logged whole
            self._log.exception("jupyter-mlops: an operation failed")
            problem = Problem(what="Something went wrong", why=repr(error), todo="The server's log says more.")
        if problem is None:
            self.update(operation, phase="done", progress=1.0, ended=time.time())
        else:
            self.update(operation, phase="failed", ended=time.time(), problem=problem)

    def _expire(self) -> None:
        old = time.time() - KEEP
        for operation in [known for known in self._operations.values() if known.ended and known.ended < old]:
            del self._operations[operation.id]
            self._hub.put("operation", operation.id, None)

    def _put(self, operation: Operation) -> None:
        self._operations[operation.id] = operation
        self._hub.put("operation", operation.id, operation)

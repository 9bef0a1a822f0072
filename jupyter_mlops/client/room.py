"""Room for what is nested deeply: a thread with a large stack, and Python's limit of calls within calls raised."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

#: Calls within calls, and bytes of stack: an object within another takes some calls, and a call in C about half a KB.
DEPTH, STACK = 100_000, 512 * 1024**2

_lock = threading.Lock()


def with_room(call: Callable[[], T]) -> T:
    """The value of `call`, or what it raises. The limit is the whole process's, and is put back afterwards."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append((call(), None))
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            outcome.append((None, error))

    with _lock:
        limit, stack = sys.getrecursionlimit(), threading.stack_size(STACK)
        sys.setrecursionlimit(max(limit, DEPTH))
        try:
            thread = threading.Thread(target=run, name="mlops-room", daemon=True)
            thread.start()
            thread.join()
        finally:
            threading.stack_size(stack)
            sys.setrecursionlimit(limit)
    value, error = outcome[0]
    if error is not None:
        raise error
    return value  # type: ignore[no-any-return]

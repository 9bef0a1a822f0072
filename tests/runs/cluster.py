"""A real local cluster for tests of runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil

import jupyter_mlops as mlops
from jupyter_mlops.client.clusters.kernel import kernel, loop_thread

#: Seconds that anything may take on a busy machine.
LONG = 150.0
#: Seconds between two looks at most.
RAREST = 2.0


@contextmanager
def a_cluster(name: str, workers: int = 2) -> Iterator[mlops.Cluster]:
    """A cluster with that many workers ready; stopped, with its processes gone, at the end."""
    made = mlops.start("this-machine", name=name, workers=workers)
    made.wait(workers, LONG)
    try:
        yield made
    finally:
        made.stop()
        loop_thread().call(kernel().sessions.close(name))
        until(lambda: made.state().phase == "ended")


def is_gone(pid: int) -> bool:
    """Whether no process of that number runs; it may go while this looks, and nobody may have asked how it ended."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def until(true: Callable[[], Any], timeout: float = LONG, tell: Callable[[], Any] = str) -> None:
    """Wait until `true()`; look ever more rarely, down to five times a second, since to look takes CPU as well. What
    takes long to look at, a process of kubectl for one, is looked at more rarely still: a quarter of the time at most.
    `tell()` says how it is when that doesn't come."""
    deadline, pause = time.monotonic() + timeout, 0.02
    while True:
        began = time.monotonic()
        if true():
            return
        ended = time.monotonic()
        assert ended < deadline, f"not within {timeout} s: {tell()}"
        time.sleep(max(pause, min(3 * (ended - began), RAREST)))
        pause = min(1.2 * pause, 0.2)

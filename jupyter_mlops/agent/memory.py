"""Memory of runners: what they and their children use, and which one goes when a worker's limit is reached."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

#: Seconds between two looks: as often as Dask's nanny.
LOOK = 0.1

#: Part of the worker's limit at which a runner is ended: Dask's own default for a worker.
TERMINATE = 0.95

_PAGE = os.sysconf("SC_PAGE_SIZE")


def used(pid: int) -> int:
    """Bytes that a process and its descendants have in memory; 0 when it is gone."""
    total = 0
    with contextlib.suppress(OSError, ValueError):
        total = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                total += sum(used(int(child)) for child in (thread / "children").read_text().split())
    return total


class Eater(Protocol):
    """A runner, as the watch knows it."""

    @property
    def memory(self) -> int:
        """Bytes that it uses now, beside what it shares with its template."""

    def end_for_memory(self, used: int, limit: int) -> None:
        """End it: the worker used so many bytes, with that limit."""


class MemoryWatch:
    """Ends the largest runner before the worker's limit is reached.

    Parameters
    ----------
    limit : bytes that the worker and its runners may use together; 0 for no limit.
    runners : those that are at work now.
    """

    def __init__(self, limit: int, runners: Callable[[], Iterable[Eater]]) -> None:
        self._limit, self._runners = limit, runners
        self._wanted, self._closed = threading.Event(), False
        if limit:
            threading.Thread(target=self._watch, name="mlops-memory", daemon=True).start()

    def wake(self) -> None:
        """A runner begins to work."""
        self._wanted.set()

    def close(self) -> None:
        """Look no more."""
        self._closed = True
        self._wanted.set()

    def _watch(self) -> None:
        pause = threading.Event()
        while self._wanted.wait() and not self._closed:
            runners = [(runner.memory, runner) for runner in self._runners()]
            if not runners:
                self._wanted.clear()
                continue
            total = used_by_this() + sum(memory for memory, _ in runners)
            if total > TERMINATE * self._limit:
                max(runners, key=lambda known: known[0])[1].end_for_memory(total, self._limit)
            pause.wait(LOOK)


def used_by_this() -> int:
    """Bytes of this process alone."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE

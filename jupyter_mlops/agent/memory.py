"""The memory of runners and their children, and which runner goes when a worker's memory is at its limit."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

#: The name of what workers tell of their runners in Dask's metrics.
METRICS = "mlops-runners"

#: Seconds between two looks: as often as Dask's nanny.
LOOK = 0.1

#: Part of the worker's limit at which a runner is ended: Dask's own default for a worker.
TERMINATE = 0.95

_PAGE = os.sysconf("SC_PAGE_SIZE")


#: What of a process's memory is its own. Files that it has mapped are not: the system can drop what it read of them.
_OWN = ("RssAnon:", "RssShmem:")


def used(pid: int) -> int:
    """Bytes that a process and its descendants have in memory, without files; 0 when it is gone."""
    total = 0
    with contextlib.suppress(OSError, ValueError):
        status = Path(f"/proc/{pid}/status").read_text().splitlines()
        total = sum(int(line.split()[1]) * 1024 for line in status if line.startswith(_OWN))
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                total += sum(used(int(child)) for child in (thread / "children").read_text().split())
    return total


def stopped(pid: int) -> bool:
    """Whether a process waits for SIGCONT."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("T", "t")
    return False


#: Where the system counts the processes of a container that it killed for memory: cgroups of version 2 and 1.
_KILLS = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")


def kills() -> int:
    """How many processes the system has killed because this container's memory was full, as far as it tells."""
    for path in _KILLS:
        with contextlib.suppress(OSError, ValueError):
            counts = dict(line.split() for line in Path(path).read_text().splitlines())
            return int(counts.get("oom_kill", 0))
    return 0


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
    seen : gets what was seen at each look: the bytes of the worker's own process, and those of each runner.
    """

    def __init__(
        self,
        limit: int,
        runners: Callable[[], Iterable[Eater]],
        seen: Callable[[int, Mapping[Any, int]], None] = lambda own, runners: None,
    ) -> None:
        self._limit, self._runners, self._seen = limit, runners, seen
        self._wanted, self._closed = threading.Event(), False
        if limit and sys.platform == "linux":  # elsewhere the system doesn't tell
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
            runners = {runner: runner.memory for runner in self._runners()}
            if not runners:
                self._wanted.clear()
                continue
            own = used_by_this()
            total = own + sum(runners.values())
            if total > TERMINATE * self._limit:
                max(runners, key=runners.__getitem__).end_for_memory(total, self._limit)
            self._seen(own, runners)
            pause.wait(LOOK)


def used_by_this() -> int:
    """Bytes of this process alone."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE

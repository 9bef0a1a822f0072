"""What runners and their children compute and move, for a worker's heartbeats."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

_TICKS = os.sysconf("SC_CLK_TCK")

#: Seconds over which it is said how busy a process is.
LATELY = 10.0

#: What of a process's traffic is told: all that it reads and writes, from and to files and pipes.
_MOVED = ("rchar:", "wchar:")


def computed(pid: int) -> float:
    """CPU seconds that a process and its descendants, those that have ended too, have computed; 0 when it is gone."""
    total = 0.0
    with contextlib.suppress(OSError, ValueError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total = sum(map(int, fields[11:15])) / _TICKS
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                total += sum(computed(int(child)) for child in (thread / "children").read_text().split())
    return total


def waited(pid: int) -> float:
    """Seconds for which the threads of a process and of its descendants could have computed, and had no CPU: another
    process, or a limit, kept them from it. Of those that have ended nothing is known; 0 where the system doesn't tell.
    """
    total = 0.0
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError, ValueError, IndexError):
                total += int((thread / "schedstat").read_text().split()[1]) / 1e9
                total += sum(waited(int(child)) for child in (thread / "children").read_text().split())
    return total


def computed_alone(pid: int) -> tuple[float, float]:
    """CPU seconds that a process itself has computed, and seconds for which its threads had to wait for a CPU; without
    those that it has started."""
    spent = waits = 0.0
    with contextlib.suppress(OSError, ValueError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        spent = sum(map(int, fields[11:13])) / _TICKS
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError, ValueError, IndexError):
                waits += int((thread / "schedstat").read_text().split()[1]) / 1e9
    return spent, waits


class OwnUse:
    """How busy a process is lately: itself, and what it has started.

    Parameters
    ----------
    pid : the process.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        #: When it was looked at, and what had been computed then, or waited for a CPU: by itself, and by the others.
        self._seen: deque[tuple[float, float, float]] = deque()

    def look(self) -> dict[str, float]:
        """CPUs of the last seconds: `busy` is what it computed on, or could have, `loaders` what those that it has
        started computed on. Nothing is known at first."""
        now, (spent, waits) = time.monotonic(), computed_alone(self._pid)
        self._seen.append((now, spent + waits, max(0.0, computed(self._pid) - spent)))
        while len(self._seen) > 2 and now - self._seen[1][0] >= LATELY:
            self._seen.popleft()
        (since, own, others), (until, own_now, others_now) = self._seen[0], self._seen[-1]
        if until - since < LATELY / 2:
            return {}
        rates = {"busy": own_now - own, "loaders": others_now - others}
        return {name: round(max(0.0, rate) / (until - since), 2) for name, rate in rates.items()}


def moved(pid: int) -> int:
    """Bytes that a process has read and written; 0 when it is gone."""
    with contextlib.suppress(OSError, ValueError):
        lines = Path(f"/proc/{pid}/io").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith(_MOVED))
    return 0


def sent_and_received() -> int:
    """Bytes that this machine, or this container where it has a network of its own, has exchanged with others."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        total = 0
        for line in Path("/proc/net/dev").read_text().splitlines()[2:]:
            name, _, numbers = line.partition(":")
            if name.strip() != "lo":
                fields = numbers.split()
                total += int(fields[0]) + int(fields[8])
        return total
    return 0


class Metered(Protocol):
    """A runner at work."""

    @property
    def memory(self) -> int:
        """Bytes that it uses."""

    @property
    def pid(self) -> int:
        """Its process."""


class Use:
    """Adds up what runners use, from one look to the next."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[int, tuple[float, int]] = {}
        #: Since the worker began.
        self._seconds, self._bytes = 0.0, 0
        self._told, self._at = 0.0, time.monotonic()

    @property
    def seconds(self) -> float:
        """CPU seconds that runners have computed since the worker began, as of the last look."""
        return self._seconds

    def begin(self, pid: int) -> None:
        """A runner begins a task: its first, if it is to be counted from now on."""
        with self._lock:
            if pid not in self._last:
                self._last[pid] = computed(pid), moved(pid)

    def end(self, pid: int) -> None:
        """A runner ends, or has ended."""
        with self._lock:
            self._add(pid)
            self._last.pop(pid, None)

    def now(self, runners: Iterable[Metered]) -> dict[str, float]:
        """Bytes of memory, per cents of a CPU since the last look, and bytes that were moved since the worker began,
        as far as the system tells."""
        memory = float(sum(runner.memory for runner in runners))
        with self._lock:
            for pid in list(self._last):
                self._add(pid)
            now = time.monotonic()
            share = 100 * (self._seconds - self._told) / max(now - self._at, 1e-3)
            self._told, self._at = self._seconds, now
            told = {"memory": memory, "cpu": round(share, 1)}
            if sys.platform == "linux":
                told["bytes"] = float(self._bytes + sent_and_received())
            return told

    def _add(self, pid: int) -> None:
        """Count what a runner has used since it was looked at last; nothing where it is gone."""
        before = self._last.get(pid)
        if before is None:
            return
        seconds, read = computed(pid), moved(pid)
        self._seconds += max(0.0, seconds - before[0])
        self._bytes += max(0, read - before[1])
        self._last[pid] = max(seconds, before[0]), max(read, before[1])

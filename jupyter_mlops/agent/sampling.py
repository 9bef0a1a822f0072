"""What a run uses of a worker: looked at while its runners are at work, and told now and then."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from .use import computed, waited

#: Seconds over which the use of CPUs is averaged, and after which it is told again.
WINDOW, TELL = 2.0, 10.0

#: Seconds without a look after which a window is given up: nothing of the run was at work meanwhile.
GAP = 1.0

#: CPUs: how finely their use is counted.
GRAIN = 0.05

#: The part of the time for which the CPUs that are told were enough.
MOSTLY = 0.95


class UseSampler:
    """Samples one run on this worker.

    Parameters
    ----------
    tell : gets what the run used so far, as `core.sizing.WorkerUse`.
    """

    def __init__(self, tell: Callable[[dict[str, Any]], None]) -> None:
        self._tell = tell
        self._peak = self._own_peak = self._largest = self._at_once = self._out = 0
        self._cpu_seconds = 0.0
        #: Seconds, by the CPUs that were used or waited for, in grains: on a busy machine code gets less than it needs.
        self._seconds: defaultdict[int, float] = defaultdict(float)
        #: When the window began, with the seconds that each process had computed and waited then; and the last look.
        self._since, self._before = -math.inf, dict[int, tuple[float, float]]()
        self._looked = self._told = -math.inf
        self._told_peak = 0

    def look(self, own: int, shared: int, runners: Sequence[tuple[int, int]]) -> None:
        """Look at the run's runners that are at work: their processes, and the bytes that each has beside the `shared`
        ones, which all of them have from their template, and which count once. `own` is what the worker itself uses."""
        total = own + shared + sum(memory for _, memory in runners)
        self._peak, self._own_peak = max(self._peak, total), max(self._own_peak, own)
        self._largest = max(self._largest, *(shared + memory for _, memory in runners))
        self._at_once = max(self._at_once, len(runners))
        now, last, self._looked = time.monotonic(), self._looked, time.monotonic()
        if now - last > GAP:
            self._begin(now, runners)
        elif now - self._since >= WINDOW:
            self._count(now, runners)
        if now - self._told >= TELL:
            self.tell()

    def ran_out(self) -> None:
        """A runner was ended because there was no memory left."""
        self._out += 1
        self.tell()

    def task_ended(self) -> None:
        """A task of the run has ended: it may have been the last."""
        if self._peak > self._told_peak or time.monotonic() - self._told >= WINDOW:
            self.tell()

    def tell(self) -> None:
        """Tell what it used until now; nothing where it wasn't looked at."""
        if not (self._at_once or self._out):
            return
        self._told, self._told_peak = time.monotonic(), self._peak
        self._tell(
            {
                "seconds": round(sum(self._seconds.values()), 1),
                "peak": self._peak,
                "own_peak": self._own_peak,
                "largest": self._largest,
                "busy": self._busy(),
                "cpu_seconds": round(self._cpu_seconds, 2),
                "at_once": max(1, self._at_once),
                "out": self._out,
            }
        )

    def _begin(self, now: float, runners: Sequence[tuple[int, int]]) -> None:
        self._since = now
        self._before = {pid: (computed(pid), waited(pid)) for pid, _ in runners} | {0: (time.process_time(), 0.0)}

    def _count(self, now: float, runners: Sequence[tuple[int, int]]) -> None:
        """The window is over, and the next one begins. What a runner that has ended computed in it is left out."""
        since, before = self._since, self._before
        self._begin(now, runners)
        cpu = waits = 0.0
        for pid, (computed_so_far, waited_so_far) in self._before.items():
            computed_before, waited_before = before.get(pid, (0.0, 0.0))
            cpu += max(0.0, computed_so_far - computed_before)
            waits += max(0.0, waited_so_far - waited_before)
        self._cpu_seconds += cpu
        self._seconds[math.ceil((cpu + waits) / (now - since) / GRAIN - 1e-9)] += now - since

    def _busy(self) -> float:
        """CPUs that were, or would have been, enough for most of the time."""
        left = MOSTLY * sum(self._seconds.values())
        for grains, seconds in sorted(self._seconds.items()):
            left -= seconds
            if left <= 1e-9:
                return round(grains * GRAIN, 2)
        return 0.0

"""The processes that retrain services for their alarms, as the clock starts them."""

from __future__ import annotations

import subprocess
import sys
import time

from ..core.base import Seconds
from . import alarms

#: What looks at services elsewhere, and retrains those whose alarms say so: it stands above this one.
_PROGRAM = "jupyter_mlops.serving.alarmed"

#: Seconds that it has, and until a service is tried again that couldn't be retrained, which it notes otherwise.
_PATIENCE: Seconds = 600.0
_AGAIN: Seconds = 3600.0

#: What those elsewhere are called together: one process looks at all.
_ELSEWHERE = ""


class Retrainers:
    """Starts these processes, and waits for none: schedules go on. There is one at a time for a service."""

    def __init__(self) -> None:
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._began: dict[str, float] = {}

    def see_to(self) -> None:
        """Have services retrained whose alarms say so. What becomes of it that process notes. Raises OSError."""
        self._end_those_that_hang()
        now = time.time()
        for name in alarms.due(now):
            self._start(name, [name], _AGAIN)
        if names := alarms.unseen(now):
            self._start(_ELSEWHERE, names, alarms.EVERY)

    def _start(self, what: str, names: list[str], pause: Seconds) -> None:
        now = time.monotonic()
        if what in self._running or now - self._began.get(what, -pause) < pause:
            return
        self._began[what] = now
        self._running[what] = subprocess.Popen([sys.executable, "-m", _PROGRAM, *names], stdin=subprocess.DEVNULL)

    def _end_those_that_hang(self) -> None:
        for what, process in list(self._running.items()):
            if process.poll() is None and time.monotonic() - self._began[what] > _PATIENCE:
                process.kill()
                process.wait()
            if process.poll() is not None:
                del self._running[what]

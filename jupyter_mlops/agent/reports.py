"""What a worker tells the scheduler about a run: gathered for a moment, bounded in rate, over Dask's own stream."""

from __future__ import annotations

import threading
import time
from typing import Any

#: The operation under which the scheduler listens.
OPERATION = "mlops-run"

#: Seconds that prints are gathered, so that a loop of prints becomes few messages.
GATHER = 0.02

#: Characters a second that a run may print on one worker in the long run, and how many at once.
PRINT_RATE = 200_000
PRINT_BURST = 1_000_000


class Meter:
    """Lets characters through up to a rate, and counts what it holds back."""

    def __init__(self, rate: float = PRINT_RATE, burst: float = PRINT_BURST) -> None:
        self._rate, self._burst = rate, burst
        self._room = burst
        self._at = time.monotonic()
        self.dropped = 0

    def let(self, text: str) -> bool:
        """Whether `text` may pass now."""
        now = time.monotonic()
        self._room = min(self._burst, self._room + (now - self._at) * self._rate)
        self._at = now
        if len(text) > self._room:
            self.dropped += text.count("\n") or 1
            return False
        self._room -= len(text)
        return True


class Reporter:
    """Sends what happens in a run's tasks. Safe to call from any thread; keeps the order."""

    def __init__(self, worker: Any, run: str) -> None:
        self._worker, self._run = worker, run
        self._lock = threading.Lock()
        self._prints: list[tuple[str, str]] = []
        self._waiting = False
        self._meter = Meter()

    def print(self, stream: str, text: str) -> None:
        """Something was written to `stdout` or `stderr`."""
        with self._lock:
            if not self._meter.let(text):
                return
            if self._prints and self._prints[-1][0] == stream:
                self._prints[-1] = (stream, self._prints[-1][1] + text)
            else:
                self._prints.append((stream, text))
            if self._waiting:
                return
            self._waiting = True
        self._on_loop(self._later)

    def points(
        self,
        columns: dict[str, Any],
        left_out: int,
        trial: int | None = None,
        begins: bool = False,
        rank: int = 0,
        attempt: int = 1,
    ) -> None:
        """Metrics were logged, as `PointsIn` tells them. Prints don't wait for them, nor they for prints."""
        whose = {"rank": rank, "attempt": attempt, "trial": trial, "begins": begins}
        self._send({"kind": "points", "columns": columns, "left_out": left_out, **whose})

    def send(self, kind: str, **what: Any) -> None:
        """Tell of anything else, after what was printed before it."""
        self.flush()
        self._send({"kind": kind, **what})

    def flush(self) -> None:
        """Send what was printed so far."""
        with self._lock:
            prints, self._prints = self._prints, []
            self._waiting = False
            dropped, self._meter.dropped = self._meter.dropped, 0
        for stream, text in prints:
            self._send({"kind": "print", "stream": stream, "text": text})
        if dropped:
            note = f"[{dropped} more lines were printed too fast to be shown]\n"
            self._send({"kind": "print", "stream": "stderr", "text": note})

    def _later(self) -> None:
        self._worker.loop.call_later(GATHER, self.flush)

    def _send(self, message: dict[str, Any]) -> None:
        message = {"op": OPERATION, "run": self._run, "time": time.time(), **message}
        self._on_loop(self._worker.batched_send, message)

    def _on_loop(self, call: Any, *args: Any) -> None:
        self._worker.loop.add_callback(call, *args)

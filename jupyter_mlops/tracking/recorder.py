"""Brings runs into MLflow from a kernel, by a process that nobody waits for (`sync.py`).

Nothing is lost when MLflow fails, or when the kernel is killed: the record in the run's folder is what counts, and the
server brings the missing ones into MLflow later.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..core.base import Seconds
    from ..core.run import RunState
    from .child import Child

#: Seconds to wait for a run's end before its start is brought: most runs are short, and need one turn instead of two.
PAUSE = 0.5

#: Seconds without a run after which the process is let go.
IDLE = 10.0

#: Seconds that a kernel's end waits for what is still to be brought.
LAST = 5.0

#: Seconds between tries after a failure, from the first to the last.
_BACKOFF = (5.0, 300.0)

_log = logging.getLogger(__name__)


class Recorder:
    """One thread, made when the first run comes, and one process while there are runs."""

    def __init__(self) -> None:
        self._waiting: dict[str, RunState] = {}
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._child: Child | None = None
        self._busy = False
        self._hurry = False
        self._closing = False
        self._failures = 0

    def record(self, run: RunState) -> None:
        """Bring `run`, as it is now, into MLflow soon. Returns at once and never raises. A newer state of the same
        run takes the place of an older one."""
        with self._change:
            self._waiting.pop(run.id, None)
            self._waiting[run.id] = run
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="mlops-recorder", daemon=True)
                self._thread.start()
                atexit.register(self.close)
            self._change.notify_all()

    def flush(self, timeout: Seconds = 10.0) -> bool:
        """Wait until all is in MLflow, for at most `timeout` seconds; whether it is."""
        deadline = time.monotonic() + timeout
        with self._change:
            self._hurry = True
            self._change.notify_all()
            while (self._waiting or self._busy) and not self._failures:
                left = deadline - time.monotonic()
                if left <= 0 or not self._change.wait(left):
                    break
            self._hurry = False
            return not self._waiting and not self._busy

    def close(self, timeout: Seconds = LAST) -> None:
        """Bring what can be brought in `timeout` seconds, and end thread and process; a later run starts them anew."""
        self.flush(timeout)
        with self._change:
            thread, self._closing = self._thread, True
            if self._busy and self._child is not None:
                self._child.kill()  # it may hang on a tracking server that doesn't answer
            self._change.notify_all()
        if thread is not None:
            thread.join()
        with self._change:
            self._thread, self._closing, self._failures = None, False, 0
        atexit.unregister(self.close)

    def _work(self) -> None:
        while (run := self._next()) is not None:
            fault = self._bring(run)
            with self._change:
                self._busy = False
                self._failures = self._failures + 1 if fault else 0
                if fault:
                    self._waiting.setdefault(run.id, run)
                self._change.notify_all()
                if fault:
                    self._failed(fault)
        self._end_child()

    def _next(self) -> RunState | None:
        """The run that has waited longest; None when it is time to end. The pause before lets a run's end catch up with
        its start, so that both are brought at once."""
        with self._change:
            while not self._waiting and not self._closing:
                if not self._change.wait(IDLE):
                    self._end_child()
            if not self._hurry:
                self._change.wait_for(lambda: self._hurry or self._closing, PAUSE)
            if self._closing:
                return None
            self._busy = True
            return self._waiting.pop(next(iter(self._waiting)))

    def _end_child(self) -> None:
        if self._child is not None:
            self._child.close()
            self._child = None

    def _bring(self, run: RunState) -> str:
        """Bring one run. Returns what went wrong; empty when the run is in MLflow, or nothing is to be there."""
        from .child import Child
        from .target import tracking_uri

        if not tracking_uri():
            return ""
        if self._child is None:
            self._child = Child()
        fault = self._child.bring(run)
        if fault and not self._child.alive:
            self._end_child()
        return fault

    def _failed(self, fault: str) -> None:
        first, most = _BACKOFF
        if self._closing:
            return
        if self._failures == 1:
            _log.warning(
                "Runs are not recorded in MLflow for now: %s. They are kept, and recorded when it works again; "
                "look at the tracking URI in the settings of jupyter-mlops.",
                fault,
            )
        self._change.wait(min(most, first * 2 ** min(10, self._failures - 1)))


_recorder = Recorder()
record = _recorder.record
flush = _recorder.flush
close = _recorder.close

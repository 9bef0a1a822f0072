"""What a worker's threads do all day: Dask's own measures of its tasks and transfers, with the CPU of runners put in
the place of their seats', which only wait for them."""

from __future__ import annotations

import time
from typing import Any

#: How the keys of seats begin, and so the names under which Dask measures them.
_SEAT = "mlrun"

_DISK = ("disk-read", "disk-write")

#: What Dask measures of data that moves between workers, and of data that is written away beside all tasks.
_MOVING, _FLUSHING = ("gather-dep", "get-data"), ("memory-monitor",)


class Spent:
    """Adds up what Dask measures of a worker, in seconds of its threads.

    Dask tells of a task when it ends; one that goes on counts as busy meanwhile.

    Parameters
    ----------
    worker : Dask's.
    """

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        self._busy = self._cpu = self._disk = self._moving = self._flushing = 0.0

    def install(self) -> None:
        """Hear what is measured from now on."""
        measure = type(self._worker).digest_metric.__get__(self._worker)

        def digest_metric(name: Any, value: float) -> None:
            measure(name, value)
            if type(name) is tuple and name[-1] == "seconds":
                self._add(name, value)

        self._worker.digest_metric = digest_metric

    def close(self) -> None:
        """Hear no more."""
        self._worker.__dict__.pop("digest_metric", None)

    def now(self, runners: float) -> dict[str, float]:
        """What was done since this began. `runners` are CPU seconds that runners have computed."""
        now, worker = time.time(), self._worker
        begun = [worker.state.tasks[key].start_time for key in worker.active_keys if key in worker.state.tasks]
        running = sum(max(0.0, now - began) for began in begun if began is not None)
        return {
            "busy": self._busy + running,
            "computing": self._cpu + runners,
            "spilling": self._disk,
            "moving": self._moving,
            "flushing": self._flushing,
        }

    def _add(self, name: tuple[Any, ...], value: float) -> None:
        """A measure, as (what the worker was at, …, what of it, "seconds")."""
        context, part = name[0], name[-2]
        if context == "execute":
            self._busy += value
            if part in _DISK:
                self._disk += value
            elif part == "thread-cpu" and not str(name[-3]).startswith(_SEAT):
                self._cpu += value
        elif part in _DISK or context in _FLUSHING:
            self._flushing += value
        elif context in _MOVING:
            self._moving += value

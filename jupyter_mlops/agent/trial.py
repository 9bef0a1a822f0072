"""A trial of a sweep, in its runner: what its objective reports, and whether it is to end early."""

from __future__ import annotations

import math
import select
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from .displays import Tell
from .points import PointsOut
from .reports import Meter
from .wire import Wire

#: Reports a second that a trial tells of in the long run, and how many at once. The others are only counted.
RATE, BURST = 20.0, 100.0


class Pruned(BaseException):
    """Raised inside the objective by `mlops.report`: others are better. No `except Exception` holds it up."""


class TrialHere:
    """The trial that this process executes; one after the other.

    Parameters
    ----------
    wire : over which the seat says that one is to end.
    tell : tells the seat.
    points : takes what the objective logs, which is of the trial.
    leads : whether what is reported here counts: of a trial that is a gang, what its rank 0 does.
    """

    def __init__(self, wire: Wire, tell: Tell, points: PointsOut, leads: bool) -> None:
        self._wire, self._tell, self._points, self._leads = wire, tell, points, leads
        self._lock = threading.Lock()
        self._poll = select.poll()
        self._poll.register(wire.fileno(), select.POLLIN)
        self._begin(-1)

    def _begin(self, number: int) -> None:
        self._points.begin_trial(number if number >= 0 else None)
        self._number, self._meter = number, Meter(RATE, BURST)
        #: How often it has reported, what it did last, and whether it was told to end.
        self.reports, self.value, self.pruned = 0, math.nan, False

    def report(self, value: float) -> None:
        """Tell of a value, and go on at once: what becomes of it is heard at a later one.

        Raises
        ------
        Pruned : the trial ends here.
        """
        if not self._leads:
            return
        with self._lock:
            self.reports, self.value = self.reports + 1, value
            if self._meter.let("."):
                self._tell("report", trial=self._number, count=self.reports, value=value)
            while not self.pruned and self._poll.poll(0):
                message = self._wire.receive()
                if message is None:  # the seat is gone, and this process ends soon
                    break
                self.pruned = message.get("prune") == self._number
        if self.pruned:
            raise Pruned

    def execute(
        self, number: int, objective: Callable[..., Any], params: Mapping[str, Any], metric: str | None
    ) -> dict[str, Any]:
        """Call the objective. Returns the trial's phase, value, other metrics and number of reports, and the seconds
        that it took; raises what the objective does.

        Parameters
        ----------
        number : the trial's.
        metric : which of several numbers the sweep is about, by name.
        """
        self._begin(number)
        began = time.perf_counter()
        try:
            value, others = _measured(objective(**params), metric)
            ended = {"phase": "done", "value": value, "metrics": others}
        except Pruned:
            ended = {"phase": "pruned", "value": self.value, "metrics": {}}
        finally:
            self._points.begin_trial(None)
        return {**ended, "reports": self.reports, "seconds": time.perf_counter() - began}


def _measured(given: Any, metric: str | None) -> tuple[float, dict[str, float]]:
    """The number that an objective returned, and others beside it."""
    numbers = dict(given) if isinstance(given, Mapping) else {metric: given}
    if metric is None and len(numbers) == 1:
        (metric,) = numbers
    if metric not in numbers:
        names = ", ".join(repr(name) for name in numbers)
        asked = "" if metric is None else f", and not {metric!r}"
        raise ValueError(
            f"the objective returned {names or 'no number'}{asked}: metric= says which one the sweep is about"
        )
    try:
        found = {str(name): float(number) for name, number in numbers.items()}
        value = found.pop(str(metric))
    except (TypeError, ValueError) as error:
        raise TypeError(f"the objective has to return a number, or a dict of them: {error}") from None
    if not math.isfinite(value):
        raise ValueError(f"the objective returned {value}, which can't be compared")
    return value, found

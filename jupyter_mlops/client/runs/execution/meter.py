"""Measures how fast a map is while it has so many workers. Pure: it is told what came, and when."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ....core.base import Seconds
from ....core.ladder import LEAST, MOST, SURE, TASKS, Rung, per_million


@dataclass(frozen=True)
class _Came:
    """A task that came back at a moment: its items, those of them that failed, and the seconds that it computed."""

    at: Seconds
    items: int
    failed: int
    seconds: Seconds


class SpeedMeter:
    """What comes back on one rung of a ladder.

    What came until each thread has given something isn't counted: the first task of a worker loads what it imports.
    From then on each task counts as far as it computed within the time that is measured, whenever it came back: else
    the end of the time would be a matter of luck.

    Parameters
    ----------
    threads : that compute.
    cap : items that may be taken.
    """

    def __init__(self, threads: int, cap: int) -> None:
        self._threads, self._cap = threads, cap
        self._settled = 0
        self._began: Seconds | None = None
        self._ended: Seconds | None = None
        self._came: list[_Came] = []
        self._starved: Seconds = 0.0

    def take(self, items: int, failed: int, seconds: Seconds, now: Seconds) -> None:
        """A task came back."""
        if self._began is None:
            self._settled += 1
            if self._settled >= self._threads:
                self._began = now
            return
        self._came.append(_Came(now, items, failed, seconds))

    def starved(self, seconds: Seconds) -> None:
        """For so long no item was there to be sent."""
        if self._began is not None and self._ended is None:
            self._starved += seconds

    def over(self, now: Seconds) -> bool:
        """Whether enough was measured."""
        if self._began is None:
            return False
        passed, tasks = now - self._began, len(self._came)
        if sum(each.items for each in self._came) >= self._cap:
            return True
        if passed < LEAST or tasks < TASKS * self._threads:
            return False
        return passed >= MOST or self._spread(self._came) <= SURE

    def end(self, now: Seconds) -> Seconds:
        """The time that is measured ends. Returns how long to wait until what computes at this moment has come, too."""
        self._ended = now
        return 1.2 * max((each.seconds for each in self._came), default=0.0)

    def rung(self, workers: int, present: int, boot: Seconds, per_hour: float | None) -> Rung | None:
        """What was measured; None where it is too little: not a task of each thread.

        Parameters
        ----------
        workers, present : that were wanted, and that came; `boot` seconds after they were asked for.
        per_hour : money for an hour of them all.
        """
        if self._began is None or self._ended is None or self._ended <= self._began:
            return None
        parts = [(each, self._part(each)) for each in self._came]
        counted = [(each, part) for each, part in parts if part > 0]
        if len(counted) < self._threads or not sum(each.items for each, _ in counted):
            return None
        seconds = self._ended - self._began
        items = sum(each.items * part for each, part in counted)
        computed = sum(each.seconds * part for each, part in counted)
        rate = items / seconds
        return Rung(
            workers=workers,
            threads=self._threads,
            present=present,
            items=round(items),
            failed=round(sum(each.failed * part for each, part in counted)),
            seconds=seconds,
            rate=rate,
            spread=self._spread([each for each, _ in counted]),
            item=computed / items,
            slowest=max(each.seconds / each.items for each, _ in counted if each.items),
            used=min(1.0, computed / (seconds * self._threads)),
            starved=min(1.0, self._starved / seconds),
            boot=boot,
            per_hour=per_hour,
            per_million=per_million(per_hour, rate),
        )

    def _part(self, each: _Came) -> float:
        """The part of a task that it computed within the time that is measured."""
        assert self._began is not None and self._ended is not None
        if each.seconds <= 0:
            return 1.0 if each.at <= self._ended else 0.0
        within = min(each.at, self._ended) - max(each.at - each.seconds, self._began)
        return max(0.0, min(1.0, within / each.seconds))

    @staticmethod
    def _spread(came: list[_Came]) -> float:
        """The standard error of the mean time of an item, as a part of it: that of the tasks' own means."""
        means = [each.seconds / each.items for each in came if each.items]
        mean = sum(means) / len(means) if means else 0.0
        if len(means) < 2 or mean <= 0:
            return 1.0
        variance = sum((value - mean) ** 2 for value in means) / (len(means) - 1)
        return math.sqrt(variance / len(means)) / mean

"""Traffic: how much a service is asked, how often it fails, and how long its answers take, by time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Annotated

from .base import Amount, Record, Seconds, Time, first
from .formats import FORMAT

#: Seconds that are counted as one.
MINUTE: Seconds = 60.0

#: Upper bounds of what is told apart of answers' times, in seconds: each is 1.25 times the one before. What takes
#: longer than the last is counted after it.
BOUNDS = tuple(0.0005 * 1.25**step for step in range(52))

#: Seconds that a point of a picture may stand for.
_STEPS: tuple[Seconds, ...] = (60.0, 300.0, 900.0, 3600.0, 3 * 3600.0, 12 * 3600.0)

#: Points that a picture has at most.
_MOST = 180


class TrafficMinute(Record):
    """What one version answered in a minute: `times` are answers by how long they took, as counts between `BOUNDS`."""

    format: int = FORMAT
    at: Time
    version: int = 0
    requests: Amount = 0
    #: Those that the service failed.
    errors: Amount = 0
    times: Annotated[list[Amount], first(len(BOUNDS) + 1)] = []


class TrafficPoint(Record):
    """What one version answered in a stretch of time: half of its answers took `middle` seconds at most, and 95 of 100
    took `slow`."""

    at: Time
    version: int = 0
    requests: Amount = 0
    errors: Amount = 0
    middle: Seconds | None = None
    slow: Seconds | None = None


def slot_of(took: Seconds) -> int:
    """Where an answer that took so long is counted."""
    return bisect_left(BOUNDS, took)


def step_of(span: Seconds) -> Seconds:
    """Seconds that a point stands for in a picture of a stretch of time."""
    return next((step for step in _STEPS if span / step <= _MOST), _STEPS[-1])


def points_of(minutes: Iterable[TrafficMinute], step: Seconds) -> list[TrafficPoint]:
    """Minutes as points of a picture, the first first, and of each time a point for each version that was asked."""
    found: dict[tuple[Time, int], TrafficMinute] = {}
    for minute in minutes:
        key = (minute.at // step * step, minute.version)
        seen = found.get(key, TrafficMinute(at=key[0], version=minute.version))
        found[key] = seen.model_copy(
            update={
                "requests": seen.requests + minute.requests,
                "errors": seen.errors + minute.errors,
                "times": [one + other for one, other in zip_longest(seen.times, minute.times, fillvalue=0)],
            }
        )
    return [
        TrafficPoint(
            at=at,
            version=version,
            requests=each.requests,
            errors=each.errors,
            middle=_quantile(each.times, 0.5),
            slow=_quantile(each.times, 0.95),
        )
        for (at, version), each in sorted(found.items())
    ]


def _quantile(times: Sequence[int], part: float) -> Seconds | None:
    """The time that this part of the answers took at most, to within a tenth; None where there are none."""
    wanted, below = part * sum(times), 0
    for slot, count in enumerate(times):
        if count and below + count >= wanted:
            high = BOUNDS[min(slot, len(BOUNDS) - 1)]
            low = BOUNDS[slot - 1] if slot else high / 1.25
            return low + (high - low) * min(1.0, max(0.0, wanted - below) / count)
        below += count
    return None

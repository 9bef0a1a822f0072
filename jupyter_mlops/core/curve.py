"""Curves: what a run's metrics were, step by step, for each of its ranks, and of a sweep for each of its trials.

A line of points is how they are told and stored; `Curves` is what is made of the lines. An attempt of a gang goes on
from a checkpoint: what an earlier one logged after the checkpoint's step has not come to count, and what the new one
logs takes the place of what was logged for the same steps. The lines of it all are kept.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, NamedTuple

from pydantic import ConfigDict

from .base import Label, Record, Time, first

#: Points of a curve that are kept of any number, and of all curves of a run together.
MOST_POINTS, ALL_POINTS = 2000, 100_000

#: Points that a curve may have however many curves there are, and curves of a run. Further ones are not drawn.
FEWEST_POINTS, MOST_CURVES = 48, 2000

#: Points that are told of at once, of all curves together.
TOLD_POINTS = 60_000

#: The largest step, and minus the smallest: a browser counts no further.
LARGEST_STEP = 2**53 - 1

#: Points of one line.
LONGEST_LINE = 100_000


class CurveLine(Record):
    """Points of one metric of one rank, in the order in which they were logged; or that an attempt `begins` at a step:
    that of the checkpoint that it goes on from, -1 where it begins anew. Within a sweep it is of a `trial`."""

    model_config = ConfigDict(ser_json_inf_nan="strings")

    #: Its number, where it was copied from a cluster elsewhere, so that a second copy counts once.
    seq: int = 0
    key: Label = ""
    rank: int = 0
    trial: int | None = None
    attempt: int = 1
    steps: Annotated[list[int], first(LONGEST_LINE)] = []
    values: Annotated[list[float], first(LONGEST_LINE)] = []
    times: Annotated[list[Time], first(LONGEST_LINE)] = []
    begins: int | None = None


class AttemptMark(Record):
    """An attempt of a gang, which may be a trial of a sweep, began at this step."""

    attempt: int
    step: int
    trial: int | None = None


class CurveData(Record):
    """A curve as it is drawn: `values` are None where they are no finite numbers, and `odd` is the first of these, as
    text, with its step."""

    key: Label
    rank: int = 0
    trial: int | None = None
    steps: list[int] = []
    values: list[float | None] = []
    odd: str = ""
    odd_step: int | None = None


class CurvesView(Record):
    """The curves of a run that changed after the `seq` that was asked from. `seq` is to be handed in the next time."""

    seq: int = 0
    curves: list[CurveData] = []
    attempts: list[AttemptMark] = []
    #: Curves that are not drawn, since there are too many.
    left_out: int = 0


class Point(NamedTuple):
    """A value of a metric."""

    step: int
    value: float
    time: Time
    attempt: int


class CurveOf(NamedTuple):
    """Whose curve it is: of which metric, trial (None outside of trials) and rank."""

    key: str
    trial: int | None = None
    rank: int = 0


class Curve:
    """A metric of one rank over the steps.

    Parameters
    ----------
    most : points that are kept; None keeps all. Of more, those that say how it went are: within equal ranges of steps
        the smallest, the largest and the last one, and the first that is no finite number.
    """

    def __init__(self, most: int | None = MOST_POINTS) -> None:
        self.most = most
        self._points: list[Point] = []
        self._attempt, self._begins = 0, False
        #: What was logged last.
        self.last: Point | None = None
        #: The change of the run's curves that it had last.
        self.seq = 0

    @property
    def points(self) -> list[Point]:
        """By step; of the same step, as they were logged."""
        return sorted(self._points, key=lambda point: point.step)

    @property
    def steps(self) -> list[int]:
        """The steps, in their order."""
        return [point.step for point in self.points]

    @property
    def values(self) -> list[float]:
        """The values, in the order of their steps."""
        return [point.value for point in self.points]

    @property
    def times(self) -> list[Time]:
        """When they were logged, in seconds since the epoch, in the order of their steps."""
        return [point.time for point in self.points]

    def add(self, line: CurveLine) -> None:
        """More points. Those of an attempt that is over don't count any more."""
        if line.attempt < self._attempt or not line.steps:
            return
        if line.attempt > self._attempt or self._begins:
            self._attempt, self._begins = line.attempt, False
            self._cut(min(line.steps) - 1)
        points = zip(line.steps, line.values, line.times, strict=False)
        self._points += [Point(step, value, time, line.attempt) for step, value, time in points]
        self.last = self._points[-1] if self._points else None
        if self.most is not None and len(self._points) > self.most:
            self._points = thinned(self._points, self.most)

    def begin(self, line: CurveLine) -> None:
        """An attempt goes on from a step."""
        if line.begins is not None and line.attempt > self._attempt:
            self._attempt, self._begins = line.attempt, True  # its first point may be at an earlier step still
            self._cut(line.begins)

    def thin(self, most: int) -> None:
        """Keep at most so many points from here on."""
        self.most = most
        self._points = thinned(self._points, most)

    def _cut(self, step: int) -> None:
        self._points = [point for point in self._points if point.step <= step]

    def __len__(self) -> int:
        return len(self._points)


class Curves:
    """All curves of a run: a metric's name, a trial and a rank → its curve.

    Parameters
    ----------
    most : points of a curve; None keeps all of any number of curves.
    """

    def __init__(self, most: int | None = MOST_POINTS) -> None:
        self._most = most
        self._curves: dict[CurveOf, Curve] = {}
        self._left_out: set[CurveOf] = set()
        self._copied: set[int] = set()
        self.attempts: list[AttemptMark] = []
        #: The newest attempt, by trial.
        self._newest: dict[int | None, int] = {}
        self.seq = 0

    @classmethod
    def of(cls, lines: Iterable[CurveLine], most: int | None = MOST_POINTS) -> Curves:
        """Those that the lines make."""
        made = cls(most)
        for line in lines:
            made.take(line)
        return made

    @classmethod
    def of_last(cls, metrics: Mapping[str, float | None], time: Time) -> Curves:
        """Of each metric the last value, where a cluster of an earlier version tells no more."""
        known = {key: value for key, value in metrics.items() if value is not None}
        return cls.of(CurveLine(key=key, steps=[0], values=[value], times=[time]) for key, value in known.items())

    def take(self, line: CurveLine) -> None:
        """A line more."""
        if line.seq and line.seq in self._copied:
            return
        self._copied |= {line.seq} if line.seq else set()
        self.seq += 1
        if line.begins is not None:
            self.attempts.append(AttemptMark(attempt=line.attempt, step=line.begins, trial=line.trial))
            self._newest[line.trial] = line.attempt
            for curve in [curve for of, curve in self._curves.items() if of.trial == line.trial]:
                curve.begin(line)
                curve.seq = self.seq
            return
        if line.attempt < self._newest.get(line.trial, line.attempt):
            return
        of = CurveOf(line.key, line.trial, line.rank)
        curve_or_none = self._curves.get(of) or self._new(of)
        if curve_or_none is not None:
            curve_or_none.add(line)
            curve_or_none.seq = self.seq

    def next_step(self, of: CurveOf, attempt: int) -> int:
        """The step of a value that was logged without one: they are counted, an attempt's from its checkpoint on."""
        curve = self._curves.get(of)
        if curve is not None and curve.last is not None and curve.last.attempt == attempt:
            return min(curve.last.step + 1, LARGEST_STEP)
        marks = (mark.step for mark in self.attempts if (mark.attempt, mark.trial) == (attempt, of.trial))
        return max(marks, default=-1) + 1

    def get(self, key: str, rank: int = 0, trial: int | None = None) -> Curve | None:
        """The curve of a metric and a rank; None where there is none."""
        return self._curves.get(CurveOf(key, trial, rank))

    def of_key(self, key: str) -> dict[CurveOf, Curve]:
        """The curves of a metric, by trial and rank."""
        return {of: curve for of, curve in sorted(self._curves.items(), key=_in_order) if of.key == key}

    @property
    def keys(self) -> list[str]:
        """The metrics, as they came."""
        return list(dict.fromkeys(of.key for of in self._curves))

    def thin(self, most: int) -> None:
        """Keep at most so many points of each curve from here on."""
        self._most = most
        for curve in self._curves.values():
            curve.thin(most)

    def view(self, since: int = 0, most: int | None = None) -> CurvesView:
        """As they are drawn, those that changed after the change `since`, of at most `most` points each: fewer, where
        there are very many curves."""
        changed = [(of, curve) for of, curve in self._curves.items() if curve.seq > since]
        if most is not None:
            most = min(most, max(FEWEST_POINTS, TOLD_POINTS // max(1, len(self._curves))))
        return CurvesView(
            seq=self.seq,
            curves=[_drawn(of, curve.points, most) for of, curve in changed],
            attempts=self.attempts,
            left_out=len(self._left_out),
        )

    def _new(self, of: CurveOf) -> Curve | None:
        if self._most is None:
            self._curves[of] = Curve(None)
            return self._curves[of]
        if len(self._curves) >= MOST_CURVES:
            if len(self._left_out) < MOST_CURVES:
                self._left_out.add(of)
            return None
        self._curves[of] = Curve()
        room = max(FEWEST_POINTS, min(self._most, ALL_POINTS // len(self._curves)))
        for curve in self._curves.values():
            curve.most = room  # what is more is thinned with the next points
        return self._curves[of]


def _in_order(item: tuple[CurveOf, Curve]) -> tuple[int, int]:
    of, _ = item
    return -1 if of.trial is None else of.trial, of.rank


def thinned(points: Iterable[Point], most: int) -> list[Point]:
    """At most `most` of the points, by step.

    Steps are divided into ranges of the same width, a power of two: the more points come, the wider. Each range keeps
    its smallest, largest and last value, and the first that is no finite number. So no peak is lost, whatever its
    width, and thinning again changes nothing that was thinned before until the ranges are wider.
    """
    ordered = sorted(points, key=lambda point: point.step)
    if len(ordered) <= most:
        return ordered
    ranges = max(1, most // 6)
    begin, end = ordered[0].step, ordered[-1].step
    width = 1
    while end // width - begin // width >= ranges:
        width *= 2
    kept = [ordered[0]]
    at = 1
    steps = [point.step for point in ordered]
    while at < len(ordered):
        after = bisect_right(steps, (steps[at] // width + 1) * width - 1, lo=at)
        kept += _telling(ordered[at:after])
        at = after
    return kept[-most:]


def _telling(points: list[Point]) -> list[Point]:
    """The smallest, the largest and the last of some points, and the first that is no finite number; in their order."""
    if len(points) < 3:
        return points
    values = [point.value for point in points]
    finite = [index for index, value in enumerate(values) if math.isfinite(value)]
    kept = {len(points) - 1}
    if finite:
        kept |= {min(finite, key=values.__getitem__), max(finite, key=values.__getitem__)}
    if len(finite) < len(points):
        kept.add(next(index for index, value in enumerate(values) if not math.isfinite(value)))
    return [points[index] for index in sorted(kept)]


def lines_of(curves: Curves) -> Iterator[CurveLine]:
    """Lines that make the same curves again."""
    marks = {(mark.trial, mark.attempt): mark.step for mark in curves.attempts}
    found: dict[tuple[int | None, int], list[CurveLine]] = {at: [] for at in marks}
    for key in curves.keys:
        for of, curve in curves.of_key(key).items():
            for point in curve.points:
                lines = found.setdefault((of.trial, point.attempt), [])
                if not lines or (lines[-1].key, lines[-1].rank) != (key, of.rank):
                    lines.append(CurveLine(key=key, rank=of.rank, trial=of.trial, attempt=point.attempt))
                lines[-1].steps.append(point.step)
                lines[-1].values.append(point.value)
                lines[-1].times.append(point.time)
    for trial, attempt in sorted(found, key=lambda at: (-1 if at[0] is None else at[0], at[1])):
        if (trial, attempt) in marks:
            yield CurveLine(trial=trial, attempt=attempt, begins=marks[trial, attempt])
        yield from found[trial, attempt]


class Copied:
    """What is known somewhere else of a run's curves: up to which line, until when of each curve, and which attempts.

    Parameters
    ----------
    lines : what is there.
    """

    def __init__(self, lines: Iterable[CurveLine] = ()) -> None:
        self.seq = 0
        self._at: dict[CurveOf, Time] = {}
        self._attempts: set[tuple[int | None, int]] = set()
        for line in lines:
            self._add(line)

    def news(self, seq: int, lines: list[CurveLine]) -> list[CurveLine]:
        """Which of the lines that the run's cluster told are news, up to the line of that number; they count as copied
        from here on. Where the cluster doesn't remember all lines it tells what it draws, of which the later points
        are news."""
        if lines and lines[0].seq != self.seq + 1:
            lines = [self._new_of(line) for line in lines if (line.trial, line.attempt) not in self._begun(line)]
        lines = [line for line in lines if line.steps or line.begins is not None]
        for line in lines:
            self._add(line)
        self.seq = seq
        return lines

    def _add(self, line: CurveLine) -> None:
        self.seq = max(self.seq, line.seq)
        if line.begins is not None:
            self._attempts.add((line.trial, line.attempt))
        of = CurveOf(line.key, line.trial, line.rank)
        self._at[of] = max([self._at.get(of, 0.0), *line.times])

    def _begun(self, line: CurveLine) -> set[tuple[int | None, int]]:
        return self._attempts if line.begins is not None else set()

    def _new_of(self, line: CurveLine) -> CurveLine:
        """Its points that were logged after the last one that is known."""
        at = self._at.get(CurveOf(line.key, line.trial, line.rank), 0.0)
        rows = [row for row in zip(line.steps, line.values, line.times, strict=False) if row[2] > at]
        steps, values, times = ([row[number] for row in rows] for number in range(3))
        return line.model_copy(update={"steps": steps, "values": values, "times": times})


def _drawn(of: CurveOf, points: list[Point], most: int | None) -> CurveData:
    shown = points if most is None else thinned(points, most)
    odd = next((point for point in shown if not math.isfinite(point.value)), None)
    return CurveData(
        key=of.key,
        rank=of.rank,
        trial=of.trial,
        steps=[point.step for point in shown],
        values=[point.value if math.isfinite(point.value) else None for point in shown],
        odd="" if odd is None else str(odd.value),
        odd_step=None if odd is None else odd.step,
    )

"""What a run's code logs, on its way from its runner to the scheduler.

It has a pipe of its own, so that it neither waits behind other things nor keeps them waiting. A point is a line, which
is written as a whole or not at all, from any thread and from processes that the code has forked. The seat reads the
pipe a few times a second, and sends all that was in it as one message.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import time
from collections.abc import Callable
from typing import Any

#: Seconds between two looks into the pipe, and when it was found rather full.
GATHER, SOON = 0.25, 0.02

#: Bytes in the pipe from which on it is looked into sooner.
MUCH = 24_000

#: Seconds that code waits for room in the pipe, once; then it waits no more until there is some. A worker that is busy
#: may take some to look.
PATIENCE = 10.0

#: Points a second that are passed on as they are, in the long run, and how many at once. Of more than that the
#: smallest, the largest and the last ones are.
RATE, BURST = 5000, 20_000

#: Characters of a metric's name: a line has to fit into what a pipe takes as a whole.
LONGEST_KEY = 200

Column = dict[str, list[Any]]


class PointsOut:
    """The runner's end.

    Parameters
    ----------
    file : the pipe, to write to.
    """

    def __init__(self, file: int) -> None:
        self._file = file
        os.set_blocking(file, False)
        os.set_inheritable(file, False)
        self._stuck = False
        self._dropped = 0
        #: The trial that logs, and how many have begun here with it: whoever reads knows the first points of each by
        #: that, from whatever thread or fork they come.
        self._trial: tuple[int | None, int] = (None, 0)

    def begin_trial(self, trial: int | None) -> None:
        """What is logged from here on is a trial's of a sweep, which begins; None: it has ended."""
        self._trial = (trial, self._trial[1] + 1)

    def add(self, key: str, value: float, step: int | None) -> None:
        """A point. It is lost if nobody has taken any for so long."""
        line = json.dumps([key, step, value, round(time.time(), 3), self._dropped, *self._trial]).encode() + b"\n"
        try:
            if not self._written(line):
                self._dropped += 1
                return
        except OSError:  # the seat is gone, and so will be this process
            return
        self._dropped = 0

    def _written(self, line: bytes) -> bool:
        try:
            os.write(self._file, line)
        except BlockingIOError:
            if self._stuck or not self._room():
                self._stuck = True
                return False
            return self._written(line)
        self._stuck = False
        return True

    def _room(self) -> bool:
        poll = select.poll()
        poll.register(self._file, select.POLLOUT)
        return bool(poll.poll(1000 * PATIENCE))


class PointsIn:
    """The seat's end.

    Parameters
    ----------
    file : the pipe, to read from; it doesn't block.
    tell : gets the points, by metric: `steps` (None where the code gave none), `values` and `times`; and how many were
        left out; and, of a trial of a sweep, its number, and whether these are the first since it began.
    """

    def __init__(self, file: int, tell: Callable[[dict[str, Column], int, int | None, bool], None]) -> None:
        self._file, self._tell = file, tell
        self._rest = b""
        self._begun = 0
        self._room, self._at = float(BURST), time.monotonic()

    def read(self) -> float:
        """Pass on what is there. Returns the seconds until it should be looked for again."""
        data = self._rest
        size = 0
        with contextlib.suppress(BlockingIOError):
            while size < 1 << 20 and (more := os.read(self._file, 65536)):
                data += more
                size += len(more)
        lines, _, self._rest = data.rpartition(b"\n")
        if lines:
            self._pass_on(_points(lines))
        return SOON if size > MUCH else GATHER

    def drain(self) -> None:
        """Pass on all that is there."""
        while self.read() == SOON:
            pass

    def _pass_on(self, points: list[list[Any]]) -> None:
        left_out = sum(point[4] for point in points)
        columns: dict[tuple[int | None, str], Column] = {}
        for key, step, value, at, _, trial, _ in points:
            column = columns.setdefault((trial, key), {"steps": [], "values": [], "times": []})
            column["steps"].append(step)
            column["values"].append(value)
            column["times"].append(at)
        now = time.monotonic()
        self._room = min(float(BURST), self._room + (now - self._at) * RATE)
        self._at = now
        if len(points) > self._room:
            columns = {of: _telling(column) for of, column in columns.items()}
            left_out += len(points) - sum(len(column["steps"]) for column in columns.values())
        else:
            self._room -= len(points)
        by_trial: dict[int | None, dict[str, Column]] = {}
        for (trial, key), column in columns.items():
            by_trial.setdefault(trial, {})[key] = column
        begun = {trial for *_, trial, number in points if trial is not None and number > self._begun}
        self._begun = max((self._begun, *(point[6] for point in points)))
        for trial, of_trial in by_trial.items():
            self._tell(of_trial, left_out, trial, trial in begun)
            left_out = 0


def _points(lines: bytes) -> list[list[Any]]:
    found: list[list[Any]]
    try:
        found = json.loads(b"[" + lines.replace(b"\n", b",") + b"]")
    except ValueError:  # the code has written into this file, or was killed meanwhile
        found = []
        for line in lines.split(b"\n"):
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
    return [point for point in found if isinstance(point, list) and len(point) == 7 and _is_point(*point)]


def _is_point(key: Any, step: Any, value: Any, at: Any, dropped: Any, trial: Any, number: Any) -> bool:
    return isinstance(key, str) and isinstance(dropped, int) and isinstance(number, int)


def _telling(column: Column) -> Column:
    """The smallest, the largest and the last value, and the first that is no finite number, in their order."""
    values = column["values"]
    finite = [index for index, value in enumerate(values) if math.isfinite(value)]
    kept = {len(values) - 1}
    if finite:
        kept |= {min(finite, key=values.__getitem__), max(finite, key=values.__getitem__)}
    if len(finite) < len(values):
        kept.add(next(index for index, value in enumerate(values) if not math.isfinite(value)))
    return {name: [each[index] for index in sorted(kept)] for name, each in column.items()}

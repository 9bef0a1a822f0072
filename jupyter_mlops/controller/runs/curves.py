"""The curves of a live run: what its ranks log, by points of which a bounded number is in memory and all on disk."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Any

from ...core.base import read_record
from ...core.curve import LARGEST_STEP, CurveLine, CurveOf, Curves, CurvesView, lines_of
from ...core.errors import Unreadable
from ...core.run import MOST

#: Points of a run that are kept whole for who copies them, since what is on disk may be on another machine's; and those
#: of all runs of a cluster.
RECENT, ALL_RECENT = 50_000, 500_000

#: Characters of points that are written to a run's file.
ON_DISK = 2_000_000_000

#: Points of each curve of a run that is long over.
FADED = 200


class CurveKeeper:
    """Takes what the ranks of a run log.

    Parameters
    ----------
    write : takes each line for the file; None where there is none.
    say : tells who watches the run.
    """

    def __init__(self, write: Callable[[str], None] | None, say: Callable[[str], None]) -> None:
        self._write, self._say = write, say
        self._curves = Curves()
        self._written = 0
        #: Lines as they came, numbered; and points in them.
        self._recent: deque[CurveLine] = deque()
        self._points, self._most = 0, RECENT
        self._writers: dict[str, int] = {}
        self._said: set[str] = set()
        #: How often trials of a sweep have begun that logged something.
        self._begun: dict[int, int] = {}

    def take(self, what: dict[str, Any], metrics: dict[str, float | None]) -> None:
        """Points of one rank, as `PointsIn` tells them; `metrics` is then what each metric was last.

        What a rank tells may be anything: what are no points is left out.
        """
        rank, attempt = _whole(what.get("rank", 0)), _whole(what.get("attempt", 1))
        trial = None if what.get("trial") is None else _whole(what["trial"])
        if trial is not None:
            attempt = max(attempt, self._attempt_of(trial, bool(what.get("begins"))))
        columns = what.get("columns")
        for key, column in columns.items() if isinstance(columns, dict) else ():
            try:
                line = self._line(CurveOf(str(key), trial, rank), attempt, column)
            except (Unreadable, KeyError, TypeError):
                continue
            self._add(line)
            self._tell(line, metrics)
        if what.get("left_out"):
            self._note(
                "[metrics] Some were logged faster than 5,000 a second by one process: of those beyond, the smallest, "
                "the largest and the last ones are kept"
            )

    def begin(self, attempt: int, step: int, trial: int | None = None) -> None:
        """An attempt goes on from the checkpoint of a step; -1: it begins anew."""
        self._add(CurveLine(attempt=attempt, begins=step, trial=trial))

    def view(self, since: int, most: int) -> CurvesView:
        """The curves that changed after `since`, of at most `most` points each."""
        return self._curves.view(since, most)

    def lines(self, since: int) -> tuple[int, list[CurveLine]]:
        """All points that came after the line of the number `since`, and the number of the last one. Of those that are
        not remembered, what is drawn."""
        last = self._curves.seq
        if since >= last:
            return last, []
        if self._recent and self._recent[0].seq <= since + 1:
            return last, [line for line in self._recent if line.seq > since]
        return last, list(lines_of(self._curves))

    def share(self, runs: int) -> None:
        """Keep no more points whole than there is room for, where so many runs do."""
        self._most = min(RECENT, ALL_RECENT // runs)
        self._forget()

    def fade(self) -> None:
        """The run is long over: keep less of it."""
        self._recent.clear()
        self._points = 0
        self._curves.thin(FADED)

    def _attempt_of(self, trial: int, begins: bool) -> int:
        """How often a trial that logs has begun: again, where its process or worker died."""
        known = self._begun.get(trial, 0)
        if begins:
            self._begun[trial] = known + 1
            if known:
                self.begin(known + 1, -1, trial)
        return self._begun.get(trial, 1)

    def _line(self, of: CurveOf, attempt: int, column: Any) -> CurveLine:
        steps = column["steps"]
        if None in steps:
            first = self._curves.next_step(of, attempt)
            steps = [first + index if step is None else step for index, step in enumerate(steps)]
        line = read_record(CurveLine, {**column, **of._asdict(), "attempt": attempt, "steps": steps})
        if line.steps and max(map(abs, line.steps)) > LARGEST_STEP:
            raise Unreadable("These points can't be read", "a step is too large")
        return line

    def _add(self, line: CurveLine) -> None:
        self._curves.take(line)
        self._store(line)
        line.seq = self._curves.seq
        self._recent.append(line)
        self._points += len(line.steps)
        self._forget()

    def _forget(self) -> None:
        while self._points > self._most:
            self._points -= len(self._recent.popleft().steps)

    def _store(self, line: CurveLine) -> None:
        if self._write is not None and self._written < ON_DISK:
            text = line.model_dump_json(exclude_defaults=True)
            self._written += len(text)
            self._write(text)
            if self._written >= ON_DISK:
                self._note("[metrics] There are 2 GB of them: what comes from here on is drawn, and not kept")

    def _tell(self, line: CurveLine, metrics: dict[str, float | None]) -> None:
        """The last value of the first rank that logs it is a metric's."""
        if not line.values or line.rank > self._writers.get(line.key, line.rank):
            return
        if line.key in metrics or len(metrics) < MOST:
            self._writers[line.key] = line.rank
            metrics[line.key] = line.values[-1] if math.isfinite(line.values[-1]) else None

    def _note(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._say(f"{text}\n")


def _whole(number: Any) -> int:
    return number if isinstance(number, int) and 0 <= number < 1_000_000 else 0

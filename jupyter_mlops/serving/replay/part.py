"""What a worker does with logged rows: it asks the version, and finds out which rows it can't answer.

All of this travels with the run, with what it uses of the registry: workers elsewhere lack it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...core.errors import Conflict, InvalidInput, Unreadable
from ...registry.answers import said
from ...registry.measure import Array
from ...registry.scoring.part import ScorePlan, ask_rows, rows_of

#: How often a part is asked at most, in smaller and smaller pieces, to find the rows that can't be answered. What is
#: left of it then counts as a whole.
_ASKED = 2000

#: What a file of the log calls the time of a row.
_TIME = "request.time"

#: Characters of a message.
_LONGEST = 200

_IN_ROW = re.compile(r":? ?\bin row [\d,]+(; )?")


@dataclass(frozen=True)
class FileRows:
    """Rows of a file of the log, as `LoggedPiece` has them, from the row `start` to that before `stop`."""

    path: str
    stamp: tuple[int, int]
    since: float
    columns: list[str]
    start: int
    stop: int

    def read(self) -> Any:
        """These columns of theirs, as a table of Arrow's.

        Raises
        ------
        Conflict : the file isn't what it was: rows of it were forgotten, or grew too old.
        Unreadable : it is damaged.
        """
        import pyarrow as pa
        import pyarrow.compute as pc
        from pyarrow import parquet

        try:
            with Path(self.path).open("rb") as opened:
                seen, data = os.fstat(opened.fileno()), opened.read()
        except OSError:
            seen, data = None, b""
        if seen is None or (seen.st_mtime_ns, seen.st_size) != self.stamp:
            why = "rows were forgotten, or became older than what is kept"
            raise Conflict("The log has changed since the replay began", why, "Replay it again.")
        names = [*self.columns, _TIME] if self.since and _TIME not in self.columns else self.columns
        try:
            with parquet.ParquetFile(pa.BufferReader(data)) as file:
                table = file.read(columns=names, use_threads=False)
        except (pa.ArrowException, OSError) as error:  # Arrow says both of what it can't read
            raise Unreadable(f"{self.path} is damaged", str(error), "Remove it, and replay again.") from error
        if self.since:
            table = table.filter(pc.greater_equal(table.column(_TIME), self.since))
        return table.select(self.columns).slice(self.start, self.stop - self.start)


@dataclass(frozen=True)
class ReplayPart:
    """Some logged rows. `sources` have their features: tables of Arrow's, or where to read them."""

    number: int
    sources: list[Any]

    def frame(self) -> Any:
        """Their features, as a table of pandas' with the columns that the version takes; raises as `FileRows.read`."""
        import pyarrow as pa

        tables = [each.read() if isinstance(each, FileRows) else each for each in self.sources]
        try:
            return pa.concat_tables(tables, promote_options="permissive").to_pandas()
        except pa.ArrowException:  # of types that don't go together
            import pandas as pd

            return pd.concat([table.to_pandas() for table in tables], ignore_index=True)

    def __repr__(self) -> str:
        return f"part {self.number:,}"


class Replayed(NamedTuple):
    """What a version said to the rows of a part. `at` are the numbers of those that it could answer, `said` its answers
    to them, `failed` the numbers of the others, by why."""

    at: Array
    said: Array
    failed: dict[str, list[int]]


def replayer(plan: ScorePlan, task: str) -> Callable[[ReplayPart], Replayed]:
    """The function that has the version answer a part."""

    def replay_part(part: ReplayPart) -> Replayed:
        frame = part.frame()
        found = answered(plan, task, frame)
        runner = getattr(sys.modules.get("jupyter_mlops_agent.runner"), "RUNNER", None)
        if runner is not None:
            runner.tell("rows", part=part.number, rows=len(frame))
        return found

    return replay_part


def answered(plan: ScorePlan, task: str, frame: Any) -> Replayed:
    """The version's answers to the rows of a table; one that it can't answer spoils no other one."""
    pieces: list[tuple[int, int, Array]] = []
    failed: dict[str, list[int]] = {}
    left, asked = [(0, len(frame))], 0
    while left:
        start, stop = left.pop()
        asked += 1
        try:
            answers = said(task, ask_rows(plan, rows_of(plan, _timed(plan, frame.iloc[start:stop]))))
            pieces.append((start, stop, answers))
        except InvalidInput as error:
            if stop - start > 1 and asked < _ASKED:
                middle = (start + stop) // 2
                left += [(middle, stop), (start, middle)]
            else:
                failed.setdefault(_message(error), []).extend(range(start, stop))
    at = [np.arange(start, stop) for start, stop, _ in pieces]
    whole = [answers for *_, answers in pieces]
    return Replayed(np.concatenate([np.zeros(0, int), *at]), np.concatenate(whole) if whole else np.zeros(0), failed)


def _timed(plan: ScorePlan, frame: Any) -> Any:
    """The rows with their times, which a log has as text."""
    import pandas as pd

    names = [name for name, kind in plan.kinds.items() if kind == "M"]
    try:
        return frame.assign(**{name: pd.to_datetime(frame[name]) for name in names}) if names else frame
    except (ValueError, TypeError) as error:
        raise InvalidInput("A time can't be read", str(error)) from error


def _message(error: InvalidInput) -> str:
    """What is wrong with a row, whichever it is."""
    own = error.what == "The model can't answer the rows"
    text = error.why if own else error.words
    return _IN_ROW.sub(": ", text).rstrip(": ")[:_LONGEST]

"""What a worker does with logged rows: it asks the version, and finds out which rows it can't answer.

All of this travels with the run, with what it uses of the registry: workers elsewhere lack it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ...core.errors import InvalidInput
from ...registry.answers import said
from ...registry.measure import Array
from ...registry.scoring.part import ScorePlan, ask_rows, rows_of

#: How often a part is asked at most, in smaller and smaller pieces, to find the rows that can't be answered. What is
#: left of it then counts as a whole.
_ASKED = 2000

#: Characters of a message.
_LONGEST = 200

_IN_ROW = re.compile(r":? ?\bin row [\d,]+(; )?")


@dataclass(frozen=True)
class ReplayPart:
    """Some logged rows: their features, as a table of pandas' with the columns that the version takes."""

    number: int
    frame: Any

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
        found = answered(plan, task, part.frame)
        runner = getattr(sys.modules.get("jupyter_mlops_agent.runner"), "RUNNER", None)
        if runner is not None:
            runner.tell("rows", part=part.number, rows=len(part.frame))
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
    text = error.why if own else f"{error.what}: {error.why}" if error.why else error.what
    return _IN_ROW.sub(": ", text).rstrip(": ")[:_LONGEST]

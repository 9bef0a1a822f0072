"""Shows a sweep while somebody waits for it: a table of its best trials that changes, or a line now and then."""

from __future__ import annotations

import html
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

from ....core.asha import Goal
from ....core.run import FINAL, RunState
from ....core.sweep import Trial, best_of, in_order
from ....core.words import count, span
from ...words import PLAIN, put, sentence
from ..execution.channel import Display, Shown
from ..view import display, write

#: Characters of a cell up to which it is one line.
UNBROKEN = 20

#: Trials that are shown, and seconds between two looks of the table, and two lines.
SHOWN, TABLE, LINES = 10, 1.0, 5.0


class SweepView:
    """As `View`.

    Parameters
    ----------
    trials : gives those that are known.
    goal : which values are good ones.
    """

    def __init__(self, trials: Callable[[], list[Trial]], goal: Goal) -> None:
        self._trials, self._goal = trials, goal
        self._notebook = _in_notebook()
        self._id, self._drawn = uuid4().hex, False
        self._next = time.monotonic() + (TABLE if self._notebook else LINES)

    def show(self, state: RunState | None, entries: Sequence[Shown]) -> None:
        """As `View.show`."""
        write(entries)
        if state is None or state.phase in FINAL or time.monotonic() < self._next:
            return
        self._draw(state)
        self._next = time.monotonic() + (TABLE if self._notebook else LINES)

    def end(self, state: RunState) -> None:
        """As `View.end`."""
        self._draw(state)
        if not self._notebook:
            put(table_text(self._trials(), self._goal), sys.stderr)

    def _draw(self, state: RunState) -> None:
        line, trials = f"{state.name}: {sentence(state)}", self._trials()
        if not self._notebook:
            put(f"{line}\n", sys.stderr)
            return
        bundle = {
            "text/plain": f"{line}\n{table_text(trials, self._goal)}",
            "text/html": f"<div class='{PLAIN}'>{html.escape(line)}{table_html(trials, self._goal)}</div>",
        }
        display(Display(bundle, self._id, update=self._drawn))
        self._drawn = True


def table_html(trials: Sequence[Trial], goal: Goal) -> str:
    """The best trials as a table."""
    (_, head), *rows = _table(trials, goal)
    if not rows:
        return ""
    first = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(_td(cell, best) for cell in row)}</tr>" for best, row in rows)
    style = "color:var(--jp-ui-font-color2,#616161)"
    rest = f"<div style='{style}'>{_rest(trials)}</div>" if len(trials) > SHOWN else ""
    return f"<table><thead><tr>{first}</tr></thead><tbody>{body}</tbody></table>{rest}"


def table_text(trials: Sequence[Trial], goal: Goal) -> str:
    """The same as lines of text."""
    rows = [row for _, row in _table(trials, goal)]
    if len(rows) == 1:
        return ""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "".join(f"{line}\n" for line in [*lines, *([_rest(trials)] if len(trials) > SHOWN else [])])


def _table(trials: Sequence[Trial], goal: Goal) -> list[tuple[bool, list[str]]]:
    """The head and the rows, each with whether it is the best trial's."""
    names = list(dict.fromkeys(name for trial in trials for name in trial.params))
    best = best_of(trials, goal)
    rows = [(False, ["trial", *names, "value", "state", "time"])]
    for trial in in_order(trials, goal)[:SHOWN]:
        took = span((trial.ended or time.time()) - trial.began)
        values = [_cell(trial.params.get(name, "")) for name in names]
        mark = "★ " if trial is best else ""
        rows.append((trial is best, [f"{mark}{trial.number}", *values, _cell(trial.value), _state(trial), took]))
    return rows


def _td(cell: str, best: bool) -> str:
    text = html.escape(cell if len(cell) > UNBROKEN else cell.replace(" ", "\N{NO-BREAK SPACE}"))
    return f"<td><b>{text}</b></td>" if best else f"<td>{text}</td>"


def _rest(trials: Sequence[Trial]) -> str:
    return f"The best {SHOWN} of {count(len(trials), 'trial')}; .table() has all of them."


def _state(trial: Trial) -> str:
    word = "under way" if trial.phase == "running" else trial.phase
    return f"{word}: {trial.error:.60}" if trial.error else word


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _in_notebook() -> bool:
    ipython: Any = sys.modules.get("IPython")
    return ipython is not None and getattr(ipython.get_ipython(), "kernel", None) is not None

"""A pipeline as text and as a picture."""

from __future__ import annotations

import contextlib
import html
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass

from .. import places
from ..client.words import known_cost, moment
from ..core.base import Time
from ..core.cluster import Problem
from ..core.cron import next_time, zone_named
from ..core.errors import InvalidSpec, MlopsError
from ..core.schedule import HERE, Schedule
from ..core.step import StepRecord
from ..core.words import listed, span
from ..home.schedules import log_of
from .cells import CodeCell
from .graph import Graph, PlannedStep
from .steps import OR_USED, digest_of_cell

#: Pixels: of a box, how much more to the right one is that needs another, and between two of them.
_WIDTH, _HEIGHT, _ASIDE, _BELOW = 440, 46, 32, 10

#: Pixels between lines that go the same way.
_LANE = 7

#: Characters of the first line, and of the one below it, that a box has room for.
_NAME, _LINE = 56, 72


@dataclass(frozen=True)
class StepView:
    """A step, and what is known of it.

    Attributes
    ----------
    name : its name.
    reads : names that it reads of other steps, each with that step's.
    makes : names that it makes.
    state : "new" (never computed), "done", "failed" (or it can't run), or "changed": its code, or what it needs, is
        newer than its values.
    words : the same in words, with when, how long and for how much money.
    """

    name: str
    reads: dict[str, str]
    makes: tuple[str, ...]
    state: str
    words: str
    depth: int = 0

    def __str__(self) -> str:
        return f"{self.name}: {self.words}"


def views_of(graph: Graph, last: dict[str, StepRecord | None]) -> list[StepView]:
    """The steps of a graph, with what became of each last, by its name."""
    views = list[StepView]()
    for each in graph.steps:
        state, words = _state(each, last)
        views.append(StepView(each.name, each.reads, each.makes, state, words, graph.depth(each.name)))
    return views


def _state(step: PlannedStep, last: dict[str, StepRecord | None]) -> tuple[str, str]:
    record = last.get(step.name)
    if step.problem is not None:
        return "failed", str(step.problem)
    if record is None:
        return "new", "not yet computed"
    when = moment(record.made, time.time())
    if record.error:
        how = "cancelled" if record.error.startswith("RunCancelled") else "failed"
        return "failed", f"{how} at {when}: {record.error.splitlines()[0]}"
    words = f"done at {when}, {span(record.took)}"
    cost = known_cost(record.cost)
    words += f", {cost}" if cost else ""
    if record.parts.get("its code") != code_of(step.cell):
        return "changed", f"{words}; its code has changed since"
    newer = [need for need in step.needs if (other := last.get(need)) is not None and _is_newer(step, record, other)]
    if newer:
        return "changed", f"{words}; {listed(newer)} ran since"
    return ("changed", f"{words}, not kept: {record.unkept}") if record.unkept else ("done", words)


def _is_newer(step: PlannedStep, record: StepRecord, other: StepRecord) -> bool:
    """Whether a step that is needed has made something else since than what the step has read; where that can't be
    seen, whether it was computed since."""
    read = {part.removesuffix(OR_USED): digest for part, digest in record.parts.items()}
    both = [
        (other.makes[name], read[repr(name)])
        for name, of in step.reads.items()
        if of == other.name and name in other.makes and repr(name) in read
    ]
    if len(both) == list(step.reads.values()).count(other.name):
        return any(made != taken for made, taken in both)
    return other.made > max(record.made, record.seen)


def code_of(cell: CodeCell) -> str:
    """The digest of a step's code, as its record has it."""
    return digest_of_cell(cell.tree)


def as_text(name: str, views: Sequence[StepView]) -> str:
    """A line for each step, in the notebook's order: what it reads of whom, what it makes, and how it is."""
    lines = [f"{name}: {len(views)} step{'' if len(views) == 1 else 's'}"]
    width = max((len(view.name) for view in views), default=0)
    for view in views:
        needs = listed([f"{step} ({', '.join(names)})" for step, names in _edges(view)])
        arrow = f"← {needs}  " if needs else ""
        made = f"→ {', '.join(view.makes)}  " if view.makes else ""
        lines.append(f"  {view.name:{width}}  {arrow}{made}· {view.words}")
    return "\n".join(lines)


def told_of_schedule(schedule: Schedule, silence: Problem | None = None, outdated: bool = False) -> str:
    """When a notebook runs by itself, and how that went last, in words.

    Parameters
    ----------
    silence : why the place that runs it couldn't be asked.
    outdated : whether the notebook was changed since the place took it.
    """
    now, here = time.time(), schedule.place == HERE
    every = f"Every {schedule.every}" if here else _told_of_place(schedule)
    try:
        told = f"{every}; next {_next(schedule, now)}"
    except InvalidSpec:
        if schedule.problem is not None:
            return f"{_in_a_line(schedule.problem)}. {schedule.problem.todo}".strip()
        return f"{every}: another version of jupyter-mlops wrote that."
    more = f" {_in_a_line(schedule.problem)}." if schedule.problem is not None else ""
    if outdated:
        since = moment(schedule.created, now)
        more += f" It runs the notebook as of {since}: schedule it again to take over what has changed since."
    if silence is not None:
        return f"{told}. How it went last isn't known: {_in_a_line(silence)}.{more}"
    if schedule.began is None:
        return f"{told}.{more}"
    began = moment(schedule.began, now)
    if schedule.code is None:
        return f"{told}. It runs since {began}{', or was cut short' if here else ''}.{more}"
    how = "done" if schedule.code == 0 else f"failed: {schedule.said.rstrip('.')}"
    log = log_of(schedule.notebook) if here else f"jupyter mlops pipeline log {shlex.quote(schedule.notebook)}"
    return f"{told}. Last {began}: {how}.{more} What it printed: {log}"


def _told_of_place(schedule: Schedule) -> str:
    title, where = schedule.place, f" ({schedule.where})" if schedule.where else ""
    with contextlib.suppress(MlopsError):  # the package that it came from is gone
        title = places.get(schedule.place).title
    profile = f" on clusters of {schedule.profile}" if schedule.profile else ""
    return f"On {title}{where} every {schedule.every} by the clock of {schedule.zone}{profile}"


def _next(schedule: Schedule, now: Time) -> str:
    """When it runs next, in words."""
    if schedule.suspended:
        return "never: somebody has suspended it there"
    if schedule.place == HERE:
        return moment(max(now, schedule.due()), now)
    when = next_time(schedule.line, zone_named(schedule.zone), now)
    return "in more than a week" if when is None else moment(when, now)


def _in_a_line(problem: Problem) -> str:
    return ": ".join(filter(None, [problem.what, problem.why])).rstrip(".")


def as_html(name: str, views: Sequence[StepView]) -> str:
    """The same as boxes, one below the other, and lines from each to those that need it; in the colours of the
    notebook, be it light or dark."""
    at = {view.name: (view.depth * _ASIDE, row * (_HEIGHT + _BELOW)) for row, view in enumerate(views)}
    lanes = _lanes(views)
    wide = max((x for x, _ in at.values()), default=0) + _WIDTH + 2
    high = len(views) * (_HEIGHT + _BELOW) + 2
    lines = list[str]()
    for view in views:
        edges = _edges(view)
        for number, (step, names) in enumerate(edges):
            x, y = at[view.name]
            into = y + _HEIGHT // 2 + round((number - (len(edges) - 1) / 2) * min(_LANE, _HEIGHT / len(edges)))
            lines.append(_line(at[step][0] + lanes[step], at[step][1] + _HEIGHT, x, into, names))
    boxes = [_box(view, *at[view.name]) for view in views]
    title = html.escape(f"{name}: " + "; ".join(map(str, views)))
    return (
        f'<div style="overflow-x:auto;color:var(--jp-ui-font-color1,currentColor)"><svg role="img" width="{wide}" '
        f'height="{high}" viewBox="-1 -1 {wide} {high}" font-family="var(--jp-ui-font-family,sans-serif)" '
        f'aria-label="{title}">{"".join(lines + boxes)}</svg></div>'
    )


def _edges(view: StepView) -> list[tuple[str, list[str]]]:
    """The steps that a step needs, each with the names that it reads of it."""
    by: dict[str, list[str]] = {}
    for variable, step in view.reads.items():
        by.setdefault(step, []).append(variable)
    return list(by.items())


def _lanes(views: Sequence[StepView]) -> dict[str, int]:
    """How far from the left edge of its box the line of each step begins: boxes below each other have other places."""
    lanes, used = dict[str, int](), dict[int, int]()
    for view in views:
        number = used.get(view.depth, 0)
        used[view.depth] = number + 1
        lanes[view.name] = _LANE + _LANE * number % (_ASIDE - _LANE)
    return lanes


def _line(x: int, y: int, to_x: int, to_y: int, names: Sequence[str]) -> str:
    """From below a box down to the row of one that stands more to the right, and to that."""
    told = html.escape(", ".join(names))
    return (
        f'<path d="M{x},{y} V{to_y} H{to_x}" fill="none" stroke="currentColor" stroke-opacity="0.4">'
        f"<title>{told}</title></path>"
    )


#: State → colour of a box's edge: Lab's own, and one for where there is no Lab.
_COLOURS = {
    "done": "var(--jp-success-color1,#388e3c)",
    "failed": "var(--jp-error-color1,#d32f2f)",
    "changed": "var(--jp-warn-color1,#f57c00)",
    "new": "var(--jp-border-color1,#9e9e9e)",
}


def _box(view: StepView, x: int, y: int) -> str:
    made = f" → {', '.join(view.makes)}" if view.makes else ""
    title = html.escape(f"{view.name}{made}: {view.words}")
    return (
        f'<g transform="translate({x},{y})"><title>{title}</title><rect width="{_WIDTH}" height="{_HEIGHT}" rx="3" '
        f'fill="var(--jp-layout-color1,none)" stroke="{_COLOURS[view.state]}"/>'
        f'<text x="10" y="19" font-size="13" fill="currentColor">{html.escape(_short(view.name + made, _NAME))}</text>'
        f'<text x="10" y="36" font-size="11" fill="currentColor" fill-opacity="0.7">'
        f"{html.escape(_short(view.words, _LINE))}</text></g>"
    )


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"

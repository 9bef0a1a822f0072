"""When a pipeline is run by itself: "15 min", "1 day at 02:00"."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from .answer import ProcessAnswer
from .base import Input, Label, Record, Saying, Seconds, Time, otherwise
from .cluster import Problem
from .errors import InvalidSpec
from .formats import FORMAT
from .profile import Profile
from .rules import Rules
from .settings import Settings

_EVERY = re.compile(r"\s*(?:every\s+)?(\d{1,4})?\s*(min|h|hours?|d|days?|w|weeks?)(?:\s+at\s+(\d{1,2}):(\d{2}))?\s*")

_UNITS: dict[str, Seconds] = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


#: The place of schedules that a process here runs.
HERE = "local"


class Every(NamedTuple):
    """A span in seconds; and the time of day, for spans of whole days that have one."""

    span: Seconds
    at: clock_time | None = None


class Schedule(Record):
    """A notebook whose steps are run by themselves. `every` says when, `python` is the program that runs them,
    `cluster` where, if not wherever runs go. `began` is when they were run last, `ended` when that was over, `code` its
    exit code, and `said` the last line that it printed. `asked` is since when somebody wants them to be run at once,
    and `turn`, where they were run so, when they had begun in their turn before: 0 for never.

    In another `place` than this machine it is run `where` (a namespace, for one) on a cluster of `profile`. `line` is
    `every` as a line of cron by the clock of `zone`, `digest` that of the notebook that was brought along with `files`
    that somebody named besides, `suspended` whether somebody has halted it there, and `problem` why it doesn't run."""

    format: int = FORMAT
    notebook: str
    every: Label
    created: Time
    python: str = ""
    cluster: Label | None = None
    began: Time | None = None
    ended: Time | None = None
    code: int | None = None
    said: Saying = ""
    asked: Time | None = None
    turn: Time | None = None
    place: Label = HERE
    where: Label = ""
    profile: Label = ""
    zone: Label = ""
    line: Label = ""
    files: list[str] = []
    digest: Label = ""
    suspended: bool = False
    problem: Problem | None = None

    def due(self) -> Time:
        """When it is to run next on this machine. What was missed, since it was off or asleep, counts once: from then
        on.

        Raises
        ------
        InvalidSpec : another version wrote an `every` that this one can't read.
        """
        turn = self._next_turn()
        return turn if self.asked is None else min(turn, self.asked)

    def begun(self, now: Time) -> Schedule:
        """As it is when a run begins. One that was asked for between two turns moves none of them. Raises as `due`."""
        between = self.asked is not None and self._next_turn() > now
        before = self.turn if self.turn is not None else self.began or 0
        told = {"began": now, "ended": None, "code": None, "said": "", "asked": None}
        return self.model_copy(update={**told, "turn": before if between else None})

    def _next_turn(self) -> Time:
        last = self.began if self.turn is None else self.turn or None
        return next_after(parse_every(self.every), last or self.created, first=last is None)


#: How a notebook that runs by itself is: it hasn't run so far, is about to, runs, or how that went last.
SchedulePhase = Annotated[Literal["new", "asked", "running", "done", "failed", "unknown"], otherwise("unknown")]


class ScheduleView(Record):
    """A notebook that runs by itself, as browsers show it. `id` stands for it in routes; `path` leads to the notebook
    from the server's root on, empty where it lies elsewhere. `next` is when it runs next, if that is known. The rest is
    as in `Schedule`; `zone` is the clock's also where that is this machine's."""

    id: Label
    notebook: Saying
    path: str = ""
    every: Label
    created: Time
    place: Label = HERE
    where: Label = ""
    profile: Label = ""
    cluster: Label | None = None
    zone: Label = ""
    next: Time | None = None
    phase: SchedulePhase = "new"
    began: Time | None = None
    ended: Time | None = None
    said: Saying = ""
    suspended: bool = False
    problem: Problem | None = None


class ScheduleList(Record):
    """All notebooks that run by themselves, by name; `silent`: why there may be more."""

    schedules: list[ScheduleView] = []
    silent: list[Problem] = []


class ScheduleRequest(Input):
    """A notebook that is to run by itself: its `path` from the server's root on; the others are those of
    `Pipeline.schedule`."""

    path: Annotated[str, Field(min_length=1, max_length=4096)]
    every: str
    cluster: str | None = None
    place: str | None = None
    profile: str | None = None
    zone: str | None = None


class ScheduleAsked(Record):
    """The same for the process that does it: the notebook is named by its path on the disk, and what was brought along
    besides before is brought again."""

    notebook: str
    every: str
    cluster: str | None = None
    place: str | None = None
    profile: str | None = None
    zone: str | None = None
    files: list[str] = []


class ScheduleAnswer(ProcessAnswer):
    """What that process had to say besides."""

    told: list[Saying] = []


class ScheduleSpec(Record):
    """What another place is to run by itself.

    `schedule` is what is told of it. `notebook` is the path of the notebook among the files that are brought along.
    Clusters are started by the profile `asked`, with `packages` of whoever asked, by their `rules` and `settings`;
    `profile` is what the pod or process is made by that starts them. What steps make is sealed with `key`, in
    hexadecimal digits. It waits `delay` before it begins."""

    format: int = FORMAT
    schedule: Schedule
    notebook: str
    owner: Label
    profile: Profile
    asked: Profile
    packages: list[str] = []
    rules: list[Rules] = []
    settings: Settings = Settings()
    key: str = ""
    delay: Seconds = 0


class Outcome(Record):
    """How a notebook's run by itself went: since when, until when, with which exit code, the last line that it printed,
    and the id of its cluster."""

    format: int = FORMAT
    began: Time
    ended: Time | None = None
    code: int | None = None
    said: Saying = ""
    cluster: Label | None = None


def parse_every(text: object) -> Every:
    """`"15 min"`, `"2 h"`, `"1 day at 02:00"` or `"1 week"`.

    Raises
    ------
    InvalidSpec : it is none of them.
    """
    match = _EVERY.fullmatch(text) if isinstance(text, str) else None
    example = "Write it like '15 min', '2 h' or '1 day at 02:00'."
    if match is None or (match[1] is not None and int(match[1]) == 0):
        raise InvalidSpec(f"every can't be {text!r:.80}", "it is a span, and a time of day for days and weeks", example)
    span = int(match[1] or 1) * _UNITS[match[2][0]]
    if match[3] is None:
        return Every(span)
    if match[2][0] not in "dw":
        raise InvalidSpec(f"every can't be {text!r}", "only days and weeks have a time of day", example)
    if int(match[3]) > 23 or int(match[4]) > 59:
        raise InvalidSpec(f"every can't be {text!r}", f"{match[3]}:{match[4]} is no time of day", example)
    return Every(span, clock_time(int(match[3]), int(match[4])))


def next_after(every: Every, last: Time, first: bool = False) -> Time:
    """The next time after `last`, by the clock of this machine, which may leave out an hour or have one twice.

    Parameters
    ----------
    last : when it ran; `first`: it never did, and that is when it was asked for.
    """
    if every.at is None:
        return last + (0 if first else every.span)
    day = datetime.fromtimestamp(last).date()
    if first:
        today = _moment(day, every.at)
        return today if today > last else _moment(day + timedelta(days=1), every.at)
    if _moment(day, every.at) > last:  # it was late, and ran on the next day
        day -= timedelta(days=1)
    return _moment(day + timedelta(days=int(every.span // 86400)), every.at)


def _moment(day: date, at: clock_time) -> Time:
    return datetime.combine(day, at).timestamp()

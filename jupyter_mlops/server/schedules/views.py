"""Notebooks that run by themselves, as browsers show them."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable
from pathlib import Path

from ...core.base import Time
from ...core.cluster import Problem
from ...core.cron import next_time, zone_named
from ...core.errors import InvalidSpec
from ...core.schedule import HERE, Schedule, SchedulePhase, ScheduleView
from ...home.zone import clock_here
from .notebooks import Root


def id_of(schedule: Schedule) -> str:
    """What stands for it in routes: no path, and no name of a file. It stays while its place doesn't answer."""
    text = f"{schedule.place}\0{schedule.notebook}"
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:24]


class Views:
    """Makes them. When a line of cron comes next is looked for once each time: that takes a while.

    Parameters
    ----------
    root : where the notebooks are that can be opened.
    """

    def __init__(self, root: Root) -> None:
        self._root = root
        self._next: dict[tuple[str, str], Time | None] = {}

    def of(self, schedule: Schedule, now: Time, silence: Problem | None = None) -> ScheduleView:
        """One; `silence` is why its place doesn't tell how it went."""
        here = schedule.place == HERE
        known = schedule.model_dump(include=_TAKEN_OVER)
        return ScheduleView(
            **known,
            id=id_of(schedule),
            path=self._root.below(schedule.notebook),
            zone=clock_here() if here else schedule.zone,
            next=self._comes(schedule, now),
            phase="unknown" if silence is not None else _phase(schedule),
            problem=silence or schedule.problem,
        )

    def _comes(self, schedule: Schedule, now: Time) -> Time | None:
        """When it runs next; None where that is never, or isn't known."""
        with contextlib.suppress(InvalidSpec):  # another version wrote it
            if schedule.suspended:
                return None
            if schedule.place == HERE:
                return schedule.due()
            key = (schedule.line, schedule.zone)
            known = self._next.get(key)
            if known is None or known <= now:
                known = self._next[key] = next_time(schedule.line, zone_named(schedule.zone), now)
            return known
        return None


_TAKEN_OVER = set(ScheduleView.model_fields) & set(Schedule.model_fields) - {"zone", "problem"}


def _phase(schedule: Schedule) -> SchedulePhase:
    if schedule.began is not None and schedule.ended is None and schedule.code is None:
        return "running"
    if schedule.asked is not None:
        return "asked"
    if schedule.began is None:
        return "new"
    return "done" if schedule.code == 0 else "failed"


def by_name(views: Iterable[ScheduleView]) -> list[ScheduleView]:
    """Sorted by the names of their files."""
    return sorted(views, key=lambda view: (Path(view.notebook).name.lower(), view.notebook, view.place))

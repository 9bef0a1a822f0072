"""What this machine knows of a service that lives elsewhere, as of when somebody looked."""

from __future__ import annotations

from typing import Annotated

from .base import Label, Record, Time, first
from .callers import DAYS, UsageDay
from .cluster import Problem
from .formats import FORMAT


class ServiceSeen(Record):
    """What was seen of a service: of `version`, what there is to say where it is asked other things than that was made
    for (`drift`), or answers worse (`worse`).

    `copied` is until when the log of each pod was copied, and `tidied` when the copy was tidied last.
    """

    format: int = FORMAT
    name: Label
    version: int = 0
    drift: Problem | None = None
    worse: Problem | None = None
    copied: dict[str, Time] = {}
    tidied: Time = 0

    @property
    def alarm(self) -> Problem | None:
        """Both in one."""
        return worse_first(self.worse, self.drift)

    def note(self, version: int, **alarms: Problem | None) -> None:
        """Note what there is to say of a version: `drift`, or `worse`. What was seen of another says nothing of it."""
        if self.version != version:
            self.version, self.drift, self.worse = version, None, None
        for kind, alarm in alarms.items():
            setattr(self, kind, alarm)


class CallersSeen(Record):
    """What callers had asked of each of its pods, also of those that are gone, as of when somebody looked."""

    format: int = FORMAT
    pods: dict[str, Annotated[list[UsageDay], first(DAYS)]] = {}


def worse_first(worse: Problem | None, drift: Problem | None) -> Problem | None:
    """What there is to say of alarms: that it is worse before that it is asked other things."""
    if worse is None or drift is None:
        return worse or drift
    return worse.model_copy(update={"why": f"{worse.why}. {drift.what}"})

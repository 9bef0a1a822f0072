"""Who calls a service, and what they would lose if it stopped."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable
from typing import Annotated

from .base import Amount, Label, Record, Saying, Seconds, Time, first
from .formats import FORMAT
from .words import about, first_of

#: Days that are kept, and callers that are counted in one.
DAYS, MOST_COUNTED = 8, 1000

#: Seconds that are lately, and those of a day.
_LATELY: Seconds = 3600.0
DAY: Seconds = 86400.0

#: Callers that are named in a sentence, and versions that one may be answered by in a day.
_NAMED, MOST_VERSIONS = 5, 100


class CallerDay(Record):
    """What a service answered a caller in a day of UTC.

    `errors` are requests that the service failed, and `versions` are those that answered. `last` is when it was asked
    last: where a day has no requests, on an earlier one, and 0 where that is longer ago than days are kept.
    """

    caller: Label
    requests: Amount = 0
    rows: Amount = 0
    errors: Amount = 0
    versions: Annotated[list[int], first(MOST_VERSIONS)] = []
    last: Time = 0

    def plus(self, more: CallerDay) -> CallerDay:
        """Both together."""
        sums = {name: getattr(self, name) + getattr(more, name) for name in ("requests", "rows", "errors")}
        versions = sorted({*self.versions, *more.versions})
        return CallerDay(caller=self.caller, versions=versions, last=max(self.last, more.last), **sums)


class UsageDay(Record):
    """All callers of a day: "2026-11-28"."""

    format: int = FORMAT
    day: Label
    callers: Annotated[list[CallerDay], first(MOST_COUNTED)] = []


class ServiceCallers(Record):
    """The callers of a service, those that asked last first, and in words who would miss it."""

    callers: list[CallerDay] = []
    words: Saying = ""
    #: Whether its place tells what they asked.
    counted: bool = True


def day_of(at: Time) -> str:
    """The day of UTC that a time is in."""
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).date().isoformat()


def kept_days(now: Time) -> list[str]:
    """The days that are kept, today first."""
    return [day_of(now - number * DAY) for number in range(DAYS)]


def counted_together(several: Iterable[Iterable[UsageDay]]) -> list[UsageDay]:
    """Days as several counted them that each were asked a part."""
    found: dict[str, dict[str, CallerDay]] = {}
    for days in several:
        for day in days:
            callers = found.setdefault(day.day, {})
            for each in day.callers:
                callers[each.caller] = each.plus(callers[each.caller]) if each.caller in callers else each
    return [UsageDay(day=day, callers=list(callers.values())) for day, callers in found.items()]


def callers_now(names: Collection[str], days: Iterable[UsageDay], now: Time) -> list[CallerDay]:
    """What was counted today of those who may call, and when each called last; whoever did so last comes first."""
    today, found = day_of(now), {name: CallerDay(caller=name) for name in names}
    for day in days:
        for each in day.callers:
            known = found.get(each.caller)
            if known is not None:
                told = each if day.day == today else known
                found[each.caller] = told.model_copy(update={"last": max(known.last, each.last)})
    return sorted(found.values(), key=lambda each: (-each.last, each.caller))


def callers_words(callers: list[CallerDay] | None, now: Time) -> str:
    """Who would miss a service, in a sentence: "billing and web called it within the hour." Empty where nobody may call
    it.

    Parameters
    ----------
    callers : as `callers_now`; None where a place doesn't tell.
    """
    if callers is None:
        return "Who called it isn't known here."
    if not callers:
        return ""
    if lately := sorted(each.caller for each in callers if each.last > now - _LATELY):
        return f"{first_of(lately, _NAMED)} called it within the hour."
    last = max(callers, key=lambda each: each.last)
    if not last.last:
        return f"Nobody called it in the last {DAYS} days."
    return f"Nobody called it within the hour; {last.caller} did so last, {about(now - last.last)} ago."

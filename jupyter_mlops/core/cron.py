"""Lines of cron: how other programs, such as Kubernetes, are told when something is to begin."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from .base import Seconds, Time
from .errors import InvalidSpec
from .schedule import Every

_MINUTE, _HOUR, _DAY, _WEEK = 60, 3600, 86400, 7 * 86400

#: Spans that begin at the same times of each hour, day or week, which is all that a line can say.
_SAYABLE: dict[Seconds, str] = {
    **{_MINUTE * part: f"{part} min" for part in (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)},
    **{_HOUR * part: f"{part} h" for part in (1, 2, 3, 4, 6, 8, 12)},
    _DAY: "1 day",
    _WEEK: "1 week",
}

#: Minutes that are looked through for the next time: a week, and a day for clocks that are changed.
_AHEAD = 8 * 24 * 60


def cron_line(every: Every, now: datetime, spread: int = 0) -> str:
    """The line that says `every`: minutes, hours, days of the month, months, days of the week.

    Parameters
    ----------
    now : when it is asked for, by the clock that is meant.
    spread : any number. Spans of minutes and hours have no minute of their own: those of other numbers begin at other
        ones, so that not all that is due every hour begins at its first minute.

    Raises
    ------
    InvalidSpec : no line can say it; names spans that can be said.
    """
    span = every.span
    if span not in _SAYABLE:
        raise _not_sayable(span)
    if span >= _DAY:
        first = _first(every, now)
        weekday = str(first.isoweekday() % 7) if span == _WEEK else "*"
        return f"{first.minute} {first.hour} * * {weekday}"
    if span < _HOUR:
        return f"{_each(spread, int(span // _MINUTE), 60)} * * * *"
    return f"{spread % 60} {_each(now.hour, int(span // _HOUR), 24)} * * *"


def next_time(line: str, zone: tzinfo, after: Time) -> Time | None:
    """When what has this line begins next after a time; None where it doesn't in the next week.

    Parameters
    ----------
    line : as `cron_line` makes them.
    zone : whose clock is meant. What it leaves out once is skipped, and what it has twice comes twice.

    Raises
    ------
    InvalidSpec : it is another kind of line.
    """
    fields = _fields(line)
    begin = int(after // _MINUTE + 1) * _MINUTE
    for when in range(begin, begin + _AHEAD * _MINUTE, _MINUTE):
        at = datetime.fromtimestamp(when, zone)
        now = (at.minute, at.hour, at.day, at.month, at.isoweekday() % 7)
        if all(numbers is None or number in numbers for numbers, number in zip(fields, now, strict=True)):
            return float(when)
    return None


def zone_named(name: str) -> ZoneInfo:
    """The time zone of that name, such as "Europe/Berlin".

    Raises
    ------
    InvalidSpec : there is none.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # it isn't there; it can be no name; it is a folder of names
        raise InvalidSpec(
            f"There is no time zone {name!r:.80}", "", "Name one like 'Europe/Berlin' or 'UTC'."
        ) from None


def _first(every: Every, now: datetime) -> datetime:
    """When a span of whole days begins first: at its time of day, or at this one."""
    if every.at is None:
        return now
    today = now.replace(hour=every.at.hour, minute=every.at.minute, second=0, microsecond=0)
    return today if today > now else today + timedelta(days=1)


def _each(start: int, step: int, most: int) -> str:
    return "*" if step == 1 else ",".join(map(str, range(start % step, most, step)))


def _not_sayable(span: Seconds) -> InvalidSpec:
    below = [text for each, text in _SAYABLE.items() if each < span]
    above = [text for each, text in _SAYABLE.items() if each > span]
    could = [repr(text) for text in (*below[-1:], *above[:1])]
    return InvalidSpec(
        "That can't be scheduled there",
        "it begins at the same times of each hour, day or week there, and such a span doesn't",
        f"Say {' or '.join(could)}, or schedule it on this machine, where each span will do.",
    )


def _fields(line: str) -> list[frozenset[int] | None]:
    """The numbers of each of the five fields; None for any."""
    found: list[frozenset[int] | None] = []
    with contextlib.suppress(ValueError):
        found = [None if field == "*" else frozenset(map(int, field.split(","))) for field in line.split()]
    if len(found) != 5:
        raise InvalidSpec(f"{line!r:.80} can't be read", "it isn't as we write them", "")
    return found

"""Spans as lines of cron."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.core.cron import cron_line, next_time, zone_named
from jupyter_mlops.core.errors import InvalidSpec
from jupyter_mlops.core.schedule import parse_every

UTC, BERLIN = zone_named("UTC"), zone_named("Europe/Berlin")
NOW = datetime(2026, 11, 27, 14, 5, tzinfo=BERLIN)  # a Friday

SHORT = [*(f"{n} min" for n in (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)), *(f"{n} h" for n in (1, 2, 3, 4, 6, 8, 12))]


@pytest.mark.parametrize(
    ("every", "line"),
    [
        ("1 day at 02:00", "0 2 * * *"),
        ("1 week at 18:30", "30 18 * * 5"),
        ("1 week at 08:00", "0 8 * * 6"),
        ("7 days at 08:00", "0 8 * * 6"),
        ("day", "5 14 * * *"),
        ("24 h", "5 14 * * *"),
        ("1 min", "* * * * *"),
        ("15 min", "7,22,37,52 * * * *"),
        ("30 min", "7,37 * * * *"),
        ("60 min", "7 * * * *"),
        ("2 h", "7 0,2,4,6,8,10,12,14,16,18,20,22 * * *"),
    ],
)
def test_a_line_says_what_is_written(every: str, line: str) -> None:
    assert cron_line(parse_every(every), NOW, spread=67) == line


@pytest.mark.parametrize(
    ("every", "could"),
    [
        ("90 min", "'1 h' or '2 h'"),
        ("7 min", "'6 min' or '10 min'"),
        ("5 h", "'4 h' or '6 h'"),
        ("36 h", "'1 day' or '1 week'"),
        ("2 days at 02:00", "'1 day' or '1 week'"),
        ("2 weeks", "'1 week'"),
    ],
)
def test_what_no_line_can_say_names_what_would_do(every: str, could: str) -> None:
    with pytest.raises(InvalidSpec, match=f"Say {could}, or schedule it on this machine"):
        cron_line(parse_every(every), NOW)


@given(
    every=st.sampled_from(SHORT),
    spread=st.integers(0, 10**9),
    begin=st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1)),
)
def test_short_spans_are_as_long_as_they_say(every: str, spread: int, begin: datetime) -> None:
    """Whatever the minute that they begin at, which is soon."""
    span, now = parse_every(every).span, begin.replace(tzinfo=UTC).timestamp()
    line = cron_line(parse_every(every), begin.replace(tzinfo=UTC), spread)
    first = next_time(line, UTC, now)
    assert first is not None and now < first <= now + span
    for _ in range(30):
        following = next_time(line, UTC, first)
        assert following == first + span
        first = following


@given(
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    weekly=st.booleans(),
    begin=st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1)),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_days_and_weeks_are_at_their_time_by_the_clock_that_is_meant(
    hour: int, minute: int, weekly: bool, begin: datetime, zone: str
) -> None:
    clock = zone_named(zone)
    every = parse_every(f"1 {'week' if weekly else 'day'} at {hour:02}:{minute:02}")
    now = begin.replace(tzinfo=clock)
    line = cron_line(every, now)
    first = next_time(line, clock, now.timestamp())
    assert first is not None
    for number in range(3):
        at = datetime.fromtimestamp(first, clock)
        assert (at.hour, at.minute) == (hour, minute)
        following = next_time(line, clock, first)
        if following is None:  # of a week, the one night that lacks the hour
            break
        days = round((following - first) / 86400)
        assert days % 7 == 0 if weekly else days in (0, 1, 2), (number, days)
        first = following


def test_the_night_that_lacks_an_hour_is_left_out_and_one_that_has_it_twice_has_two() -> None:
    def nights(begin: datetime) -> list[str]:
        found, when = [], begin.replace(tzinfo=BERLIN).timestamp()
        for _ in range(3):
            following = next_time("30 2 * * *", BERLIN, when)
            assert following is not None
            found.append(datetime.fromtimestamp(following, BERLIN).strftime("%d. %H:%M %Z"))
            when = following
        return found

    assert nights(datetime(2026, 3, 27, 12)) == ["28. 02:30 CET", "30. 02:30 CEST", "31. 02:30 CEST"]
    assert nights(datetime(2026, 10, 24, 12)) == ["25. 02:30 CEST", "25. 02:30 CET", "26. 02:30 CET"]


@pytest.mark.parametrize("name", ["", "Nowhere", "../etc/passwd", "Europe", "a\0b"])
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(InvalidSpec, match="There is no time zone"):
        zone_named(name)


@pytest.mark.parametrize("line", ["", "@daily", "*/5 * * * *", "1 2 3"])
def test_other_lines_say_so(line: str) -> None:
    with pytest.raises(InvalidSpec, match="can't be read"):
        next_time(line, UTC, NOW.timestamp() + timedelta(days=1).total_seconds())

"""When a pipeline runs by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from jupyter_mlops.core.errors import InvalidSpec
from jupyter_mlops.core.schedule import Schedule, next_after, parse_every


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A clock that leaves out an hour in March and has one twice in October."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def _at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _runs(every: str, created: str, *ran: str) -> list[str]:
    """When it is due, first and after each time that it ran."""
    told = parse_every(every)
    found = [next_after(told, _at(created), first=True), *(next_after(told, _at(each)) for each in ran)]
    return [datetime.fromtimestamp(each).isoformat(timespec="minutes") for each in found]


def test_spans_count_from_the_last_run_and_begin_at_once() -> None:
    assert _runs("15 min", "2026-11-27T10:00", "2026-11-27T10:01") == ["2026-11-27T10:00", "2026-11-27T10:16"]
    assert _runs("every 2 hours", "2026-11-27T10:00") == ["2026-11-27T10:00"]
    assert parse_every("day") == parse_every("1 d") == (86400, None) and parse_every("2w").span == 14 * 86400


def test_a_time_of_day_is_that_of_the_clock_here() -> None:
    every = "1 day at 02:00"
    assert _runs(every, "2026-11-27T01:00", "2026-11-27T02:00", "2026-11-28T02:00") == [
        "2026-11-27T02:00",
        "2026-11-28T02:00",
        "2026-11-29T02:00",
    ]
    assert _runs(every, "2026-11-27T03:00") == ["2026-11-28T02:00"]
    # the night in which there is no 02:30, and the one that has it twice: once each
    assert _runs("1 day at 02:30", "2026-03-28T12:00", "2026-03-29T03:30", "2026-03-30T02:30")[0:3] == [
        "2026-03-29T03:30",
        "2026-03-30T02:30",
        "2026-03-31T02:30",
    ]
    assert _runs("1 day at 02:30", "2026-10-24T12:00", "2026-10-25T02:30") == ["2026-10-25T02:30", "2026-10-26T02:30"]


def test_what_was_missed_counts_once() -> None:
    """The machine slept for three nights, and woke at nine."""
    assert _runs("1 day at 02:00", "2026-11-20T12:00", "2026-11-24T09:00")[1] == "2026-11-25T02:00"
    assert _runs("1 week at 02:00", "2026-11-20T12:00", "2026-11-24T01:00")[1] == "2026-11-30T02:00"
    slept = Schedule(
        notebook="a", every="1 day at 02:00", created=_at("2026-11-20T12:00"), began=_at("2026-11-21T02:00")
    )
    woken = _at("2026-11-24T09:00")
    assert slept.due() < woken and slept.model_copy(update={"began": woken}).due() > woken


@pytest.mark.parametrize(
    "text",
    ["", "soon", "0 min", "5", "1 h at 02:00", "1 day at 24:00", "1 day at 2", "1 day at 02:60", 5, None, "-1 h"],
)
def test_what_is_no_span_says_how_to_write_it(text: object) -> None:
    with pytest.raises(InvalidSpec, match=r"every can't be .* Write it like '15 min'"):
        parse_every(text)

"""Who calls a service, from what was counted in days."""

from __future__ import annotations

import pytest

from jupyter_mlops.core.callers import DAY, DAYS, CallerDay, UsageDay, callers_now, callers_words, day_of, kept_days

NOON = 1_700_000_000.0 // DAY * DAY + DAY / 2


def day(at: float, *callers: CallerDay) -> UsageDay:
    return UsageDay(day=day_of(at), callers=list(callers))


def test_today_s_counts_and_the_last_time_of_any_day() -> None:
    web = CallerDay(caller="web", requests=3, rows=9, errors=1, versions=[1, 2], last=NOON - 60)
    billing = CallerDay(caller="billing", requests=70, rows=70, versions=[1], last=NOON - DAY)
    gone = CallerDay(caller="gone", requests=1, last=NOON)
    days = [day(NOON, web, gone), day(NOON - DAY, billing, web.model_copy(update={"last": NOON - DAY, "requests": 5}))]
    found = callers_now(["billing", "idle", "web"], days, NOON)
    assert found == [web, CallerDay(caller="billing", last=NOON - DAY), CallerDay(caller="idle")]
    assert callers_now(["billing", "idle", "web"], days[::-1], NOON) == found


def test_days_are_those_of_utc() -> None:
    assert day_of(0) == "1970-01-01" and day_of(DAY - 0.001) == "1970-01-01" and day_of(DAY) == "1970-01-02"
    kept = kept_days(NOON)
    assert len(set(kept)) == DAYS and kept[0] == day_of(NOON) and kept == sorted(kept, reverse=True)


@pytest.mark.parametrize(
    ("ages", "words"),
    [
        (None, "Who called it isn't known here."),
        ({}, ""),
        ({"web": None}, "Nobody called it in the last 8 days."),
        ({"web": 60, "old": 3601}, "web called it within the hour."),
        ({"web": 60, "billing": 3599}, "billing and web called it within the hour."),
        (dict.fromkeys("abcdefg", 1), "a, b, c, d, e and 2 more called it within the hour."),
        ({"web": 3 * 3600, "billing": 2 * DAY}, "Nobody called it within the hour; web did so last, 3 h ago."),
    ],
)
def test_who_would_miss_it(ages: dict[str, float | None] | None, words: str) -> None:
    assert callers_words(ages if ages is None else [of(*each) for each in ages.items()], NOON) == words


def of(name: str, age: float | None) -> CallerDay:
    return CallerDay(caller=name, last=0 if age is None else NOON - age)

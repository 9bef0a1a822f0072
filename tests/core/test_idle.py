"""Workers that do nothing are named in five minutes, and no other is."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_mlops.core.idle import HANGS, INTERVAL, UNHEARD, WINDOW, IdleWatch, Look, WorkerUse, use_of

IDLE = Look(heard=1, busy=None)


@pytest.mark.parametrize(
    ("look", "use"),
    [
        (IDLE, "idle"),
        (IDLE._replace(holds=True), "waiting"),
        (IDLE._replace(waits=True), "starved"),
        (IDLE._replace(waits=True, holds=True), "starved"),
        (IDLE._replace(heard=UNHEARD + 1), "unknown"),
        (IDLE._replace(heard=-5), "unknown"),
        (Look(heard=1, busy=HANGS + 1, moved=0.0), "stuck"),
        (Look(heard=1, busy=HANGS + 1, moved=None), "busy"),
        (Look(heard=1, busy=HANGS + 1, moved=1e6), "busy"),
        (Look(heard=1, busy=HANGS + 1, moved=0.0, cpu=0.5), "busy"),
        (Look(heard=1, busy=HANGS - 1, moved=0.0), "busy"),
    ],
)
def test_what_a_worker_does(look: Look, use: WorkerUse) -> None:
    assert use_of(look) == use


def test_it_is_named_within_five_minutes_and_may_go_within_ten() -> None:
    watch, now = IdleWatch(), 1e9
    named = sure = None
    while sure is None:
        watch.see(now, {"a": "idle"})
        verdict = watch.verdict("a")
        if verdict is not None:
            named = named or now
            sure = now if verdict.sure else None
        now += INTERVAL + 0.5  # as late as the controller comes at most
    assert named is not None
    assert WINDOW * 0.9 <= named - 1e9 + INTERVAL <= WINDOW
    assert named - 1e9 < sure - 1e9 <= 2 * WINDOW
    assert verdict is not None and verdict.since == 1e9, "it has been idle from the first look on"
    watch.see(now, {"a": "busy"})
    assert watch.verdict("a") is None, "who has work now is not idle, whatever it was"


@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
def test_what_was_seen_before_a_jump_of_the_clock_says_nothing(jump: float) -> None:
    watch, now = IdleWatch(), 1e6
    for _ in range(40):
        watch.see(now, {"a": "idle"})
        now += INTERVAL
    assert watch.verdict("a") is not None
    watch.see(now + jump, {"a": "idle"})
    assert watch.verdict("a") is None


#: Steps of the clock from one look to the next: as it should be, none, back, far ahead.
STEPS = st.sampled_from([INTERVAL, INTERVAL, INTERVAL + 3, 0.0, 1.0, -3600.0, 3600.0])
USES: Any = st.sampled_from(["idle", "idle", "idle", "busy", "unknown", "waiting", "stuck", "starved"])


@settings(max_examples=200)
@given(st.lists(st.tuples(STEPS, USES), max_size=120))
def test_no_clock_and_no_silence_makes_it_idle(looks: list[tuple[float, WorkerUse]]) -> None:
    watch, now, last = IdleWatch(), 1e6, 1e6
    taken: list[tuple[float, WorkerUse]] = []
    for step, use in looks:
        now += step
        if taken and 0 <= now - last < INTERVAL:
            assert not watch.due(now)
        else:
            taken = taken if taken and 0 <= now - last <= 2 * INTERVAL else []
            taken.append((now, use))
            last = now
        watch.see(now, {"a": use})
        verdict = watch.verdict("a")
        if verdict is None:
            continue
        known = [each for at, each in taken if at > last - WINDOW]
        assert taken[-1][1] == verdict.use
        assert known.count(verdict.use) >= 0.9 * len(known), "nearly all that was seen says so"
        assert last - taken[0][0] >= 0.9 * WINDOW, "for as long as a window, by a clock that went on evenly"
        assert verdict.since >= taken[0][0]
        if verdict.sure:
            assert last - taken[0][0] >= 1.8 * WINDOW


def test_a_day_in_a_notebook_names_nobody_who_works_every_few_minutes() -> None:
    """Cells come in bursts, with pauses to think; lunch is long."""
    draw, watch, now, pause = random.Random(13), IdleWatch(), 0.0, 0.0
    wrong = named_at_lunch = 0
    for cell in range(150):
        lunch = cell == 75
        pause = 3600.0 if lunch else draw.uniform(0, 200)
        work = draw.uniform(15, 300)
        for length, use in ((pause, "idle"), (work, "busy")):
            end = now + length
            while now < end:
                watch.see(now, {"a": use})  # type: ignore[dict-item]  # one of two literals
                verdict = watch.verdict("a")
                if verdict is not None and verdict.use == "idle":
                    named_at_lunch += lunch
                    wrong += not lunch
                now += INTERVAL
    assert not wrong
    assert named_at_lunch >= (3600 - WINDOW) / INTERVAL - 1

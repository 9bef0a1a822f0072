"""When a gang hangs, which rank it waits for, and when it will be done."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.core.steps import (
    SILENCE,
    WARM,
    RankState,
    RankSteps,
    lags,
    silent_for,
    time_to_finish,
    waits_of,
    who_hangs,
)

STEPS = st.builds(
    RankSteps,
    step=st.one_of(st.none(), st.integers(0, 1000)),
    total=st.one_of(st.none(), st.integers(1, 1000)),
    age=st.floats(0, 1000),
    count=st.integers(0, 1000),
    usual=st.floats(0, 30),
    longest=st.floats(0, 300),
    pace=st.floats(0, 30),
    saving=st.booleans(),
    watched=st.booleans(),
)


@pytest.mark.parametrize(
    ("busy", "loaders", "words"),
    [
        ([1.0, 0.9], 0, ""),
        ([0.7, 3.5, 0.1], 0, ""),
        ([None, 0.1], 0, ""),
        ([0.3, 0.2], 0, "its ranks compute 25 % of the time: else they wait for each other, for files"),
        ([0.3], 0, "its ranks compute 30 % of the time: else they wait for files"),
        ([0.3, 0.2], 1.5, "while processes that they have started are busy: they wait for their data"),
        ([0.2, 1.0, 0.2], 0, "rank 1 computes while the others wait: together they compute 47 % of the time"),
        ([], 0, ""),
    ],
)
def test_what_ranks_wait_for_is_told_where_their_cpus_tell_it(
    busy: list[float | None], loaders: float, words: str
) -> None:
    ranks = [
        RankState(rank=rank, phase="running", step=3, busy=each, loaders=loaders) for rank, each in enumerate(busy)
    ]
    assert words in waits_of(ranks) and bool(words) == bool(waits_of(ranks))


def at(step: int, **changed: object) -> RankSteps:
    """A rank that has made no step for long."""
    return RankSteps.model_validate({"step": step, "age": 70, "count": 40, "usual": 0.1, "watched": True, **changed})


@pytest.mark.parametrize(
    ("changed", "hang", "silent"),
    [
        ({}, None, 70),
        ({"age": 59}, None, None),
        ({"usual": 8}, None, None),
        ({"longest": 30}, None, None),
        ({"count": WARM}, None, None),
        ({"saving": True}, None, None),
        ({"total": 9}, None, None),
        ({"watched": False}, None, None),
        ({"watched": False}, 30, 70),
        ({"longest": 30}, 30, 70),
        ({}, 80, None),
        ({}, 0, None),
    ],
)
def test_it_hangs_when_no_rank_gets_on(changed: dict[str, object], hang: float | None, silent: float | None) -> None:
    assert silent_for([at(8, **changed), at(7, **changed), at(7, **{**changed, "age": 99})], hang) == silent


@given(st.lists(STEPS, max_size=8), st.one_of(st.none(), st.floats(0, 100)))
def test_one_rank_that_gets_on_is_enough(steps: list[RankSteps], hang: float | None) -> None:
    silent = silent_for(steps, hang)
    assert silent is None or silent > (SILENCE if hang is None else hang)
    assert silent_for([*steps, at(3, age=0)], hang) is None


def test_the_rank_that_is_stopped_or_behind_is_the_cause_and_nobody_where_that_is_not_known() -> None:
    words = "no rank has made a step for 1 min 10 s"
    assert who_hangs({0: at(8), 1: at(7)}, [], 70) == (1, f"{words}: rank 1 is at step 7, the foremost at step 8")
    assert who_hangs({0: at(8), 1: at(7)}, [0], 70) == (0, f"{words}: the process of rank 0 is stopped")
    assert who_hangs({0: at(8), 1: at(8)}, [], 70) == (None, f"{words}, and all that tell theirs are at step 8")
    assert who_hangs({0: at(8), 1: at(7), 2: at(7)}, [], 70)[0] is None


def test_a_rank_that_told_earlier_is_not_behind_by_what_the_others_made_since() -> None:
    steps = {0: at(100, pace=0.1), 1: at(91, pace=0.1), 2: at(60, pace=0.1), 3: RankSteps()}
    assert lags(steps, {0: 50.0, 1: 49.1, 2: 50.0, 3: 50.0}) == {0: 0, 1: 0, 2: 40}
    assert lags({0: at(7), 1: at(5)}, {0: 9.0, 1: 1.0}) == {0: 0, 1: 2}, "nobody knows how fast it is"
    assert lags({}, {}) == {}


def test_it_is_done_when_its_slowest_rank_is() -> None:
    fast, slow = at(19, total=100, count=20, pace=0.5), at(9, total=100, count=20, pace=1)
    assert time_to_finish([fast, slow, at(3)]) == 90
    assert time_to_finish([fast, at(0, total=100, count=9, pace=1)]) is None, "of a rank nobody can say"
    assert time_to_finish([at(1, total=10, count=9, pace=3)]) == 24, "a fifth is telling, though steps are few"
    assert time_to_finish([]) is time_to_finish([at(5)]) is None

"""What a sweep draws, and which trials it lets go on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.core.asha import Asha
from jupyter_mlops.core.errors import InvalidSpec
from jupyter_mlops.core.space import Space, log, uniform, whole

SPACE = Space(
    {"lr": log(1e-5, 1e-1), "share": uniform(-1, 1), "layers": whole(1, 8), "act": ["relu", "gelu"], "seed": 3}
)


@given(st.integers(0, 2**31), st.integers(0, 10_000))
def test_a_trial_s_settings_lie_in_the_space_and_depend_on_its_number_alone(seed: int, number: int) -> None:
    drawn = SPACE.random(seed, number)
    assert drawn == SPACE.random(seed, number)
    assert 1e-5 <= drawn["lr"] <= 1e-1 and -1 <= drawn["share"] <= 1 and drawn["layers"] in range(1, 9)
    assert drawn["act"] in ("relu", "gelu") and drawn["seed"] == 3 and list(drawn) == list(SPACE.dimensions)


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4))
def test_a_grid_has_everything_once(a: int, b: int, c: int) -> None:
    space = Space({"a": range(a), "b": whole(1, b), "c": [str(each) for each in range(c)]})
    assert space.size == a * b * c
    assert len({tuple(space.grid(number).items()) for number in range(space.size)}) == space.size


def test_what_can_t_be_drawn_is_refused() -> None:
    with pytest.raises(InvalidSpec, match="grid has no end: 'lr' may be any number"):
        SPACE.grid(0)
    with pytest.raises(InvalidSpec, match="powers can't begin at 0"):
        log(0, 1)
    with pytest.raises(InvalidSpec, match="no range from 2 to 1"):
        whole(2, 1)
    with pytest.raises(InvalidSpec, match="nothing to choose from"):
        Space({"a": []})
    with pytest.raises(InvalidSpec, match="needs a dict"):
        Space({})


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40), st.sampled_from([1, 3, 9]))
def test_the_best_so_far_goes_on_and_few_do_who_are_among_the_worst(values: list[float], rung: int) -> None:
    asha = Asha("max")
    for trial, value in enumerate(values):
        before = values[:trial]
        pruned = asha.prunes(trial, rung, value)
        if all(value >= other for other in before) or trial < 2:
            assert not pruned
        elif sum(other > value for other in before) > len(before) * 2 / 3:
            assert pruned
        assert not asha.prunes(trial, rung, value)  # it began again, and is not asked twice


def test_between_rungs_nobody_ends_and_small_is_good_where_that_is_the_goal() -> None:
    asha = Asha("min")
    assert [asha.prunes(trial, 1, value) for trial, value in enumerate([1.0, 2.0, 3.0, float("nan"), 0.5])] == [
        False,
        False,
        True,
        True,
        False,
    ]
    assert not asha.prunes(1, 2, 1e9)

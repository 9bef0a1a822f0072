"""What is expected of answers that are to differ: by simulation, and what is true of any counts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_mlops.core.candidate import Comparison
from jupyter_mlops.core.compared import ALPHA
from jupyter_mlops.core.distributed import APART, compared_answers, is_foretold
from jupyter_mlops.core.expected import GROUPS, Expected, ends_of, summed
from jupyter_mlops.core.window import FeatureCounts

Array = np.ndarray[Any, Any]

#: Of one comparison of an experiment, as `comparisons` gives it.
PART = ALPHA / 5 * 6 / math.pi**2

#: Requests after which one looks.
LOOKS = (10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120)


def counts(numbers: Array, single: bool = False) -> FeatureCounts:
    return FeatureCounts(name="s", counts=numbers.tolist(), low=0, high=0 if single else 1)


def held_out(asked: Array, table: Array, rows: int, rng: np.random.Generator) -> Expected:
    """Rows to which the stable version gave such shares of answers, and the candidate those of the table's lines."""
    size = len(asked)
    one = rng.choice(size, rows, p=asked)
    other = np.array([rng.choice(size, p=table[each]) for each in one])
    return Expected.of((one + 1).tolist(), (other + 1).tolist(), other.tolist(), size + 3)


def tried(
    asked: Array, answers: Array, expected: Expected | None, share: float, rng: np.random.Generator
) -> Comparison:
    """What becomes of a candidate that answers so where the stable version answers as `asked`."""
    one, other, before = np.zeros(len(asked), int), np.zeros(len(asked), int), 0
    for requests in LOOKS:
        candidates = rng.binomial(requests - before, share)
        one += rng.multinomial(requests - before - candidates, asked)
        other += rng.multinomial(candidates, answers)
        before = requests
        single = max(other) == sum(other)
        told = compared_answers(counts(one), counts(other, single), PART, requests, expected)
        if told.state == "worse":
            break
    return told


def random_world(rng: np.random.Generator) -> tuple[Array, Array]:
    """What a bad version answers, and what a good one answers where it does."""
    size = int(rng.choice([2, 3, 5, 12]))
    asked = rng.dirichlet(np.full(size, 2.0))
    likes = rng.dirichlet(np.full(size, 0.3))
    table = np.array([0.7 * likes + 0.3 * rng.dirichlet(np.full(size, 0.5)) for _ in range(size)])
    return asked, table / table.sum(axis=1, keepdims=True)


def test_answers_that_differ_as_held_out_rows_said_are_taken_back_in_less_than_5_of_100() -> None:
    rng, far, blind, wrong, many = np.random.default_rng(7), 0, 0, 0, 150
    for _ in range(many):
        asked, table = random_world(rng)
        share, rows = float(rng.choice([0.05, 0.5])), int(rng.choice([100, 400, 3000]))
        now = 0.7 * asked + 0.3 * rng.dirichlet(np.ones(len(asked)))  # what is asked has drifted since
        told = tried(now, now @ table, held_out(asked, table, rows, rng), share, rng)
        wrong += told.state == "worse"
        far += is_foretold(told)
        blind += tried(now, now @ table, None, share, rng).state == "worse"
    assert wrong <= ALPHA * many
    assert far > many / 5 and blind > many / 5, "these are others, and would be taken back"


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_one_that_is_broken_goes_back_though_a_difference_was_expected(share: float) -> None:
    rng, many = np.random.default_rng(8), 30
    asked, good = np.array([0.6, 0.25, 0.1, 0.05]), np.array([0.05, 0.1, 0.25, 0.6])
    expected = held_out(asked, np.array([good] * 4), 400, rng)
    assert all(tried(asked, good, expected, share, rng).state != "worse" for _ in range(many))
    for broken in ([0.25, 0.7, 0.05, 0.0], [0.0, 0.95, 0.05, 0.0]):
        found = [tried(asked, np.array(broken), expected, share, rng) for _ in range(many)]
        assert {each.state for each in found} == {"worse"}
        words = [each.words for each in found if each.name == "answers"]
        assert "they are others: PSI " in words[0] and " from what its held-out rows said" in words[0]
    for at in range(4):  # a collapsed one goes soon
        collapsed = [tried(asked, np.eye(4)[at], expected, share, rng) for _ in range(many)]
        assert {each.state for each in collapsed} == {"worse"}


def test_the_answer_that_is_expected_most_often_may_be_given_many_times() -> None:
    half, mostly = np.array([0.5, 0.5]), np.array([0.98, 0.02])
    expected = held_out(half, np.array([mostly] * 2), 1000, np.random.default_rng(9))

    def after(number: int, at: int = 0) -> Comparison:
        return compared_answers(
            counts(np.array([500, 500])), counts(np.eye(2, dtype=int)[at] * number, True), PART, 10, expected
        )

    assert after(30).name == "answers" and after(30).state != "worse", "by chance, in half of all cases"
    assert after(2000).name == "constant" and after(30, 1).state == "worse"
    blind = compared_answers(counts(np.array([500, 500])), counts(np.array([30, 0]), True), PART, 10, None)
    assert blind.name == "constant"
    always = held_out(half, np.array([[1.0, 0.0]] * 2), 1000, np.random.default_rng(9))
    told = compared_answers(counts(np.array([500, 500])), counts(np.array([5000, 0]), True), PART, 10, always)
    assert is_foretold(told), "held-out rows got no other answer either"


def test_where_held_out_rows_tell_nothing_answers_are_to_be_alike() -> None:
    half, other = np.array([0.5, 0.5]), np.array([0.02, 0.98])
    few = held_out(half, np.array([other] * 2), 20, np.random.default_rng(1))
    strange = held_out(np.array([0.0, 1.0]), np.array([other] * 2), 1000, np.random.default_rng(1))
    damaged = Expected(ends=[1, 3, 5], rows=[[1, 2], [3]], most=[1])
    for expected in (few, strange, damaged, Expected(), None):
        told = compared_answers(counts(np.array([500, 500])), counts(np.array([20, 980])), PART, 10, expected)
        assert (told.state, "held-out" in told.words) == ("worse", False)
    like = held_out(half, np.array([other] * 2), 1000, np.random.default_rng(1))
    told = compared_answers(counts(np.array([500, 500])), counts(np.array([480, 520])), PART, 10, like)
    assert (told.state, told.words) == ("same", "PSI 0.00"), "as before isn't harm"


def test_what_is_rare_among_held_out_rows_is_not_taken_for_its_neighbour() -> None:
    """Nothing was held out that got an answer below, or the first one: they are a group of their own."""
    half, most = np.array([0.0, 0.5, 0.5]), np.array([0.0, 0.9, 0.1])
    expected = held_out(half, np.array([most] * 3), 1000, np.random.default_rng(2))
    for at in range(3):
        wild = FeatureCounts(name="s", counts=[0, 0, 0], low=-1, high=0, **{["below", "above", "other"][at]: 1000})
        told = compared_answers(counts(np.array([0, 500, 500])), wild, PART, 10, expected)
        assert (told.name, told.state) == ("answers", "worse")


@settings(max_examples=100)
@given(
    weights=st.lists(st.integers(0, 100), min_size=1, max_size=60),
    parts=st.integers(1, 12),
    alone=st.booleans(),
)
def test_groups_have_every_weight_once(weights: list[int], parts: int, alone: bool) -> None:
    ends = ends_of(weights, parts, alone=alone)
    assert ends == sorted(set(ends)) and ends[-1] == len(weights)
    assert sum(summed(weights, ends)) == sum(weights)
    if sum(weights):
        assert len(ends) <= (2 * parts + 1 if alone else parts + 1)
        least, begins = sum(weights) / parts, [0, *ends[:-1]]
        heavy = [at for at, weight in enumerate(weights) if weight >= least]
        assert not alone or all(at in begins and at + 1 in ends for at in heavy)


@settings(max_examples=60)
@given(
    pairs=st.lists(st.tuples(st.integers(0, 22), st.integers(0, 22)), min_size=1, max_size=300),
    live=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), min_size=20, max_size=20),
)
def test_whatever_was_held_out_something_is_said(pairs: list[tuple[int, int]], live: list[tuple[int, int]]) -> None:
    one, other = zip(*pairs, strict=True)
    expected = Expected.of(one, other, other, 23)
    assert len(expected.ends) <= 2 * GROUPS + 1 and sum(map(sum, expected.rows)) == len(pairs)
    assert len(expected.model_dump_json()) < 6000
    arms = [counts(np.array([each[at] for each in live])) for at in (0, 1)]
    told = compared_answers(arms[0], arms[1], PART, 100, expected)
    assert told.state in ("worse", "same", "undecided", "no data")
    foretold = expected.beside(arms[0])
    if foretold is not None:
        assert sum(foretold.shares) == pytest.approx(1) and min(foretold.shares) >= 0
        assert told.candidate is None or told.candidate < APART or told.state != "same" or "held-out" in told.words

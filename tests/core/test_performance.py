"""How good a version is: its metric with an interval, and an alarm where it is worse, and only there."""

from __future__ import annotations

import math

import numpy as np
import pytest

from jupyter_mlops.core.model import Measured
from jupyter_mlops.core.performance import (
    BLIND_SPOT,
    DAY,
    HOUR,
    Performance,
    Tally,
    blocks,
    performance_of,
    performance_words,
    period_of,
    worse_alarm,
)

Random = np.random.Generator

BEFORE = Measured(value=0.9, low=0.88, high=0.92, rows=1000)


def tally(at: int, rows: int, scores: np.ndarray, expected: float = 0.0) -> Tally:
    """A day, with so many rows, and the scores of those that have labels."""
    return Tally(
        since=at * DAY,
        until=(at + 1) * DAY,
        rows=rows,
        labelled=len(scores),
        total=float(scores.sum()),
        squares=float((scores**2).sum()),
        expecting=rows if expected else 0,
        expected=expected * rows,
    )


def right(random: Random, days: int, share: float, rows: int = 60) -> list[Tally]:
    return [tally(at, rows, random.binomial(1, share, rows).astype(float)) for at in range(days)]


def told(tallies: list[Tally], before: Measured | None = BEFORE, unsure: str = "") -> Performance:
    return performance_of(tallies, "classification", before, unsure, "churn@1")


def alarmed(tallies: list[Tally]) -> bool:
    return worse_alarm("churn", told(tallies)) is not None


def test_accuracy_and_its_interval_are_of_the_rows_that_have_labels() -> None:
    made = told([tally(0, 1000, np.repeat([1.0, 0.0], [81, 19]), 0.83), tally(1, 500, np.zeros(0), 0.7)])
    first, second = made.periods
    assert first.value == 0.81 and (first.low, first.high) == pytest.approx((0.7222, 0.8749), abs=1e-4)  # Wilson
    assert first.estimate == pytest.approx(0.83) and second.value is None and second.estimate == pytest.approx(0.7)
    assert made.whole is not None and (made.whole.rows, made.whole.labelled) == (1500, 100)
    assert made.blind_spot == BLIND_SPOT and "concept" not in made.words
    assert performance_words(made) == (
        "accuracy 0.81 (0.72 to 0.87), on the 7 % of 1,500 logged rows that have labels; 0.90 when it was saved"
    )


def test_the_error_of_numbers_has_an_interval_that_holds_the_true_one() -> None:
    random = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        made = performance_of([tally(0, 200, random.normal(0, 3, 200) ** 2)], "regression", None, "a number", "m@1")
        assert made.whole is not None and made.whole.low is not None and made.whole.high is not None
        held += made.whole.low <= 3 <= made.whole.high
    assert held >= 180 and made.metric == "rmse" and made.blind_spot == ""
    assert "can't be estimated: a number" in performance_words(
        performance_of([tally(0, 5, np.zeros(0))], "regression", None, "a number", "m@1")
    )


def test_what_is_not_known_is_said() -> None:
    assert performance_words(told([], None)) == "accuracy isn't known: no request was logged yet"
    assert performance_words(told([tally(0, 9, np.zeros(0), 0.5)])).startswith("accuracy about 0.50, estimated")
    assert performance_words(told([tally(0, 9, np.zeros(0))], None)).endswith("none can be estimated yet")
    other = performance_of([], "other", None, "", "churn@1")
    assert other.problem is not None and "its task isn't known" in other.problem.why
    assert performance_words(Performance()) == ""


def test_a_version_as_good_as_before_alarms_in_five_of_a_hundred_months_at_most() -> None:
    random = np.random.default_rng(2)
    assert sum(alarmed(right(random, 30, 0.9)) for _ in range(200)) <= 10


def test_one_that_is_worse_alarms_and_one_that_is_better_again_doesn_t() -> None:
    random = np.random.default_rng(3)
    good, bad = right(random, 10, 0.9), right(random, 10, 0.75)
    assert all(alarmed(right(random, 10, 0.75)) for _ in range(50))
    assert not alarmed(bad[:2]), "one block is a suspicion"
    assert not alarmed(right(random, 100, 0.5, rows=1)[:99]), "too few to tell"
    assert not alarmed([*bad, *good])
    problem = worse_alarm("churn", told([*good, *bad]))
    assert problem is not None and "worse" in problem.what and "and 0.90 before" in problem.why and problem.todo
    assert not told(bad, None).alerts, "nothing to compare with"


def test_larger_errors_alarm_by_more_than_chance() -> None:
    random, before = np.random.default_rng(4), Measured(value=3.0, low=2.9, high=3.1, rows=2000, more=False)

    def alarm(spread: float) -> bool:
        tallies = [tally(at, 150, random.normal(0, spread, 150) ** 2) for at in range(10)]
        return worse_alarm("m", performance_of(tallies, "regression", before, "", "m@1")) is not None

    assert sum(alarm(3.0) for _ in range(100)) <= 5 and all(alarm(4.2) for _ in range(20))


def test_blocks_have_labelled_rows_enough() -> None:
    days = [tally(at, 100, np.ones(number)) for at, number in enumerate([40, 0, 70, 5, 300, 20])]
    assert [each.labelled for each in blocks(days)] == [110, 305]
    assert period_of(0, 3 * HOUR) == HOUR and period_of(0, 30 * DAY) == DAY
    assert math.isclose(sum(each.rows for each in blocks(days)), 500)

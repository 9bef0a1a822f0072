"""The arithmetic of metrics and of how sure they are, against scikit-learn and by simulation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as theirs

from jupyter_mlops.registry.baseline import bins_of
from jupyter_mlops.registry.measure import METRICS, Answers, difference, intervals, metrics_for, value_of
from jupyter_mlops.registry.rows import PlainColumn


def classified(seed: int, rows: int = 200) -> Answers:
    rng = np.random.default_rng(seed)
    truth = np.array(["no", "yes"])[rng.integers(0, 2, rows)]
    chance = np.round(np.clip(rng.normal(0.5 + 0.2 * (truth == "yes"), 0.3), 0.01, 0.99), 2)  # with ties
    said = np.where(chance > 0.5, "yes", "no")
    return Answers(truth, said, np.column_stack([1 - chance, chance]), np.array(["no", "yes"]))


@given(st.integers(0, 10_000))
def test_metrics_of_labels_are_scikit_learn_s(seed: int) -> None:
    a = classified(seed)
    assert a.chances is not None
    expected = {
        "accuracy": theirs.accuracy_score(a.truth, a.said),
        "balanced_accuracy": theirs.balanced_accuracy_score(a.truth, a.said),
        "f1": theirs.f1_score(a.truth, a.said, average="macro"),
        "roc_auc": theirs.roc_auc_score(a.truth, a.chances[:, 1]),
        "log_loss": theirs.log_loss(a.truth, a.chances),
    }
    assert {m.name: value_of(m, a) for m in metrics_for("classification", a)} == pytest.approx(expected)


@given(st.integers(0, 10_000))
def test_metrics_of_numbers_are_scikit_learn_s(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=50)
    a = Answers(truth, truth + rng.normal(size=50))
    expected = {
        "rmse": theirs.root_mean_squared_error(a.truth, a.said),
        "mae": theirs.mean_absolute_error(a.truth, a.said),
        "r2": theirs.r2_score(a.truth, a.said),
    }
    assert {m.name: value_of(m, a) for m in metrics_for("regression", a)} == pytest.approx(expected)


@given(st.integers(0, 10_000), st.sampled_from(sorted(METRICS)))
def test_a_row_that_counts_twice_is_a_row_that_is_there_twice(seed: int, name: str) -> None:
    """What the bootstrap rests on."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=40)
    numbers = Answers(truth, truth + rng.normal(size=40))
    a = numbers if name in ("rmse", "mae", "r2") else classified(seed, 40)
    counts = rng.integers(0, 3, 40)
    repeated = a.take(np.repeat(np.arange(40), counts))
    if name != "f1" or set(repeated.truth) | set(repeated.said) == set(a.truth) | set(a.said):
        metric = METRICS[name]
        assert metric.prepare(a)(counts.astype(float)) == pytest.approx(value_of(metric, repeated), nan_ok=True)


@pytest.mark.parametrize("name", ["accuracy", "rmse"])
def test_the_interval_has_the_true_value_in_95_of_100_samples(name: str) -> None:
    """400 samples of 200 rows: 95 % ± 3.3 (three standard errors), and 1 % for what a percentile interval is short."""
    metric, inside = METRICS[name], 0
    rng = np.random.default_rng(1)
    for _ in range(400):
        if name == "accuracy":
            a = Answers(np.ones(200), (rng.random(200) < 0.8).astype(float))
            true = 0.8
        else:
            a = Answers(np.zeros(200), rng.normal(size=200))
            true = 1.0
        ((low, high),) = intervals([metric], a, draws=400)
        inside += low <= true <= high
    assert 0.907 <= inside / 400 <= 0.983


def test_no_better_model_passes_for_better_in_5_of_100_trials() -> None:
    """Both are right in 80 % of the rows, mostly the same ones: the lower bound is above 0 in 5 % ± 3.3."""
    rng = np.random.default_rng(2)
    passed = 0
    for _ in range(400):
        hard = rng.random(300)
        ours, others = (Answers(np.ones(300), (hard + rng.normal(0, 0.1, 300) < 0.8).astype(float)) for _ in range(2))
        passed += difference(METRICS["accuracy"], ours, others, draws=400)[1] > 0
    assert passed / 400 <= 0.083


def test_pairing_sees_what_two_intervals_of_their_own_would_not() -> None:
    rng = np.random.default_rng(3)
    truth, noise = rng.normal(size=500), rng.normal(size=500)
    better, worse = Answers(truth, truth + noise), Answers(truth, truth + 1.05 * noise)
    by, low, _ = difference(METRICS["rmse"], better, worse)
    assert by > 0 and low > 0, "an error that falls is an improvement"
    ((_, high),), ((least, _),) = (intervals([METRICS["rmse"]], each) for each in (better, worse))
    assert high > least, "they overlap"


def test_the_same_rows_give_the_same_figures() -> None:
    a = classified(5)
    accuracy, roc_auc = METRICS["accuracy"], METRICS["roc_auc"]
    assert intervals([accuracy, roc_auc], a)[1:] == intervals([roc_auc], a)
    with pytest.raises(ValueError, match="different rows"):
        difference(METRICS["accuracy"], a, classified(6))


@given(st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")) | st.integers(0, 3).map(float), max_size=300))
def test_bins_have_each_number_once(values: list[float]) -> None:
    bins = bins_of("x", PlainColumn(np.array(values, float)))
    assert sum(bins.counts) + bins.missing == len(values)
    assert bins.edges == sorted(bins.edges) and len(bins.counts) <= 20
    if bins.counts and len(set(bins.edges)) > 1:
        assert len(bins.counts) == len(bins.edges) - 1


def test_a_number_that_is_mostly_one_has_a_bin_for_it() -> None:
    values = np.concatenate([np.zeros(990), np.arange(1, 201) / 10])
    bins = bins_of("x", PlainColumn(values))
    assert bins.counts[0] == 990 and sum(bins.counts) == 1190 and bins.edges[-1] == 20


def test_values_are_counted_in_other_rows_than_those_they_are_chosen_by_unless_all_are_known() -> None:
    """None is chosen because it was there by luck."""
    few: Any = PlainColumn(np.array(["a", "b", "c", "c"] * 5))
    bins = bins_of("x", few)
    assert (dict(zip(bins.values, bins.counts, strict=True)), bins.other) == ({"a": 5, "b": 5, "c": 10}, 0)
    assert not bins.apart
    random = np.random.default_rng(1)
    many: Any = PlainColumn(random.integers(0, 168, 4000).astype(str), random.random(4000) < 0.1)
    bins = bins_of("x", many)
    before = sum(bins.counts) + bins.other
    assert bins.apart and len(bins.values) == 50 and before + bins.missing == 3000
    assert bins.missing / 3000 == pytest.approx(0.1, abs=0.03)
    assert sum(bins.counts) / before == pytest.approx(50 / 168, abs=0.03), "as in any rows"
    rare: Any = PlainColumn(np.array(["a"] * 99 + ["b"]))
    bins = bins_of("x", rare)
    assert bins.apart and sum(bins.counts) + bins.other == 75

"""joblib's work, and scikit-learn's, as runs."""

from __future__ import annotations

import time
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score

import jupyter_mlops as mlops
from jupyter_mlops.home.runs import read_runs

from .cluster import until

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def on_the_cluster(cluster: mlops.Cluster) -> Any:
    with joblib.parallel_config("mlops", cluster=cluster.name):
        yield


def last() -> Any:
    return read_runs()[0]


def test_calls_give_what_they_give_here() -> None:
    assert joblib.Parallel()(joblib.delayed(pow)(number, 2) for number in range(1000)) == [n * n for n in range(1000)]
    until(lambda: last().phase == "done" and last().done == 1000)
    assert (last().name, last().kind, last().total) == ("pow", "map", 1000)


def test_cross_validation_and_a_search() -> None:
    features, labels = make_classification(3000, 20, random_state=0)
    model = LogisticRegression(max_iter=200)
    here = cross_val_score(model, features, labels, cv=4, n_jobs=1)
    with joblib.parallel_config("sequential"):
        assert np.allclose(cross_val_score(model, features, labels, cv=4), here)
    search = GridSearchCV(model, {"C": [0.01, 0.1, 1, 10]}, cv=3).fit(features, labels)
    assert search.best_score_ > 0.8
    until(lambda: last().phase == "done" and last().done == 12)
    assert last().name == "fit and score"


def test_what_a_call_does_in_parallel_it_does_alone() -> None:
    features, labels = make_classification(300, 5, random_state=0)
    scores = cross_val_score(RandomForestClassifier(10, n_jobs=-1, random_state=0), features, labels, cv=3)
    assert len(scores) == 3


def test_what_a_call_raises_is_raised_and_ends_the_others(cluster: mlops.Cluster) -> None:
    def work(number: int) -> int:
        if number == 3:
            raise ValueError("no")
        time.sleep(0.2)
        return number

    with pytest.raises(ValueError, match="no"):
        joblib.Parallel()(joblib.delayed(work)(number) for number in range(100))
    until(lambda: last().phase in ("failed", "cancelled"))
    until(lambda: cluster.state().counts.busy == 0)


def test_large_arguments_are_put_there_once() -> None:
    table = np.ones((1000, 500))

    def total(table: Any, row: int) -> float:
        return float(table[row].sum())

    assert joblib.Parallel()(joblib.delayed(total)(table, row=row) for row in range(200)) == [500.0] * 200


def test_as_a_generator() -> None:
    given = joblib.Parallel(return_as="generator")(joblib.delayed(pow)(number, 2) for number in range(50))
    assert list(given) == [number**2 for number in range(50)]


def test_no_jobs_is_nothing() -> None:
    with pytest.raises(ValueError, match="n_jobs == 0"):
        joblib.Parallel(n_jobs=0)(joblib.delayed(pow)(1, 1) for _ in range(1))

"""joblib's work, and scikit-learn's, as runs."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score

import jupyter_mlops as mlops
from jupyter_mlops import errors
from jupyter_mlops.client.clusters.choose import choose
from jupyter_mlops.client.clusters.kernel import loop_thread
from jupyter_mlops.client.words import tell
from jupyter_mlops.core.errors import RunCancelled
from jupyter_mlops.home.runs import read_runs

from .cluster import until

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def on_the_cluster(cluster: mlops.Cluster) -> Any:
    with joblib.parallel_config("mlops", cluster=cluster.name):
        yield


def last() -> Any:
    return read_runs()[0]


def live(cluster: mlops.Cluster) -> Any:
    """The last run, as its cluster knows it."""
    session = loop_thread().call(choose(cluster.name, tell))
    return loop_thread().call(session.link.watch_run(last().id, 0)).run


def cancel(cluster: mlops.Cluster) -> None:
    """As the sidebar does it: past whoever waits for the run."""
    session = loop_thread().call(choose(cluster.name, tell))
    loop_thread().call(session.link.cancel_run(last().id, "it was cancelled in the sidebar"))


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


def test_one_worker_is_a_cluster_too(cluster: mlops.Cluster) -> None:
    cluster.scale(1)
    until(lambda: (counts := cluster.state().counts).idle == 1 and not counts.retiring)
    for jobs in (None, -1, 4):
        there = set(joblib.Parallel(n_jobs=jobs)(joblib.delayed(os.getpid)() for _ in range(4)))
        assert os.getpid() not in there


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


def test_who_cancels_the_run_ends_joblibs_call(cluster: mlops.Cluster) -> None:
    caught: list[BaseException] = []

    def wait() -> None:
        with joblib.parallel_config("mlops", cluster=cluster.name, name="naps"), pytest.raises(BaseException) as raised:
            joblib.Parallel()(joblib.delayed(time.sleep)(60) for _ in range(20))
        caught.append(raised.value)

    call = threading.Thread(target=wait)
    call.start()
    until(lambda: last().name == "naps" and cluster.state().counts.busy > 0)
    cancel(cluster)
    call.join()
    assert isinstance(caught[0], RunCancelled)
    until(lambda: last().phase == "cancelled")


def test_who_cancels_it_before_all_calls_are_known_ends_it_too(cluster: mlops.Cluster) -> None:
    more = threading.Event()

    def calls() -> Iterator[Any]:
        yield from (joblib.delayed(pow)(number, 2) for number in range(2))  # one for each worker
        until(lambda: last().name == "slowly" and live(cluster).done == 2)  # nothing is under way
        cancel(cluster)
        until(lambda: last().phase == "cancelled")
        more.set()
        yield from (joblib.delayed(pow)(number, 2) for number in range(100))

    with (
        joblib.parallel_config("mlops", cluster=cluster.name, name="slowly"),
        pytest.raises(RunCancelled, match="cancelled"),
    ):
        joblib.Parallel(batch_size=1, pre_dispatch=2)(calls())
    assert more.is_set()


def test_large_arguments_are_put_there_once() -> None:
    table = np.ones((1000, 500))

    def total(table: Any, row: int) -> float:
        return float(table[row].sum())

    assert joblib.Parallel()(joblib.delayed(total)(table, row=row) for row in range(200)) == [500.0] * 200


def test_as_a_generator() -> None:
    given = joblib.Parallel(return_as="generator")(joblib.delayed(pow)(number, 2) for number in range(50))
    assert list(given) == [number**2 for number in range(50)]


def test_an_argument_that_can_t_travel_is_named() -> None:
    with pytest.raises(errors.NotPicklable, match="lock"):
        joblib.Parallel()(joblib.delayed(repr)(threading.Lock()) for _ in range(20))
    until(lambda: last().phase == "failed")


def test_no_jobs_is_nothing() -> None:
    with pytest.raises(ValueError, match="n_jobs == 0"):
        joblib.Parallel(n_jobs=0)(joblib.delayed(pow)(1, 1) for _ in range(1))

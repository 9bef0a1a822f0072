"""XGBoost and LightGBM on rows that lie on the cluster: as on one machine, and going on when something dies."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jupyter_mlops as mlops
from jupyter_mlops import errors
from jupyter_mlops.client.runs.execution.fit import shares

from .cluster import LONG, until
from .test_runners import pids_of

xgboost = pytest.importorskip("xgboost", reason="XGBoost isn't installed: pip install xgboost-cpu")
lightgbm = pytest.importorskip("lightgbm", reason="LightGBM isn't installed: pip install lightgbm")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")
pd = pytest.importorskip("pandas")

pytestmark = pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")

ROWS = 2000


def rows(seed: int) -> tuple[Any, Any]:
    """Three classes, sorted: no partition has all of them."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(ROWS, 6))
    y = (X[:, 0] * X[:, 1] + X[:, 2] > 0).astype(int) + (X[:, 3] > 1)
    order = np.argsort(y, kind="stable")
    return X[order], y[order]


X, Y = rows(0)
VALID = rows(1)


@pytest.fixture
def on_cluster(cluster: mlops.Cluster) -> Iterator[tuple[Any, Any]]:
    """The rows in the memory of the cluster."""
    with cluster.client() as client:
        yield client.persist([da.from_array(X, chunks=(ROWS // 4, 6)), da.from_array(Y, chunks=ROWS // 4)])


def xgb(**options: Any) -> Any:
    return xgboost.XGBClassifier(max_depth=3, random_state=0, **options)


def lgb(**options: Any) -> Any:
    return lightgbm.LGBMClassifier(num_leaves=8, random_state=0, verbose=-1, **options)


BOTH = pytest.mark.parametrize("make", [xgb, lgb])


@BOTH
def test_it_is_as_on_one_machine(cluster: mlops.Cluster, on_cluster: Any, make: Callable[..., Any]) -> None:
    estimator = make(n_estimators=60, early_stopping_rounds=3, learning_rate=0.4)
    weight = np.linspace(1, 2, ROWS)
    options = {"sample_weight": weight, "eval_set": [VALID]}
    run = mlops.fit(
        estimator, *on_cluster, sample_weight=da.from_array(weight, chunks=ROWS), eval_set=[VALID], cluster=cluster
    )
    model = run.result(LONG)
    alone = type(estimator)(**estimator.get_params()).fit(X, Y, **options)
    assert type(model) is type(estimator) and model.classes_.tolist() == [0, 1, 2]
    assert set(vars(model)) == set(vars(alone)) and not hasattr(
        estimator, "n_classes_" if make is xgb else "n_features_"
    )
    close = np.abs(model.predict_proba(X) - alone.predict_proba(X))
    assert close.mean() < 0.02 + 0.05 * (make is lgb), "LightGBM makes its bins from fewer rows"
    assert (model.predict(X) == Y).mean() > (alone.predict(X) == Y).mean() - 0.01
    name = next(iter(run.curves))
    measured = next(iter(next(iter(_evals(model).values())).values()))
    assert len(measured) < 60, "it stopped early"
    assert run.curves[name].values == pytest.approx(measured), name
    assert (run.record.kind, run.record.total, run.record.seats) == ("gang", 2, 2)


def _evals(model: Any) -> Any:
    return model.evals_result() if hasattr(model, "evals_result") else model.evals_result_


@pytest.mark.parametrize("kind", [xgboost.XGBClassifier, lightgbm.LGBMClassifier])
def test_a_rank_and_a_worker_that_die_cost_some_rounds(
    cluster: mlops.Cluster, on_cluster: Any, tmp_path: Path, kind: Any
) -> None:
    total = 120
    options: dict[str, Any] = {"n_estimators": total, "learning_rate": 0.05, "random_state": 0}
    stops = kind is lightgbm.LGBMClassifier  # its rounds then hang, since none of the others knows of it
    more: dict[str, Any] = {"every": 10, "hang": 10 if stops else None}
    run = mlops.fit(slowed(kind, tmp_path)(**options), *on_cluster, eval_set=[VALID], cluster=cluster, **more)
    until(lambda: saved(run) >= 20 and run.record.left is not None)  # which is told a little later
    until(lambda: [rank.total for rank in run.record.ranks] == [total] * 2)  # each rank's seat tells by itself
    os.kill(int((tmp_path / "1").read_text()), signal.SIGSTOP if stops else signal.SIGKILL)
    until(lambda: run.record.attempt == 2 and saved(run) >= 40)
    os.kill(max(pids_of(cluster)), signal.SIGKILL)
    (tmp_path / "go").touch()
    model = run.result(LONG)
    assert run.record.attempt == 3, run.prints()
    assert ("It hangs" in run.prints()) == stops
    assert sorted(run.curves.attempts) == [2, 3] and min(run.curves.attempts.values()) >= 20
    assert len(next(iter(run.curves.values())).values) == total
    assert {len(values) for metrics in _evals(model).values() for values in metrics.values()} == {total}
    booster = model.get_booster() if kind is xgboost.XGBClassifier else model.booster_
    assert getattr(booster, "num_boosted_rounds", getattr(booster, "current_iteration", None))() == total
    alone = kind(**options).fit(X, Y)
    assert (model.predict(X) == Y).mean() > (alone.predict(X) == Y).mean() - 0.01


def slowed(kind: Any, folder: Path) -> Any:
    """An estimator whose rounds take 20 ms more, and whose ranks say who they are. After 80 rounds it waits until it
    may go on, and rank 1 gives signs of life: what kills its workers comes in time on any machine."""

    def pace() -> None:
        import importlib
        import time

        booster = importlib.import_module(kind.__module__.partition(".")[0]).Booster
        if "RANK" not in os.environ or hasattr(booster, "own"):
            return
        (folder / os.environ["RANK"]).write_text(str(os.getpid()))

        def update(self: Any, *args: Any, **options: Any) -> Any:
            time.sleep(0.02)
            done = self.num_boosted_rounds() if hasattr(self, "num_boosted_rounds") else self.current_iteration()
            while done >= 80 and not (folder / "go").exists():
                if os.environ["RANK"] == "1":
                    mlops.progress(done)
                time.sleep(0.02)
            return self.own(*args, **options)

        booster.own = booster.update
        booster.update = update

    class Slowed(kind):  # type: ignore[misc]
        def get_params(self, deep: bool = True) -> Any:
            pace()
            return super().get_params(deep)

    return Slowed


def saved(run: mlops.Run) -> int:
    return run.record.checkpoint.step if run.record.checkpoint is not None else 0


def test_what_is_cancelled_goes_on_when_it_is_run_again(cluster: mlops.Cluster, on_cluster: Any) -> None:
    def start(estimator: Any) -> mlops.Run:
        return mlops.fit(estimator, *on_cluster, every=10, cluster=cluster)

    before = pids_of(cluster)
    first = start(xgb(n_estimators=5000))
    until(lambda: saved(first) >= 10)
    first.cancel()
    with pytest.raises(errors.RunCancelled):
        first.result(LONG)
    assert pids_of(cluster) == before
    other = start(xgb(n_estimators=20))
    other.result(LONG)
    assert "goes on" not in other.prints(), "it is another one"
    second = start(xgb(n_estimators=5000))
    until(lambda: "of an earlier run" in second.prints())
    second.cancel()


def test_tables_of_dask_and_futures(cluster: mlops.Cluster) -> None:
    table = pd.DataFrame(X, columns=list("abcdef")).assign(y=Y * 1.5)
    frame = dd.from_pandas(table, npartitions=3)
    model = mlops.fit(lightgbm.LGBMRegressor(verbose=-1), frame[list("abcdef")], frame["y"], cluster=cluster).result(
        LONG
    )
    assert model.feature_name_ == list("abcdef") and model.score(table[list("abcdef")], Y * 1.5) > 0.9
    with cluster.client() as client:
        parts = [client.submit(lambda n=n: X[n::3], pure=False) for n in range(3)]
        labels = [client.submit(lambda n=n: Y[n::3], pure=False) for n in range(3)]
        model = mlops.fit(xgboost.XGBRegressor(), parts, labels, cluster=cluster, detach=True).result(LONG)
        assert model.score(X, Y) > 0.9
        short = [client.submit(lambda n=n: Y[n::4], pure=False) for n in range(3)]
        with pytest.raises(errors.RunFailed, match=r"partition \d don't go together: X has 66[67], y has 500"):
            mlops.fit(xgb(), parts, short, cluster=cluster).result(LONG)
        bad = [client.submit(lambda: 1 // 0, pure=False), *labels[1:]]
        with pytest.raises(errors.RunFailed, match="rows can't be computed: ZeroDivisionError"):
            mlops.fit(xgb(), parts, bad, cluster=cluster).result(LONG)


@pytest.mark.parametrize("make", [xgboost.XGBRanker, lightgbm.LGBMRanker])
def test_a_ranker_learns_by_query(cluster: mlops.Cluster, make: Any) -> None:
    queries = np.repeat(np.arange(ROWS // 20), 20)
    shuffled = np.random.default_rng(1).permutation(ROWS)
    columns = [da.from_array(each, chunks=(500, *each.shape[1:])) for each in (X[shuffled], Y[shuffled], queries)]
    given = {"eval_set": [(X[shuffled], Y[shuffled])], "eval_qid": [queries]}
    model = mlops.fit(make(n_estimators=30), columns[0], columns[1], qid=columns[2], cluster=cluster, **given).result(
        LONG
    )
    assert np.corrcoef(model.predict(X), Y)[0, 1] > 0.8
    split = da.from_array(np.sort(queries % 7), chunks=500)
    with pytest.raises(errors.RunFailed, match=r"the query \d has rows on two workers"):
        mlops.fit(make(), columns[0], columns[1], qid=split, cluster=cluster).result(LONG)


def test_what_cannot_be_is_said_at_once() -> None:
    from sklearn.linear_model import LogisticRegression

    x, y = da.zeros((10, 2), chunks=(5, 2)), da.zeros(10, chunks=5)
    refused: list[tuple[str, Callable[[], Any]]] = [
        ("only XGBoost's and LightGBM's", lambda: mlops.fit(LogisticRegression(), x, y)),
        ("is a class.*XGBClassifier", lambda: mlops.fit(xgboost.XGBClassifier, x, y)),
        ("isn't on the cluster.*from_array", lambda: mlops.fit(xgb(), X, Y)),
        ("X has 10 rows, and y has 8", lambda: mlops.fit(xgb(), x, y[:8])),
        (
            "2 partitions, and y has 5",
            lambda: mlops.fit(xgb(), dd.from_dask_array(x), dd.from_dask_array(y.rechunk(2))),
        ),
        ("needs to know which query", lambda: mlops.fit(xgboost.XGBRanker(), x, y)),
        ("only a ranker has queries", lambda: mlops.fit(xgb(), x, y, qid=y)),
        ("of your own", lambda: mlops.fit(xgb(eval_metric=max), x, y)),
        ("XGBoost's estimators have it", lambda: mlops.fit(xgb(), x, y, eval_metric="auc")),
        ("'balanced'", lambda: mlops.fit(lgb(class_weight="balanced"), x, y)),
        ("list of pairs", lambda: mlops.fit(xgb(), x, y, eval_set=[X])),
        ("number of rounds", lambda: mlops.fit(xgb(), x, y, every=0)),
        ("is no option of a fit", lambda: mlops.fit(xgb(), x, y, base_margin=y)),
        ("2 partitions, and each worker", lambda: mlops.fit(xgb(), x, y, workers=3)),
    ]
    for words, call in refused:
        with pytest.raises(errors.InvalidInput, match=words):
            call()


def test_partitions_stay_where_they_are_and_are_shared_evenly() -> None:
    assert shares([["a"], ["b"], ["a"], ["b"]], ["a", "b"]) == [[0, 2], [1, 3]]
    assert shares([["a"]] * 5, ["a", "b"]) == [[0, 1, 4], [2, 3]]
    assert shares([[]] * 3, ["", "", ""]) == [[0], [1], [2]]

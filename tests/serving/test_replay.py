"""What a service was asked, asked again of another version, on a real cluster."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

import jupyter_mlops as mlops
from jupyter_mlops.cli.main import main
from jupyter_mlops.core.errors import (
    Conflict,
    InvalidInput,
    InvalidSpec,
    NotFound,
    RunCancelled,
    UnknownService,
    Unreadable,
)
from jupyter_mlops.core.logged import LoggedRow
from jupyter_mlops.home.requests import RequestLog
from jupyter_mlops.home.services import ServiceFolder
from jupyter_mlops.serving.replay.compare import compare, measures_of
from jupyter_mlops.serving.replay.logged import Logged
from jupyter_mlops.serving.replay.part import FileRows, ReplayPart
from jupyter_mlops.serving.replay.result import ReplayResult

from ..models.conftest import fitted, people
from ..runs.cluster import LONG, a_cluster
from .conftest import until

pytestmark = pytest.mark.slow

#: Rows that a service is asked.
ROWS = 150


@pytest.fixture(scope="module")
def saved() -> Callable[[int], tuple[Any, Any]]:
    """A model of a library, of tables."""
    return lambda seed: (fitted(seed), people(1))


@pytest.fixture(scope="module", autouse=True)
def as_in_a_notebook(request: pytest.FixtureRequest) -> Iterator[None]:
    cloudpickle.register_pickle_by_value(request.module)
    yield
    cloudpickle.unregister_pickle_by_value(request.module)


@pytest.fixture(scope="module")
def cluster(home: Path) -> Iterator[mlops.Cluster]:
    with a_cluster("replays") as made:
        made.scale(2)
        made.wait(2)
        yield made


@pytest.fixture(scope="module")
def asked(home: Path) -> Iterator[mlops.Service]:
    """A service of the champion that was asked about people, all of whom are logged, and labelled."""
    made = mlops.deploy("churn", log=1.0, log_rows=100_000, window="1 s")
    X, y = people(100, ROWS)
    _, ids = made.predict(X, ids=True)
    until(lambda: len(made.requests()) == ROWS)
    made.label(dict(zip(ids, y, strict=True)))
    yield made
    made.stop()


def test_a_candidate_is_compared_with_what_was_answered(
    asked: mlops.Service, cluster: mlops.Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    X, y = people(100, ROWS)
    old, new = (fitted(seed).predict(X) for seed in (0, 7))
    under_way = mlops.replay("churn@2", hours=1, cluster=cluster, quiet=True)
    result = under_way.result(LONG)
    assert (result.version, result.rows, result.versions) == ("churn@2", ROWS, {"churn@1": ROWS})
    assert result.compared.same == pytest.approx((old == new).mean()) and 0 < result.compared.same < 1
    assert sum(number for *_, number in result.compared.changes) == (old != new).sum()
    assert result.metric is not None and result.metric.rows == ROWS
    assert result.metric.before == pytest.approx((old == y).mean())
    assert result.metric.now == pytest.approx((new == y).mean())
    assert result.metric.low <= result.metric.by <= result.metric.high
    assert (result.errors, result.left_out) == ({}, {}) and result.rate > 0 and result.per_thousand is None
    assert {"request.id", "age", "income", "answer", "now"} <= {*result.examples.columns}
    for _, row in result.examples.iterrows():
        at = np.flatnonzero((X["age"] == row["age"]) & np.isclose(X["income"], row["income"]))
        assert row["answer"] == old[at[0]] != row["now"] == new[at[0]]
    text, page = str(result), result._repr_html_()
    assert f"churn@2 on {ROWS} logged rows of churn, answered by churn@1 ({ROWS})" in text
    assert "where they differ most:" in text and "<table" in page and "labelled rows" in page
    record = mlops.get_run(under_way.run.id).record
    assert record.name == "replay churn@2" and record.phase == "done"
    until(lambda: mlops.get_run(under_way.run.id).record.rows == ROWS)

    assert asked.replay("churn@1", cluster=cluster, quiet=True).result(LONG).compared.same == 1.0
    assert main(["replay", "churn@2", "--service", "churn", "--cluster", cluster.name, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["rows"], told["metric"]["rows"], len(told["examples"])) == (ROWS, ROWS, len(result.examples))
    assert main(["replay", "churn@2", "--hours", "1", "--cluster", cluster.name]) == 0
    assert "are the same; " in capsys.readouterr().out


def test_rows_that_cannot_be_answered_are_told_by_why_and_spoil_no_others(
    asked: mlops.Service, cluster: mlops.Cluster
) -> None:
    model = fitted(0)

    def young(rows: Any) -> Any:
        if (rows["age"] > 60).any():
            raise ValueError("nobody is that old")
        return model.predict(rows)

    X, _ = people(100, ROWS)
    version = mlops.save_model(young, "churn", valid=(X[X["age"] <= 60], model.predict(X[X["age"] <= 60])))
    result = mlops.replay(version, cluster=cluster, quiet=True).result(LONG)
    old = int((X["age"] > 60).sum())
    assert result.errors == {"ValueError: nobody is that old": old}
    assert (result.rows, result.compared.rows, result.compared.same) == (ROWS, ROWS - old, 1.0)
    assert f"can't answer {old} rows" in str(result) and "nobody is that old" in result._repr_html_()


def test_a_replay_is_cancelled_as_any_run(asked: mlops.Service, cluster: mlops.Cluster, tmp_path: Path) -> None:
    def waiting(rows: Any) -> Any:
        while len(rows) > 1 and not (tmp_path / "go").exists():
            time.sleep(0.05)
        return np.full(len(rows), "left")

    version = mlops.save_model(waiting, "churn", example=people(1)[0].iloc[:1])
    under_way = mlops.replay(version, cluster=cluster, quiet=True)
    until(lambda: under_way.state == "running")
    under_way.cancel("enough")
    with pytest.raises(RunCancelled):
        under_way.result(LONG)


def test_numbers_times_texts_and_gaps_go_through_the_log(home: Path, cluster: mlops.Cluster) -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "when": pd.Timestamp("2026-11-01") + pd.to_timedelta(rng.integers(0, 10**6, ROWS), unit="s"),
            "city": pd.Series(["Ulm", None, "Köln"] * (ROWS // 3), dtype="str"),
            "size": np.where(rng.random(ROWS) < 0.2, np.nan, rng.normal(50, 9, ROWS)),
            "new": rng.random(ROWS) < 0.5,
            "secret": rng.normal(0, 1, ROWS),
        }
    )

    def rent(by: float) -> Any:
        return lambda rows: (
            rows["when"].dt.hour.to_numpy()
            + by * rows["size"].fillna(40).to_numpy()
            + np.where(rows["city"] == "Ulm", 3.0, 0.0)
            + rows["new"].to_numpy()
        )

    def plain(rows: Any) -> Any:
        return rows["secret"].to_numpy()

    y = rent(2.0)(X) + rng.normal(0, 0.1, ROWS)
    known = X.drop(columns="secret")
    mlops.save_model(rent(2.0), "rent", valid=(X, y))
    mlops.save_model(rent(3.0), "rent", valid=(known, y))
    mlops.save_model(plain, "rent", valid=(X, y))
    mlops.save_model(
        LinearRegression().fit(known[["size"]].fillna(40).to_numpy(), y),
        "rent",
        valid=(known[["size"]].fillna(40).to_numpy(), y),
    )
    mlops.save_model(lambda rows: np.full(len(rows), "high"), "rent", valid=(known, np.full(ROWS, "high")))
    mlops.save_model(lambda rows: rows["rooms"].to_numpy(), "rent", valid=(known.assign(rooms=1.0), y))
    mlops.save_model(lambda rows: np.ones(len(rows)), "rent", valid=(known.assign(city=1.0), y))
    service = mlops.deploy("rent@1", log=1.0, log_rows=100_000, window="1 s", private=["secret"])
    try:
        with pytest.raises(NotFound, match=r"Nothing that 'rent' was asked in the last hour is logged.*it logs 100%"):
            mlops.replay("rent@2", hours=1, cluster=cluster)
        _, ids = service.predict(X, ids=True)
        until(lambda: len(service.requests()) == ROWS)
        result = service.replay("rent@2", cluster=cluster, quiet=True).result(LONG)
        apart = X["size"].fillna(40).to_numpy()
        assert result.compared.mean == pytest.approx(apart.mean()) and result.compared.same == 0
        assert result.compared.largest == pytest.approx(apart.max())
        assert result.compared.correlation == pytest.approx(np.corrcoef(rent(2.0)(X), rent(3.0)(X))[0, 1])
        assert result.examples["size"].iloc[0] == pytest.approx(X["size"].max())
        assert result.metric is None and "no labels" in str(result) and "correlation 0.9" in str(result)
        service.label(dict(zip(ids[: ROWS // 2], y[: ROWS // 2], strict=True)))
        metric = service.replay("rent@2", cluster=cluster, quiet=True).result(LONG).metric
        assert metric is not None and (metric.rows, metric.verdict, metric.name) == (ROWS // 2, "worse", "rmse")

        with pytest.raises(
            InvalidInput, match=r"'secret' isn't in the log.*private of the service 'rent'.*mlops.score"
        ):
            mlops.replay("rent@3", cluster=cluster)
        with pytest.raises(Conflict, match=r"rent@4 doesn't take what the service was asked.*arrays"):
            mlops.replay("rent@4", cluster=cluster)
        with pytest.raises(Conflict, match=r"its task is classification, and that of rent@1"):
            mlops.replay("rent@5", cluster=cluster)
        with pytest.raises(InvalidInput, match=r"rent@6 takes 'rooms', which 'rent' isn't asked"):
            mlops.replay("rent@6", cluster=cluster)
        with pytest.raises(InvalidInput, match=r"The column 'city' has text: in the log; rent@7 takes"):
            mlops.replay("rent@7", cluster=cluster)
        with pytest.raises(Conflict, match=r"is for another model: it serves rent, and this is a version of churn"):
            mlops.replay("churn@1", service="rent", cluster=cluster)
        with pytest.raises(UnknownService, match="No service serves blind"):
            mlops.save_model(lambda rows: np.ones(len(rows)), "blind", example=[[1.0]])
            mlops.replay("blind@2", cluster=cluster)
        with pytest.raises(Conflict, match="saved without rows"):
            mlops.replay("blind@1", cluster=cluster)
        with pytest.raises(NotFound, match=r"since 2\d{3}-"):
            mlops.replay("rent@2", since=datetime.now() + timedelta(hours=1), cluster=cluster)
        for wrong in ({"hours": 0}, {"since": "yesterday"}, {"detach": True}):
            with pytest.raises(InvalidSpec):
                mlops.replay("rent@2", cluster=cluster, **wrong)

        mlops.deploy("rent@2", name="rent", private=[])
        service.predict(known.iloc[:10])
        until(lambda: len(service.requests()) == ROWS + 10)
        result = service.replay("rent@2", cluster=cluster, quiet=True).result(LONG)
        assert result.versions == {"rent@1": ROWS, "rent@2": 10} and result.compared.rows == ROWS + 10
    finally:
        service.stop()


def test_rows_of_files_and_of_this_hour_are_one_log(home: Path, asked: mlops.Service, cluster: mlops.Cluster) -> None:
    log = ServiceFolder(home / "services" / "churn").requests
    log.pack(time.time() + 7200)
    assert [*log.path.glob("*/*.parquet")], "what was asked is in files now"
    asked.predict(people(5, 10)[0])
    until(lambda: len(asked.requests()) == ROWS + 10)
    result = mlops.replay("churn@2", cluster=cluster, quiet=True).result(LONG)
    assert result.rows == result.compared.rows == ROWS + 10
    assert result.metric is not None and result.metric.rows == ROWS, "labels are found for rows of files"
    mlops.deploy("churn@2", name="churn")
    asked.predict(people(6, 20)[0])
    until(lambda: len(asked.requests()) == ROWS + 30)
    result = mlops.replay("churn@1", cluster=cluster, quiet=True).result(LONG)
    assert (result.versions, result.left_out) == ({"churn@2": 20}, {"churn@1 answered them itself": ROWS + 10})


def test_a_file_that_has_changed_since_is_not_taken_for_what_it_was(tmp_path: Path) -> None:
    path = tmp_path / "13-v1.parquet"
    pd.DataFrame({"request.time": [1.0, 2.0, 3.0], "x": [1, 2, 3]}).to_parquet(path)
    seen = path.stat()
    rows = FileRows(str(path), (seen.st_mtime_ns, seen.st_size), 2.0, ["x"], 0, 2)
    assert ReplayPart(0, [rows, rows]).frame()["x"].tolist() == [2, 3, 2, 3], "older rows aren't among them"
    pd.DataFrame({"request.time": [3.0], "x": [3]}).to_parquet(path)
    with pytest.raises(Conflict, match=r"The log has changed.*forgotten"):
        rows.read()
    path.unlink()
    with pytest.raises(Conflict):
        rows.read()


def test_files_are_looked_at_by_their_ends_and_a_damaged_one_spoils_no_other(tmp_path: Path) -> None:
    log = RequestLog(tmp_path)
    hour = 3600 * 400_000.0
    for version, asked in ((1, [1.0, 2.0, 3.0]), (2, [1.0, 2.0])):
        rows = [
            LoggedRow(id=f"{version}-{at}", time=hour + at, answer=str(at), features=json.dumps({"x": at}))
            for at in asked
        ]
        log.add(rows, f"digest-{version}", version, "regression", "")
        log.pack(hour + 3600)
    log.label([("1-3.0", 7.0), ("2-2.0", 8.0)], 1.0, hour + 10)
    found = log.logged(hour + 2)
    first, second = found.pieces
    assert [(piece.version, piece.rows) for piece in (first, second)] == [(1, 2), (2, 1)]
    answers, labels = Logged([first, second], ["x"], found.labels).told()
    assert answers.tolist() == [2.0, 3.0, 2.0]
    assert np.array_equal(labels, [np.nan, 7.0, 8.0], equal_nan=True)

    data = Path(first.path).read_bytes()
    Path(first.path).write_bytes(data[:8] + bytes(len(data) // 2) + data[8 + len(data) // 2 :])
    seen = Path(first.path).stat()
    damaged = replace(first, stamp=(seen.st_mtime_ns, seen.st_size))
    answers, labels = Logged([damaged, second], ["x"], found.labels).told()
    assert np.array_equal(answers, [np.nan, np.nan, 2.0], equal_nan=True)
    assert np.array_equal(labels, [np.nan, np.nan, 8.0], equal_nan=True)
    with pytest.raises(Unreadable, match=r"-v1\.parquet is damaged"):
        Logged([damaged], ["x"]).parts(by_path=False)
    Path(first.path).write_bytes(data[: len(data) // 2])
    assert [piece.version for piece in log.logged(hour).pieces] == [2], "one without an end says nothing of its rows"


def test_rows_of_an_hour_are_put_into_files_of_a_bounded_size(tmp_path: Path) -> None:
    log, long = RequestLog(tmp_path), json.dumps({"x": "y" * 8000})
    rows = [LoggedRow(id=str(at), time=at / 10, answer="1", features=long) for at in range(3000)]
    rows += [LoggedRow(id=str(at), time=at / 10, answer="1", features='{"x": "y"}') for at in range(3000, 9000)]
    log.add(rows, "digest", 1, "regression", "")
    log.pack(3600.0)
    files = log.logged(0.0).pieces
    assert sum(piece.rows for piece in files) == 9000 and len(files) == 2
    assert (
        sum(
            json.loads(long) == row
            for piece in files
            for row in FileRows(piece.path, piece.stamp, 0.0, ["x"], 0, 9000).read().to_pylist()
        )
        == 3000
    )


def test_answers_of_every_kind_are_compared() -> None:
    some = compare("classification", np.array(["a", None, "b", "a"], object), np.array(["a", "a", "a", "b"]), 5)
    assert (some.rows, some.same, some.furthest) == (3, pytest.approx(1 / 3), [3, 2])
    yes_no = compare("classification", np.array([True, False, None], object), np.array([1, 1, 1]), 5)
    assert (yes_no.rows, yes_no.changes) == (2, [(0, 1, 1)])
    lists = compare("other", np.array([[1, 2], [3, 4], None], object), np.array([[1.0, 2], [3, 6], [0, 0]]), 5)
    assert (lists.rows, lists.mean, lists.largest, lists.furthest) == (2, 1.0, 2.0, [1])
    numbers = compare("regression", np.array([1.0, np.nan, 3.0]), np.array([1.0, 2.0, np.nan]), 5)
    assert (numbers.rows, numbers.largest, numbers.correlation) == (2, np.inf, None)
    assert compare("regression", np.array([np.nan]), np.array([1.0]), 5).same is None
    with pytest.raises(Conflict, match="they were text, and are numbers now"):
        compare("classification", np.array(["a"], object), np.array([1]), 5)


def test_a_better_version_is_found_on_paired_rows_and_chance_is_not() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 30_000).astype(float)
    before = np.where(rng.random(30_000) < 0.80, truth, 1 - truth)
    better = np.where((before != truth) & (rng.random(30_000) < 0.1), truth, before)
    found = measures_of("classification", truth, before, better)
    assert found is not None and (found.verdict, found.rows, found.drawn) == ("better", 30_000, 20_000)
    assert found.by == pytest.approx(0.02, abs=0.004)
    other = np.where(rng.random(300) < 0.80, truth[:300], 1 - truth[:300])
    chance = measures_of("classification", truth[:300], before[:300], other)
    assert chance is not None and chance.verdict.startswith("no difference")
    assert measures_of("other", truth, before, better) is None
    assert measures_of("regression", np.array([np.nan]), np.array([1.0]), np.array([1.0])) is None


def test_a_result_shows_nothing_as_markup() -> None:
    compared = compare("classification", np.array(["<b>", "a"], object), np.array(["a", "a"]), 5)
    result = ReplayResult("m@2", "m", 2, {"m@1": 2}, compared, None, {"<script>": 1}, {"<i>": 3})
    page = result._repr_html_()
    assert "<script>" not in page and "&lt;script&gt;" in page and "&lt;b&gt; → a 1" in page
    assert "50 % of 2 answers are the same" in str(result)

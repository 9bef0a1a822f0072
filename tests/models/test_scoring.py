"""Scoring, as far as it needs no cluster: what is refused at once, and what a worker does with a part."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import cloudpickle
import dask.dataframe
import numpy as np
import pandas as pd
import pytest

import jupyter_mlops as mlops
from jupyter_mlops.agent import runner
from jupyter_mlops.core.errors import Conflict, InvalidInput, MlopsError, NotFound, UnknownVersion
from jupyter_mlops.core.price import Cost
from jupyter_mlops.core.run import RunState, per_thousand
from jupyter_mlops.home.models import model_folder
from jupyter_mlops.registry.scoring import inputs
from jupyter_mlops.registry.scoring.api import ScoreResult
from jupyter_mlops.registry.scoring.folder import ScoreFolder
from jupyter_mlops.registry.scoring.inputs import input_of
from jupyter_mlops.registry.scoring.part import ScorePlan, scorer
from jupyter_mlops.registry.scoring.plan import keys_of, plan_of

from .conftest import fitted, people


@pytest.fixture
def churn() -> mlops.Version:
    return mlops.save_model(fitted(), "churn", valid=people())


def _without(name: str) -> pd.DataFrame:
    return people()[0].drop(columns=name)


def _with(**columns: Any) -> pd.DataFrame:
    return people()[0].assign(**columns)


@pytest.mark.parametrize(
    ("data", "how", "error", "said"),
    [
        (lambda: _without("income"), {}, InvalidInput, "'income' is missing: the table has 'age'"),
        (lambda: _with(age="old"), {}, InvalidInput, "'age' has text: in the table; churn@1 takes whole numbers"),
        (lambda: _with(age=1.5), {}, InvalidInput, r"'age' has 1\.5 in row 0: churn@1 takes whole numbers \(int64\)"),
        (lambda: _with(age=np.nan), {}, InvalidInput, "'age' is missing: in row 0; churn@1 needs whole numbers"),
        (lambda: people()[0], {"keys": ["id"]}, InvalidInput, "no column 'id' to stand beside the answers"),
        (lambda: _with(prediction=1), {}, InvalidInput, "'prediction' would be there twice"),
        (lambda: people()[0].iloc[:0], {}, InvalidInput, "the table has no rows"),
        (lambda: {"age": 1}, {}, InvalidInput, "A dict can't be scored"),
        (lambda: "nowhere/*.parquet", {}, NotFound, r"No file matches 'nowhere/\*\.parquet'"),
        (lambda: __file__, {}, InvalidInput, r"its name doesn't end in \.parquet or \.csv"),
        (lambda: "gone://x/*.csv", {}, InvalidInput, "Protocol not known: gone"),
    ],
)
def test_what_the_version_does_not_take_is_refused_before_anything_runs(
    churn: mlops.Version, tmp_path: Path, data: Any, how: dict[str, Any], error: type[MlopsError], said: str
) -> None:
    with pytest.raises(error, match=said):
        mlops.score(churn, data(), out=tmp_path / "out", **how)
    assert not (tmp_path / "out").exists()


def test_files_are_looked_at_too_and_so_is_the_version(churn: mlops.Version, tmp_path: Path) -> None:
    people()[0].to_parquet("a.parquet")
    _without("age").assign(aeg=1).to_parquet("b.parquet")
    with pytest.raises(InvalidInput, match=r"'age' is missing: .*/b\.parquet has .* Is 'aeg' meant\? Rename it\."):
        mlops.score(churn, "*.parquet", out="out")
    Path("b.parquet").write_bytes(Path("a.parquet").read_bytes()[:-10])
    with pytest.raises(InvalidInput, match=r"b\.parquet can't be read"):
        mlops.score(churn, "*.parquet", out="out")
    with pytest.raises(UnknownVersion, match="churn has no champion"):
        mlops.score("churn", "a.parquet", out="out")
    mlops.save_model(len, "lengths")
    with pytest.raises(Conflict, match="lengths@1 can't score: it was saved without rows"):
        mlops.score("lengths@1", "a.parquet", out="out")
    mlops.save_model(lambda rows: rows["age"], "ages", example=people()[0])
    with pytest.raises(InvalidInput, match="ages@1 gives no chances"):
        mlops.score("ages@1", "a.parquet", out="out", chances=True)
    assert not Path("out").exists()


def _plan(version: mlops.Version, given: Any, keys: list[str] | None, chances: bool) -> ScorePlan:
    chosen = keys_of(version.record, given, keys)
    return plan_of(model_folder(version.record.model), version.record, given, chosen, chances, str(Path.cwd()), "note")


def test_workers_need_no_copy_of_what_they_do(churn: mlops.Version, tmp_path: Path) -> None:
    Path("note").touch()
    rows = people(seed=1)[0].assign(when=pd.Timestamp("2026-11-27"), id=lambda X: X.index.map("{:03}".format))
    given = input_of(rows)
    sent = tmp_path / "sent.pkl"
    sent.write_bytes(cloudpickle.dumps((scorer(_plan(churn, given, ["id"], True)), given.parts[0])))
    code = """
import pickle, sys
sys.modules["jupyter_mlops.registry"] = None  # as in a pod
score, part = pickle.load(open(sys.argv[1], "rb"))
print(score(part))
"""
    done = subprocess.run([sys.executable, "-c", code, sent], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "{'part': 0, 'rows': 400}\n"), done.stderr
    there, model = pd.read_parquet(given.parts[0].file), churn.load()
    assert list(there.columns) == ["id", "prediction", "chance_left", "chance_stayed"]
    X = rows[["age", "income"]]
    assert list(there.id) == list(rows.id) and list(there.prediction) == list(model.predict(X))
    assert np.allclose(there[["chance_left", "chance_stayed"]], model.predict_proba(X))
    Path("note").unlink()
    with pytest.raises(Conflict, match=r"This worker doesn't see .* Name one on a volume"):
        scorer(_plan(churn, given, ["id"], False))(given.parts[0])


def _shown(rows: pd.DataFrame) -> list[str]:
    types = [str(dtype) for dtype in rows.dtypes]
    return [f"{types} {tuple(row)}" for row in rows.itertuples(index=False)]


def test_each_type_of_a_column_becomes_that_of_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jupyter_mlops_agent.runner", runner)  # loaded, and this process is none
    example = pd.DataFrame(
        {
            "size": pd.Categorical(["s", "m", "l"]),
            "at": pd.to_datetime(["2026-01-01"] * 3),
            "new": [True, False, True],
            "name": ["a", "b", "c"],
            "x": [1.0, 2.0, np.nan],
        }
    )
    version = mlops.save_model(_shown, "all", example=example)
    example.to_csv("in.csv", index=False)
    example.to_parquet("in.parquet")
    Path("note").touch()
    for name in ("in.csv", "in.parquet"):
        given = input_of(name)
        score = scorer(_plan(version, given, None, False))
        assert score(given.parts[0])["rows"] == 3
        there = pd.read_parquet(given.parts[0].file)
        assert list(there.columns) == ["file", "row", "prediction"] and list(there.row) == [0, 1, 2]
        assert list(there.prediction) == _shown(example)
    example.astype({"size": str}).assign(size="xl").to_parquet("in.parquet")
    given = input_of("in.parquet")
    with pytest.raises(InvalidInput, match="'size' has xl in row 0: all@1 knows l, m, s"):
        scorer(_plan(version, given, None, False))(given.parts[0])
    example.assign(new=pd.array([True, None, False], "boolean")).to_parquet("in.parquet")
    given = input_of("in.parquet")
    with pytest.raises(InvalidInput, match="the column 'new' is missing: in row 1; all@1 needs yes or no"):
        scorer(_plan(version, given, None, False))(given.parts[0])


def test_names_are_told_apart_and_what_a_kill_left_is_no_foreign_file(churn: mlops.Version) -> None:
    people()[0].to_parquet("in.csv.parquet")
    Path("note").touch()
    given = input_of("in.csv.parquet")
    assert scorer(_plan(churn, given, None, False))(given.parts[0])["rows"] == len(people()[0])
    twice = people()[0].rename_axis("age")
    for table in (twice, dask.dataframe.from_pandas(twice, npartitions=2)):
        with pytest.raises(InvalidInput, match="There are two columns 'age': an index is one, too"):
            mlops.score(churn, table, out="out")
    Path("out").mkdir()
    Path("out/._scoring.json.7-7").touch()
    assert ScoreFolder("out").note() is None
    ScoreFolder("out").tidy()
    assert not list(Path("out").iterdir())


def test_parts_of_a_table_have_so_many_bytes_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "BYTES", 40_000)
    rows = pd.DataFrame({"id": range(100), "text": ["x"] * 50 + ["x" * 5_000] * 50})
    for table in (rows, rows.astype({"text": object})):
        parts = input_of(table).parts
        assert pd.concat([part.frame for part in parts]).equals(table)
        assert all(part.frame.memory_usage(index=False, deep=True).sum() <= 40_000 for part in parts)
        assert [part.name for part in parts[:2]] == ["rows 0 to 49", "rows 50 to 55"]


def test_a_thousand_rows_have_a_price_and_not_a_thousand_parts() -> None:
    run = RunState(id="0" * 12, name="score", kind="map", cluster="c", owner="o", created=0, done=4, rows=8000)
    assert per_thousand(run.model_copy(update={"cost": Cost(amount=2.0)})) == 0.25
    result = ScoreResult("churn@3", "/scores", 10_000, 5, scored=8000, seconds=90, cost=Cost(amount=2.0))
    assert result.per_thousand == 0.25 and "8,000 scored now, in 1 min 30 s, $0.25 per 1,000 rows." in str(result)
    assert ScoreResult("churn@3", "/scores", 10_000, 5).per_thousand is None

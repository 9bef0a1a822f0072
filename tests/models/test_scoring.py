"""Scoring, as far as it needs no cluster: what is refused at once, and what a worker does with a part."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cloudpickle
import dask.dataframe
import numpy as np
import pandas as pd
import pytest
from pyarrow import parquet

import jupyter_mlops as mlops
from jupyter_mlops.agent import runner
from jupyter_mlops.core.errors import ClusterUnreachable, Conflict, InvalidInput, MlopsError, NotFound, UnknownVersion
from jupyter_mlops.core.price import Cost
from jupyter_mlops.core.run import RunState, per_thousand
from jupyter_mlops.core.scoring import Scoring
from jupyter_mlops.home.models import model_folder
from jupyter_mlops.registry.scoring import api, inputs
from jupyter_mlops.registry.scoring.api import ScoreResult
from jupyter_mlops.registry.scoring.folder import NOTE, ScoreFolder, check_same
from jupyter_mlops.registry.scoring.inputs import input_of
from jupyter_mlops.registry.scoring.part import ScorePlan, ask_rows, rows_of, scorer
from jupyter_mlops.registry.scoring.plan import keys_of, plan_of

from .conftest import fitted, people

#: A note of the call that a plan is of.
NOTED = '{"claim": ""}'


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
        # of a column with a type for texts, as pandas 3 makes them, the table says so; else its first value does
        (lambda: _with(age="old"), {}, InvalidInput, "'age' has text: (in the table; )?churn@1 takes whole numbers"),
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
    return plan_of(model_folder(version.record.model), version.record, given, chosen, chances, str(Path.cwd()), "_note")


def test_workers_need_no_copy_of_what_they_do(churn: mlops.Version, tmp_path: Path) -> None:
    Path("_note").write_text(NOTED)
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
    Path("_note").unlink()
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
    Path("_note").write_text(NOTED)
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


def _scored(version: mlops.Version, data: Any, keys: list[str] | None = None) -> pd.DataFrame:
    """The answers to all parts, read as one folder, as their user does."""
    given = input_of(data)
    Path("out").mkdir()
    Path("out/_note").write_text(NOTED)
    score = scorer(replace(_plan(version, given, keys, False), folder="out"))
    for part in given.parts:
        score(part)
    assert len({parquet.read_schema(f"out/{part.file}").remove_metadata() for part in given.parts}) == 1
    return pd.read_parquet("out")


def test_keys_in_csv_are_text_as_it_is_written(churn: mlops.Version) -> None:
    ids = ["3.10", "+4917", "1234567890123456789", "12e4", "NA", "", "True", "2026-01-01", *["1"] * 1000, "007"]
    X = people(rows=len(ids))[0]
    X.assign(id=ids, no=range(len(ids))).to_csv("in.csv", index=False)
    there = _scored(churn, "in.csv")
    assert list(there.id) == ids and list(there.no) == [str(number) for number in range(len(ids))]
    assert list(there.prediction) == list(churn.load().predict(X))
    X.assign(income="1e3").to_csv("in.csv", index=False)
    shutil.rmtree("out")
    assert list(_scored(churn, "in.csv", ["income"]).income) == ["1e3"] * len(ids), "also what the version takes"


def test_all_parts_have_the_same_columns_whatever_is_in_them() -> None:
    big = 2**60 + 1
    rows = pd.DataFrame({"x": [1.0, 2.0, 3.0], "id": pd.array([big, 2, None], "Int64"), "tag": [None, None, "b"]})
    for name, table in {"a": rows[:0], "b": rows[:2].astype({"id": "int64"}), "c": rows}.items():
        table.to_parquet(f"{name}.parquet")
    rows.assign(tag=rows.tag.astype("category"))[1:].to_parquet("d.parquet")
    three = mlops.save_model(lambda X: np.outer(X["x"], [1, 2, 3]), "three", example=rows[["x"]])
    there = _scored(three, "*.parquet")
    assert list(there.columns) == ["id", "tag", "prediction_0", "prediction_1", "prediction_2"]
    assert list(there.prediction_2) == [3.0, 6.0, 3.0, 6.0, 9.0, 6.0, 9.0]
    keys = parquet.read_table("out")["id"]
    assert keys.type == "int64" and keys.to_pylist() == [big, 2, big, 2, None, 2, None]
    rows.assign(id="x").to_parquet("e.parquet")
    with pytest.raises(InvalidInput, match=r"'id' has several types: int64 in .* and .*string in .*e\.parquet"):
        _plan(three, input_of("*.parquet"), None, False)
    says = mlops.save_model(lambda X: ["low" if x < 2 else "high" for x in X["x"]], "says", example=rows[["x"]])
    shutil.rmtree("out")
    assert list(_scored(says, ["a.parquet", "b.parquet"]).prediction) == ["low", "high"]
    moody = mlops.save_model(lambda X: X["x"] if len(X) > 2 else X["x"] > 1, "moody", example=rows[["x"]][:2])
    shutil.rmtree("out")
    with pytest.raises(InvalidInput, match="An answer of moody@1 is no bool"):
        _scored(moody, ["c.parquet"])


def test_columns_of_arrays_are_found_by_their_names() -> None:
    weights = np.array([1.0, 10.0])
    version = mlops.save_model(lambda X: X @ weights, "weighs", example=np.eye(2))
    pd.DataFrame({"id": [1], "a": [1.0], "b": [2.0]}).to_parquet("1.parquet")
    pd.DataFrame({"b": [2.0], "id": [2], "a": [1.0]}).to_parquet("2.parquet")
    assert list(_scored(version, "*.parquet", ["id"]).prediction) == [21.0, 21.0]
    pd.DataFrame({"id": [1], "a": [1.0], "c": [2.0]}).to_csv("3.csv", index=False)
    with pytest.raises(InvalidInput, match=r"The column 'b' is missing: .*3\.csv has 'id', 'a' and 'c'"):
        _plan(version, input_of(["1.parquet", "3.csv"]), ["id"], False)


def test_a_table_of_numbers_only_is_asked_as_it_is() -> None:
    """With its order, type and gaps, whatever the model writes into it; a value that must not be missing is named."""

    def model(X: pd.DataFrame) -> np.ndarray[Any, Any]:
        found = (X["a"].fillna(7) + 10 * X["b"]).to_numpy(copy=True)
        X.loc[:, "a"] = 0.0
        return found

    version = mlops.save_model(model, "numbers", example=pd.DataFrame({"a": [1, np.nan], "b": [1.0, 2]}))
    table = pd.DataFrame({"a": [0.5, np.nan, 2.5], "b": [1.0, 2, 3]})
    plan = _plan(version, input_of(table), [], False)
    for frame in (table, table[["b", "a"]], table.astype({"b": int}), table.astype({"b": "Float64"})):
        rows = rows_of(plan, frame)
        pd.testing.assert_frame_equal(rows.back(), table)
        assert [ask_rows(plan, rows).tolist() for _ in range(2)] == [[10.5, 27, 32.5]] * 2
        whole = replace(plan, columns=[(name, dtype, False) for name, dtype, _ in plan.columns])
        with pytest.raises(InvalidInput, match="column 'a' is missing: in row 1; numbers@1 needs numbers"):
            rows_of(whole, frame)
    assert table["a"][0] == 0.5


def test_a_folder_has_scores_of_one_order_and_of_one_kind() -> None:
    there = Scoring(model="weighs", number=1, digest="", takes=["a", "b"], columns=["id: int64", "prediction: double"])
    for change, said in (
        ({"takes": ["b", "a"]}, "has scores of other columns, or of them in another order: a and b there, b and a now"),
        (
            {"columns": ["id: string", "prediction: double"]},
            "has scores with other columns: id: int64 there, id: string",
        ),
        ({"columns": there.columns[::-1]}, "has scores with other columns: in another order"),
    ):
        with pytest.raises(Conflict, match=said):
            check_same(ScoreFolder("out"), there, there.model_copy(update=change))
    check_same(ScoreFolder("out"), there, there.model_copy(update={"run": "0" * 12, "claim": "another"}))


def test_names_are_told_apart_and_what_a_kill_left_is_no_foreign_file(churn: mlops.Version) -> None:
    people()[0].to_parquet("in.csv.parquet")
    Path("_note").write_text(NOTED)
    given = input_of("in.csv.parquet")
    assert scorer(_plan(churn, given, None, False))(given.parts[0])["rows"] == len(people()[0])
    twice = people()[0].rename_axis("age")
    for table in (twice, dask.dataframe.from_pandas(twice, npartitions=2)):
        with pytest.raises(InvalidInput, match="There are two columns 'age': an index is one, too"):
            mlops.score(churn, table, out="out")
    Path("out").mkdir()
    Path("out/._scoring.json.7-7").touch()
    assert ScoreFolder("out").note() is None
    ScoreFolder("out").claim(None, Scoring(model="churn", number=1, digest=""))
    assert [path.name for path in Path("out").iterdir()] == [NOTE]


def test_parts_of_a_table_have_so_many_bytes_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "BYTES", 40_000)
    rows = pd.DataFrame({"id": range(100), "text": ["x"] * 50 + ["x" * 5_000] * 50})
    for table in (rows, rows.astype({"text": object})):
        parts = input_of(table).parts
        assert pd.concat([part.frame for part in parts]).equals(table)
        assert all(part.frame.memory_usage(index=False, deep=True).sum() <= 40_000 for part in parts)
        assert [part.name for part in parts[:2]] == ["rows 0 to 49", "rows 50 to 55"]


@pytest.mark.parametrize("fresh", [False, True])
def test_files_of_others_are_neither_removed_nor_written_over(churn: mlops.Version, fresh: bool) -> None:
    rows = people()[0]
    Path("out").mkdir()
    takes, columns = ["age", "income"], ["index: int64", "prediction: string"]
    note = Scoring(model="churn", number=1, digest=churn.record.digest, takes=takes, columns=columns)
    ScoreFolder("out").claim(None, note)
    rows.to_parquet("out/part-00000.parquet")
    with pytest.raises(Conflict, match=r"has something else in it than scores: part-00000\.parquet can't be told"):
        mlops.score(churn, rows, out="out", fresh=fresh)
    assert pd.read_parquet("out").equals(rows)


def test_of_two_calls_one_has_the_folder(churn: mlops.Version, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, folder = people()[0], ScoreFolder("out")
    given = input_of(rows)
    ours = Scoring(model="churn", number=1, digest=churn.record.digest, run="0" * 12, claim="ours")
    score = scorer(replace(_plan(churn, given, None, False), folder="out", note=NOTE, claim="ours"))
    folder.claim(None, ours)
    with pytest.raises(Conflict, match="out is being scored into: run 000000000000 began meanwhile"):
        folder.claim(None, ours.model_copy(update={"claim": "theirs"}))
    score(given.parts[0])

    async def silent(run: str) -> Any:
        raise ClusterUnreachable(f"The cluster of {run} doesn't answer")

    with monkeypatch.context() as patched:
        patched.setattr(api, "state_now", silent)
        with pytest.raises(Conflict, match="out may be being scored into: run 000000000000 can't be seen: The cluster"):
            mlops.score(churn, rows, out="out")
    folder.claim(ours, ours.model_copy(update={"run": "1" * 12, "claim": "theirs"}), folder.parts())
    with pytest.raises(Conflict, match="out isn't this run's any more: run 111111111111 scores into it since"):
        score(given.parts[0])
    assert list(folder.parts()) == []


def test_a_thousand_rows_have_a_price_and_not_a_thousand_parts() -> None:
    run = RunState(id="0" * 12, name="score", kind="map", cluster="c", owner="o", created=0, done=4, rows=8000)
    assert per_thousand(run.model_copy(update={"cost": Cost(amount=2.0)})) == 0.25
    result = ScoreResult("churn@3", "/scores", 10_000, 5, scored=8000, seconds=90, cost=Cost(amount=2.0))
    assert result.per_thousand == 0.25 and "8,000 scored now, in 1 min 30 s, $0.25 per 1,000 rows." in str(result)
    assert ScoreResult("churn@3", "/scores", 10_000, 5).per_thousand is None

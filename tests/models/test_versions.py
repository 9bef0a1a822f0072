"""Saving a version and getting it back, as its users do."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.ensemble import RandomForestRegressor
from sklearn.preprocessing import StandardScaler

import jupyter_mlops as mlops
from jupyter_mlops.core.errors import (
    Conflict,
    InvalidInput,
    ModelChanged,
    NotPicklable,
    Refused,
    UnknownModel,
    UnknownVersion,
)

from .conftest import fitted, people


def test_a_version_has_what_is_needed_to_trust_it(home: Path) -> None:
    valid = people(1)
    version = mlops.save_model(fitted(), "churn", valid=valid, train=people(0), note="Who leaves.")
    record, folder = version.record, version.path.parent
    assert (version.name, record.task, record.flavor, record.python) == (
        "churn@1",
        "classification",
        "sklearn",
        ".".join(map(str, sys.version_info[:3])),
    )
    accuracy = version.metrics["accuracy"]
    assert accuracy.value == np.mean(fitted().predict(valid[0]) == valid[1])
    assert accuracy.low is not None and accuracy.high is not None and accuracy.low < accuracy.value < accuracy.high
    assert {"roc_auc", "log_loss", "f1"} <= set(version.metrics)
    assert [(c.name, c.dtype) for c in record.signature.columns] == [("age", "int64"), ("income", "float64")]
    assert record.packages["scikit-learn"] and record.packages["numpy"] and record.packages["pandas"]
    assert record.made.train and record.made.valid and record.made.train != record.made.valid
    baseline = version.baseline
    assert baseline is not None and baseline.rows_of == "train" and baseline.answers is not None
    assert [len(bins.counts) for bins in baseline.features] == [20, 20] and baseline.answers.values
    head = yaml.safe_load(version.card.split("---")[1])
    assert (head["library_name"], head["pipeline_tag"]) == ("sklearn", "tabular-classification")
    assert "Who leaves." in version.card and "SHA-256" in version.card
    bill = json.loads((folder / "sbom.json").read_text())
    licence = {each["name"]: each.get("licenses") for each in bill["components"]}
    assert bill["bomFormat"] == "CycloneDX" and "BSD" in json.dumps(licence["scikit-learn"])
    for path in [home / "models", *(home / "models").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_version_is_loaded_as_it_was(home: Path) -> None:
    X, y = people(1)
    mlops.save_model(fitted(), "churn", valid=(X, y))
    model = mlops.model("churn").load(1)
    assert (model.predict(X) == fitted().predict(X)).all()
    assert "churn@1: accuracy 0." in repr(mlops.model("churn")) and repr(mlops.models()).startswith("churn@1")
    with pytest.raises(UnknownModel, match="Did you mean 'churn'"):
        mlops.model("chrun")
    with pytest.raises(UnknownVersion, match="churn@2"):
        mlops.model("churn").version(2)
    with pytest.raises(UnknownVersion, match="none of its versions was promoted"):
        mlops.model("churn").load()


def test_mlflow_loads_what_was_saved(home: Path) -> None:
    """As a program without this package: sklearn by its own flavor, a function by the loader that travels with it."""
    X, y = people(1)
    (Path.cwd() / "beside.py").write_text("def rule(X):\n    return (X['age'] > 50).to_numpy()\n")
    sys.path.insert(0, str(Path.cwd()))
    try:
        import beside  # type: ignore[import-not-found]

        function = mlops.save_model(beside.rule, "rule", valid=(X, X["age"] > 50))
    finally:
        sys.path.remove(str(Path.cwd()))
        del sys.modules["beside"]
    forest = RandomForestRegressor(5, random_state=0).fit(X[["age"]].to_numpy(), X["income"])
    pipeline = mlops.save_model(fitted(), "churn", valid=(X, y))
    array = mlops.save_model(forest, "income", valid=(X[["age"]].to_numpy(), X["income"]))
    X.to_pickle("X.pkl")
    code = """
import sys, mlflow, pandas as pd
X = pd.read_pickle("X.pkl")
found = [mlflow.pyfunc.load_model(path) for path in sys.argv[1:]]
assert "jupyter_mlops" not in sys.modules
print(found[0].predict(X)[:3].tolist(), found[1].predict(X)[:3].tolist(), found[2].predict(X[["age"]].to_numpy())[:3])
print(type(mlflow.sklearn.load_model(sys.argv[2])).__name__, found[1].input_example.shape)
"""
    paths = [str(each.path) for each in (function, pipeline, array)]
    environ = {**os.environ, "PYTHONPATH": "", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-c", code, *paths], check=True, capture_output=True, text=True, env=environ
    ).stdout
    expected = [(X["age"] > 50)[:3].tolist(), fitted().predict(X)[:3].tolist()]
    assert done.startswith(f"{expected[0]} {expected[1]} {forest.predict(X[['age']].to_numpy())[:3]}")
    assert done.splitlines()[1] == "Pipeline (5, 2)"


def test_nothing_is_loaded_that_has_changed_by_a_byte(home: Path) -> None:
    version = mlops.save_model(fitted(), "churn", valid=people(1))
    path = version.path / "model.pkl"
    data = path.read_bytes()
    for spoil, said in (
        (lambda: path.write_bytes(data[:-1] + bytes([data[-1] ^ 1])), "artifact/model.pkl has changed"),
        (lambda: path.write_bytes(data) and (path.parent / "code.py").write_text(""), "artifact/code.py was added"),
        (lambda: (path.parent / "code.py").unlink() or path.unlink(), "artifact/model.pkl is missing"),
    ):
        spoil()
        with pytest.raises(ModelChanged, match=said):
            version.load()
        assert not version.verify()[0].passed
    path.write_bytes(data)
    version.load()
    version.path.chmod(0o777)
    with pytest.raises(Refused, match="others may have written it"):
        version.load()


def test_a_record_that_was_rewritten_with_its_files_is_told_by_the_trail(home: Path) -> None:
    version = mlops.save_model(fitted(), "churn", valid=people(1))
    other = mlops.save_model(fitted(5), "other", valid=people(1))
    text = (other.path.parent / "version.json").read_text().replace('"other"', '"churn"')
    for file in other.path.parent.rglob("*"):
        if file.is_file():
            (version.path.parent / file.relative_to(other.path.parent)).write_bytes(file.read_bytes())
    (version.path.parent / "version.json").write_text(text)
    with pytest.raises(ModelChanged, match="its trail has another digest"):
        mlops.model("churn").load(1)


def test_an_environment_that_differs_is_told_and_so_is_another_answer(home: Path) -> None:
    version = mlops.save_model(lambda X: X.sum(1), "sums", valid=(np.ones((9, 2)), np.full(9, 2.0)))
    record = version.record
    changed = record.model_copy(update={"packages": {**record.packages, "numpy": "1.0"}, "python": "2.7.1"})
    (version.path.parent / "version.json").write_text(changed.model_dump_json())
    with pytest.warns(UserWarning, match=r"Python 2\.7\.1, here 3\S+ and numpy 1\.0, here 2"):
        mlops.model("sums").load(1)
    assert [f.passed for f in mlops.model("sums").version(1).verify()] == [True, False, True]

    class Moody:
        def predict(self, X: Any) -> Any:
            return np.full(len(X), float(os.environ.get("MOOD", "1")))

    moody = mlops.save_model(Moody(), "moody", valid=(np.ones((9, 2)), np.ones(9)))
    moody.load()
    os.environ["MOOD"] = "2"
    try:
        with pytest.raises(ModelChanged, match=r"row 0 gives 2\.0, and gave 1\.0"):
            moody.load()
    finally:
        del os.environ["MOOD"]


X, Y = people(1, 60)


def locked() -> Any:
    """A model that holds what can't be pickled."""
    model = fitted()
    model.steps[0][1].guard = threading.Lock()
    return model


class Lazy:
    def predict(self, X: Any) -> Any:
        return [1]


@pytest.mark.parametrize(
    ("model", "name", "options", "error", "said"),
    [
        (fitted, "Churn!", {}, InvalidInput, "may have up to 48 small letters"),
        (fitted, "../churn", {}, InvalidInput, "may have up to 48 small letters"),
        ({"a": 1}, "churn", {}, InvalidInput, "A dict can't be saved as a model: it has no method predict"),
        (StandardScaler(), "churn", {}, InvalidInput, "no method predict"),
        (StandardScaler, "churn", {}, InvalidInput, "StandardScaler is a class"),
        (locked, "churn", {}, NotPicklable, r"guard is a _thread\.lock"),
        (fitted, "churn", {"valid": X}, InvalidInput, r"valid must be \(X, y\)"),
        (fitted, "churn", {"valid": (X, Y[:-1])}, InvalidInput, "X has 60 rows, and y has 59"),
        (fitted, "churn", {"valid": (X[:0], Y[:0])}, InvalidInput, "valid has no rows"),
        (fitted, "churn", {"valid": (X[["age"]], Y)}, InvalidInput, "can't answer the rows: ValueError"),
        (fitted, "churn", {"valid": (X.assign(age=[[1]] * 60), Y)}, InvalidInput, "column 'age' of valid's X can't"),
        (fitted, "churn", {"valid": (X, np.arange(60))}, InvalidInput, "answers with text, and y holds numbers"),
        (fitted, "churn", {"valid": (X, [None, *Y[1:]])}, InvalidInput, "1 of 60 values are missing .* in row 0"),
        (fitted, "churn", {"valid": (X, np.full(60, np.nan))}, InvalidInput, "60 of 60 values are missing"),
        (fitted, "churn", {"valid": ("text", Y)}, InvalidInput, "valid's X is a str"),
        (Lazy(), "churn", {"valid": (X, Y)}, InvalidInput, "it gave 1 answers to 60 rows"),
        (fitted, "churn", {"example": X[["income"]], "valid": (X, Y)}, InvalidInput, "are not alike"),
        (fitted, "churn", {"metrics": {"a": "high"}}, InvalidInput, "'a' is 'high'"),
        (fitted, "churn", {"task": "magic"}, InvalidInput, "There are: classification, regression, other"),
        (fitted, "churn", {"run": "0123456789ab"}, mlops.errors.UnknownRun, "0123456789ab"),
    ],
)
def test_what_can_not_be_a_version_is_said_and_nothing_is_kept(
    home: Path, model: Any, name: str, options: dict[str, Any], error: type[Exception], said: str
) -> None:
    given = model() if model in (fitted, locked) else model  # not while tests are collected: each process does that
    with pytest.raises(error, match=said):
        mlops.save_model(given, name, **options)
    assert not [path for path in home.rglob("*") if path.is_file() and path.name != ".lock"]
    assert not list((home / "models").rglob("versions/*"))


def test_a_full_disk_leaves_nothing(home: Path) -> None:
    """A limit on a process's files stands for the disk: what is written beyond it fails in the midst of a file."""
    code = """
import resource, signal, sys, numpy as np
import jupyter_mlops as mlops
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
mlops.save_model(lambda X: X[:, 0], "small", valid=(np.ones((5, 2)), np.ones(5)))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
weights = np.random.default_rng(0).random(100_000)
try:
    mlops.save_model(lambda X: X[:, 0] + weights[0], "small", valid=(np.ones((5, 2)), np.ones(5)))
except mlops.MlopsError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "can't be used now: File too large" in done.stdout
    assert [path.name for path in (home / "models" / "small" / "versions").iterdir()] == ["1"]
    assert [entry.object for entry in mlops.model("small").trail] == ["small@1"]


@pytest.mark.skipif(os.getuid() == 0, reason="root writes anywhere")
def test_a_home_that_can_not_be_written_is_said(home: Path) -> None:
    home.mkdir(mode=0o500)
    with pytest.raises(Refused, match="can't be written"):
        mlops.save_model(fitted(), "churn")


def test_what_is_known_of_a_model_without_rows_is_kept(home: Path) -> None:
    version = mlops.save_model(fitted(), "churn", metrics={"auc elsewhere": 0.9})
    assert version.record.signature.kind == "unknown" and version.metrics["auc elsewhere"].low is None
    assert version.baseline is None
    version.load()


def test_many_kinds_of_columns_come_back_as_they_were(home: Path) -> None:
    X = pd.DataFrame(
        {
            "text": ["a", None, "c"],
            "kind": pd.Categorical(["low", "high", "low"], ["low", "high"], ordered=True),
            "day": pd.to_datetime(["2026-01-01", None, "2026-01-03"]),
            "whole": pd.array([1, None, 3], dtype="Int64"),
            "yes": [True, False, True],
            "float": np.array([1, 2, 3], np.float32),
        }
    )

    def seen(rows: pd.DataFrame) -> list[str]:
        return [f"{row.text} {row.kind} {row.day} {row.whole} {row.yes}" for row in rows.itertuples()]

    version = mlops.save_model(seen, "seen", valid=(X, seen(X)))
    assert version.metrics["accuracy"].value == 1.0, "the rows that were kept are those that were given"
    version.load()


def test_a_version_that_others_are_saving_at_the_same_time_gets_a_number_of_its_own(home: Path) -> None:
    saved: list[int] = []

    def save() -> None:
        saved.append(mlops.save_model(len_of, "lengths").number)

    threads = [threading.Thread(target=save) for _ in range(6)]
    [thread.start() for thread in threads], [thread.join() for thread in threads]
    assert sorted(saved) == [1, 2, 3, 4, 5, 6]
    assert mlops.model("lengths").verify()[0].passed


def len_of(X: Any) -> Any:
    return np.full(len(X), len(X))


def test_a_random_model_is_loaded_without_its_answer_being_compared(home: Path) -> None:
    rng = np.random.default_rng()
    version = mlops.save_model(lambda X: rng.random(len(X)), "dice", valid=(np.ones((9, 2)), np.linspace(0, 2, 9)))
    assert "Asked twice" in version.card
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        version.load()


def test_a_worker_elsewhere_says_how_to_save_instead(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Runner:
        RUNNER = type("Runner", (), {"run": "0123456789ab"})

    monkeypatch.setitem(sys.modules, "jupyter_mlops_agent.runner", Runner)  # type: ignore[arg-type]
    with pytest.raises(Conflict, match=r"save it in the notebook: mlops.save_model\(model, name, run=run\)"):
        mlops.save_model(fitted(), "churn")


def test_what_is_installed_elsewhere_than_usual_is_a_package_and_no_code_beside_the_notebook(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by `pip install --target`: its compiled parts would not go along."""
    folder = Path.cwd() / "target"
    (folder / "oddly_placed-1.5.dist-info").mkdir(parents=True)
    (folder / "oddly_placed-1.5.dist-info" / "METADATA").write_text("Name: oddly_placed\nVersion: 1.5\n")
    (folder / "oddly_placed.py").write_text("def rule(X):\n    return X[:, 0]\n")
    monkeypatch.syspath_prepend(str(folder))
    import oddly_placed  # type: ignore[import-not-found]

    version = mlops.save_model(oddly_placed.rule, "odd", example=np.ones((2, 2)))
    assert version.record.packages["oddly-placed"] == "1.5"
    assert [path.name for path in (version.path / "code").iterdir()] == ["mlops_model_loader.py"]
    monkeypatch.delitem(sys.modules, "oddly_placed")

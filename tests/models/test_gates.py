"""Gates, promotions, and what the trail says of them."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jupyter_mlops as mlops
from jupyter_mlops.core.errors import Conflict, GatesFailed, InvalidSpec, ModelChanged
from jupyter_mlops.core.gate import GateResult
from jupyter_mlops.core.model import PackageCheck, Vulnerability
from jupyter_mlops.core.trail import Actor
from jupyter_mlops.home.models import model_folder
from jupyter_mlops.registry.promote import promote

from .conftest import fitted, people

ROWS = np.column_stack([np.arange(1000.0), np.arange(1000) % 4])
TRUTH = ROWS[:, 0] % 2


def right_in(share: float) -> Any:
    """A model that is right in the first `share` of the rows."""
    return lambda X: np.where(X[:, 0] < share * 1000, X[:, 0] % 2, 1 - X[:, 0] % 2).astype(int)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with three versions, saved once: to save takes seconds of a CPU."""
    path = tmp_path_factory.mktemp("saved") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_MLOPS_HOME", str(path))
        for share in (0.80, 0.81, 0.90):
            mlops.save_model(right_in(share), "coins", valid=(ROWS, TRUTH.astype(int)))
    return path


@pytest.fixture
def coins(saved: Path, home: Path) -> mlops.Model:
    """These versions in the test's own home."""
    shutil.copytree(saved, home)
    return mlops.model("coins")


def result(model: mlops.Model, number: int, gate: str) -> GateResult:
    return next(each for each in model.judge(number).results if each.gate == gate)


def test_a_promotion_moves_the_champion_and_is_in_the_trail(coins: mlops.Model) -> None:
    assert coins.champion is None
    coins.promote(1, why="the first")
    coins.promote()
    assert coins.champion is not None and coins.champion.number == 3
    assert "coins@3 (champion)" in repr(coins) and coins.load()(ROWS[:2]).tolist() == [0, 1]
    told = [(each.verb, each.object, each.before, each.after, each.why) for each in coins.trail[3:]]
    assert told == [("promoted", "coins@1", "", "1", "the first"), ("promoted", "coins@3", "1", "3", "")]
    with pytest.raises(Conflict, match="is the champion already"):
        coins.promote(3)
    assert all(each.passed for each in coins.verify())


def test_a_promotion_that_fails_a_gate_is_refused_with_figures(coins: mlops.Model) -> None:
    coins.set_gates(metrics={"accuracy": {"least": 0.85}, "f1": {"most": 1}}, why="agreed in May")
    with pytest.raises(GatesFailed, match=r"accuracy: 0\.8 \(0\.7\d+ to 0\.8\d+\), wanted at least 0\.85"):
        coins.promote(1)
    assert coins.champion is None
    coins.promote(1, override="the board wants it today")
    ruled, refused, promoted = coins.trail[3:]
    assert (ruled.verb, ruled.why, json.loads(ruled.after)["metrics"]["accuracy"]) == (
        "ruled",
        "agreed in May",
        {"least": 0.85},
    )
    assert (refused.verb, [each.passed for each in refused.gates]) == ("refused", [False, True])
    assert (promoted.verb, promoted.override, promoted.why) == ("promoted", True, "the board wants it today")
    assert promoted.gates == refused.gates


def test_an_override_without_a_reason_is_none(coins: mlops.Model) -> None:
    coins.set_gates(size="1 B")
    with pytest.raises(GatesFailed, match="size: "):
        coins.promote(1, override="  ")


def test_an_improvement_is_asked_of_the_same_rows(coins: mlops.Model) -> None:
    coins.set_gates(improvement={"least": 0.005})
    assert "no champion" in result(coins, 1, "improvement").words
    coins.promote(1)
    small, large = (result(coins, number, "improvement") for number in (2, 3))
    assert small.value == pytest.approx(0.01) and small.low is not None and small.low > 0
    assert small.passed and large.passed, "each row that one is right in the other is, too: there is little doubt"
    coins.set_gates(improvement={"least": 0.009})
    assert not result(coins, 2, "improvement").passed
    assert (
        "accuracy is 0.01 better than that of coins@1 on the same 1,000 rows" in result(coins, 2, "improvement").words
    )


def test_a_champion_that_was_measured_on_other_rows_answers_these(coins: mlops.Model) -> None:
    coins.promote(1)
    coins.set_gates(improvement={"metric": "accuracy"})
    half = (ROWS[:500], TRUTH[:500].astype(int))
    mlops.save_model(right_in(0.95), "coins", valid=half)
    assert result(coins, 4, "improvement").value == 0.0, "both are right in the first 800"
    mlops.save_model(right_in(0.95), "coins", valid=half, keep_rows=False)
    lost = result(coins, 5, "improvement")
    assert not lost.passed and "give them, promote(…, valid=(X, y))" in lost.words
    assert coins.judge(5, valid=(ROWS, TRUTH.astype(int))).results[0].value == pytest.approx(0.15)


def test_each_kind_of_gate_has_figures(coins: mlops.Model) -> None:
    passing = {
        "latency": "1s",
        "size": "10 MB",
        "slices": [{"column": "1", "metric": "accuracy", "least": 0.7}],
        "packages": {"licences": ["BSD", "MIT", "Apache", "0BSD", "Zlib", "CC0"], "forbidden": ["torch"]},
    }
    coins.set_gates(**passing)
    verdict = coins.judge(1)
    assert [each.gate for each in verdict.results] == ["latency", "size", "by 1", "licences", "packages"]
    assert not verdict.failed, [each.words for each in verdict.failed]
    assert repr(verdict).startswith("version 1 passes 5 gates\n  passed  latency: "), "as people read it in a notebook"
    coins.set_gates(
        latency=1e-9,
        size="100 B",
        slices=[{"column": "1", "least": 0.99}, {"column": "2", "least": 0}, {"column": "0", "least": 0}],
        packages={"licences": ["MIT"], "allowed": ["cloudpickle"], "checked_within": "30d"},
        metrics={"auc": {"least": 0.5}},
    )
    told = {each.gate: each.words for each in coins.judge(1).failed}
    assert "wanted at most 1e-06 ms" in told["latency"]
    assert "accuracy is 0.8 for 0.0" in coins.judge(1).results[3].words
    assert "there is no column '2'" in coins.judge(1).results[4].words
    assert "has 1,000 values" in told["by 0"]
    assert "cloudpickle (BSD" in told["licences"] and "numpy may not be used" in told["packages"]
    assert told["weaknesses"].startswith("not checked")
    assert told["auc"].startswith("auc wasn't measured; there are: accuracy")


def test_slices_of_few_rows_are_passed_over(coins: mlops.Model) -> None:
    X, y = people(1)
    X["region"] = np.where(X["age"] > 88, "north", "south")
    model = fitted()
    mlops.save_model(lambda X: model.predict(X[["age", "income"]]), "churn", valid=(X, y))
    churn = mlops.model("churn")
    churn.set_gates(slices=[{"column": "region", "least": 0.5, "rows": 50}])
    assert "1 value with less than 50 rows passed over" in result(churn, 1, "by region").words


def test_a_check_of_packages_is_worth_something_for_a_while(coins: mlops.Model) -> None:
    coins.set_gates(packages={"checked_within": "30d"})
    folder = model_folder("coins").version(1)
    found = [Vulnerability(package="numpy", version="2", id="PYSEC-1")]
    for age, weak, passed in ((86400, [], True), (31 * 86400, [], False), (0, found, False)):
        folder.write_check(PackageCheck(time=time.time() - age, found=weak))
        assert result(coins, 1, "weaknesses").passed is passed
    assert "numpy 2 (PYSEC-1)" in result(coins, 1, "weaknesses").words


def test_packages_are_looked_up_and_those_that_nobody_knows_are_told(
    coins: mlops.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a stand-in for pip-audit, which asks the internet: it answers what pip-audit does."""
    stand_in = tmp_path / "pip_audit.py"
    stand_in.write_text(
        "import json, sys\n"
        "asked = [line.split('==') for line in open(sys.argv[sys.argv.index('-r') + 1]).read().split()]\n"
        "weak = {'numpy': [{'id': 'PYSEC-1', 'fix_versions': ['9']}]}\n"
        "print(json.dumps({'dependencies': [{'name': n, 'version': v, 'vulns': weak.get(n, [])} if n != 'cloudpickle'\n"
        "    else {'name': n, 'skip_reason': 'Dependency not found on PyPI'} for n, v in asked], 'fixes': []}))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    check = coins.version(1).check_packages()
    assert [(each.package, each.id, each.fixed) for each in check.found] == [("numpy", "PYSEC-1", ["9"])]
    assert check.unknown == ["cloudpickle"] and coins.trail[-1].after == "1 known weakness, 1 unknown package"
    coins.set_gates(packages={"checked_within": "30d"})
    told = result(coins, 1, "weaknesses")
    assert not told.passed and "PYSEC-1" in told.words and "nothing is known of cloudpickle" in told.words
    stand_in.write_text("print('no answer')")
    with pytest.raises(mlops.errors.Unavailable, match="gave no answer"):
        coins.version(1).check_packages()


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"metrics": {"accuracy": {}}}, "must say least or most"),
        ({"metrics": {"accuracy": {"least": "high"}}}, "metrics.accuracy.least must be a number"),
        ({"metrics": {"accuracy": {"least": float("nan")}}}, "must be a number"),
        ({"metrics": {"accuracy": {"least": 2, "most": 1}}}, "least that is more than its most"),
        ({"latency": "50"}, "latency has no unit"),
        ({"latncy": 1}, "'latncy' is not a known field"),
        ({"size": 0}, "size must be more than 0"),
        ({"improvement": {"metric": "accurcy"}}, "there is no metric 'accurcy'"),
        ({"slices": [{"column": "a"}]}, "must say least or most"),
        ({"packages": {"checked_within": "soon"}}, "is no length of time"),
    ],
)
def test_gates_that_can_not_be_right_are_said(coins: mlops.Model, rules: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidSpec, match=said):
        coins.set_gates(**rules)
    assert coins.gates.empty and len(coins.trail) == 3


def test_gates_that_can_not_be_read_are_not_passed(coins: mlops.Model, home: Path) -> None:
    (home / "models" / "coins" / "gates.json").write_text('{"size": "la')
    with pytest.raises(mlops.errors.Unreadable, match="Repair that file"):
        coins.promote(1)
    assert coins.state.problem is not None


def test_of_two_who_promote_at_once_one_hears_of_the_other(coins: mlops.Model) -> None:
    """Both have looked before either asks."""
    both, told = threading.Barrier(2), {}

    folder = model_folder("coins")

    def ask(name: str, number: int) -> None:
        seen = folder.aliases().champion
        both.wait()
        try:
            promote(folder, number, expected=seen, actor=Actor(name=name, how="cli"))
        except Conflict as error:
            told[name] = str(error)

    threads = [threading.Thread(target=ask, args=each) for each in (("ada", 1), ("bea", 2))]
    [thread.start() for thread in threads], [thread.join() for thread in threads]
    (loser,) = told
    winner = "bea" if loser == "ada" else "ada"
    assert f"isn't promoted for {loser}: {winner} has promoted coins@" in told[loser]
    assert [each.actor.name for each in coins.trail if each.verb == "promoted"] == [winner]


def test_a_version_that_has_changed_is_not_promoted_whatever_the_reason(coins: mlops.Model) -> None:
    (coins.version(1).path / "model.pkl").write_bytes(b"")
    with pytest.raises(ModelChanged, match=r"model\.pkl has changed"):
        coins.promote(1, override="it has to be")


def test_a_trail_whose_end_was_cut_off_is_missed(coins: mlops.Model, home: Path) -> None:
    coins.promote(1)
    path = home / "models" / "coins" / "trail.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    finding = coins.verify()[0]
    assert not finding.passed and "entries up to number 4 were there, and 3 is the last now" in finding.words

"""What a step rests on besides its variables."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.client.send.capture import parse_cell
from jupyter_mlops.client.send.payload import ship_cell
from jupyter_mlops.core.errors import NotFound
from jupyter_mlops.core.step import StepRecord
from jupyter_mlops.home.steps import step_folder
from jupyter_mlops.pipelines.steps import StepAtHand

HELPERS = "import pandas\nPLACE = 'helped.csv'\ndef load():\n    import scipy\n    return open(PLACE).read()\n"

At = Callable[..., StepAtHand]


@pytest.fixture
def at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> At:
    """Makes a step from its code, in a folder with modules of which it needs one."""
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "step_helpers.py").write_text(HELPERS)
    (tmp_path / "step_plots.py").write_text("colour = 1\n")
    (tmp_path / "helped.csv").write_text("1")

    def made(source: str, **space: Any) -> StepAtHand:
        payload = ship_cell(source, parse_cell(source, "cell"), "cell", space, None)
        return StepAtHand("a.ipynb", "a", parse_cell(source, "cell"), payload, space, {})

    return made


def test_it_rests_on_the_modules_that_it_reaches(at_hand: At, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "import step_helpers\ny = step_helpers.load()"
    before = at_hand(source)
    assert {"python", "pandas", "scipy", "step_helpers.py"} <= before.parts.keys() - {"step_plots.py"}
    monkeypatch.syspath_prepend(tmp_path)
    __import__("step_plots")
    try:
        assert at_hand(source).parts == before.parts, "what else is loaded is no matter"
    finally:
        del sys.modules["step_plots"]
    (tmp_path / "step_helpers.py").write_text(HELPERS.replace("scipy", "numpy"))
    changed = at_hand(source).parts
    assert {name for name in {**before.parts, **changed} if before.parts.get(name) != changed.get(name)} == {
        "step_helpers.py",
        "scipy",
        "numpy",
    }
    assert "helped.csv" in before.files


def test_it_rests_on_settings_that_somebody_has_changed(at_hand: At) -> None:
    import sklearn

    source = "import sklearn.tree\ny = sklearn.tree.DecisionTreeClassifier()"
    assert "settings of sklearn" not in at_hand(source).parts
    with sklearn.config_context(transform_output="pandas", display="text"):
        assert "transform_output" in at_hand(source).parts["settings of sklearn"]


def test_it_says_what_it_lacks(at_hand: At) -> None:
    before = at_hand("y = sum(rows)", rows=[1])
    step_folder("a.ipynb", "a").note(StepRecord(name="a", key=before.key, parts=before.parts))
    assert "'rows' changed since" in at_hand("y = sum(rows)", rows=[2]).why()
    with pytest.raises(NotFound, match="a lacks 'rows'"):
        at_hand("y = sum(rows)").why()
    assert "its code" in at_hand("y = sum([])").why()


def test_it_rests_on_files_whose_paths_are_put_together(
    at_hand: At, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("data", "src/step_package"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "data" / "a.csv").write_text("1")
    (tmp_path / "src" / "step_package" / "rates.json").write_text("1")
    told = "from pathlib import Path\ndef rates(): return (Path(__file__).parent / 'rates.json').read_text()\n"
    (tmp_path / "src" / "step_package" / "__init__.py").write_text(told)
    monkeypatch.syspath_prepend(tmp_path / "src")
    monkeypatch.setenv("STEP_DATA", "data")
    source = "import os, step_package\ny = open(os.path.join(os.environ['STEP_DATA'], 'a.csv')).read()"
    files = at_hand(f"{source}\nz = step_package.rates()").files
    assert {"data/a.csv", str(tmp_path / "src" / "step_package" / "rates.json")} <= files.keys()
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    above = at_hand("y = (here.parent / 'data' / 'a.csv').read_text()", here=Path.cwd()).files
    assert set(above) == {"../data/a.csv"}

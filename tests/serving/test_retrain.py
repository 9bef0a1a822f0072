"""A service that is retrained: its notebook runs as a pipeline, in real processes, and what it saves is judged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import jupyter_mlops as mlops
from jupyter_mlops.core.errors import Conflict

from ..models.conftest import people
from ..runs.cluster import a_cluster
from .conftest import until

FIRST = """\
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
import jupyter_mlops as mlops"""

#: As `people`, of a world that the notebook reads a file about.
LOAD = """\
%%mlrun --step load --cluster retrains
years, noise = map(float, open("world.txt").read().split())
rng = np.random.default_rng(3)
X = pd.DataFrame({"age": rng.integers(18, 90, 400) + years, "income": rng.normal(3000, 800, 400)})
y = np.where(X["income"] + 20 * (X["age"] - years) + rng.normal(0, noise, 400) < 4000, "left", "stayed")"""

TRAIN = """\
%%mlrun --step train --cluster retrains
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)"""

SAVE = 'mlops.save_model(model, "churn", valid=(X, y), note="by the notebook")'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """With a home of its own, a cluster, a notebook, and the version that its pipeline saved first."""
    path = tmp_path_factory.mktemp("retrain")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_MLOPS_HOME", str(path / "home"))
        with a_cluster("retrains"):
            (path / "world.txt").write_text("0 400")
            notebook(path / "train.ipynb", FIRST, LOAD, TRAIN, SAVE)
            mlops.pipeline(path / "train.ipynb").run()
            mlops.model("churn").promote(1)
            mlops.model("churn").set_gates(metrics={"accuracy": {"least": 0.8}})
            yield path


def notebook(path: Path, *cells: str) -> Path:
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": source} for source in cells]}))
    return path


@pytest.fixture
def service(folder: Path) -> Iterator[mlops.Service]:
    made = mlops.deploy("churn@1", window="1 s", log=1.0, log_rows=100_000)
    yield made
    made.stop()


def test_a_pipeline_saves_what_a_plain_cell_saves_and_once(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    made = mlops.model("churn").version(1)
    assert made.record.made.notebook == str(folder / "train.ipynb") and made.record.made.program
    assert mlops.trail("churn")[0].actor.how == "pipeline"
    mlops.pipeline(folder / "train.ipynb").run()
    assert [version.number for version in mlops.model("churn").versions] == [1]
    assert "Cell 4 saved churn@1" in capfd.readouterr().out


def test_an_alarm_retrains_by_hand_and_what_comes_of_it_is_a_canary(folder: Path, service: mlops.Service) -> None:
    (folder / "world.txt").write_text("40 400")
    drift(service, 40)
    begun = service.retrain(why="they are older")
    assert begun.phase == "running" and begun.words.startswith("retraining since ")
    with pytest.raises(Conflict, match="is being retrained already"):
        service.retrain()
    until(lambda: (service.retraining or begun).step == "train")
    until(lambda: (service.retraining or begun).phase != "running")
    done = service.retraining
    print(Path(done.log).read_text(), done)
    assert done is not None and done.phase == "canary"


def drift(service: mlops.Service, years: int) -> None:
    """Have it asked about older people until that is an alarm."""
    seeds = iter(range(100, 10_000))

    def alarmed() -> bool:
        X, _ = people(next(seeds), 200)
        X["age"] += years
        service.predict(X)
        return service.state.alarm is not None

    until(alarmed)

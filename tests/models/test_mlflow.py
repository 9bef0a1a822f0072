"""MLflow's registry shows what is in the home folder, and what others registered there is listed here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import jupyter_mlops as mlops
from jupyter_mlops.tracking import pending

#: As somebody with MLflow alone.
OTHERS = """
import sys
from mlflow import MlflowClient, pyfunc, set_tracking_uri
set_tracking_uri(sys.argv[1])
client = MlflowClient()
client.create_registered_model("theirs")
for name in ("theirs", "ones"):
    client.create_model_version(name, source="/somewhere/else", description="by others")
found = client.get_model_version_by_alias("ones", "champion")
print(found.tags["mlops.version"], found.tags["metric.rmse"], len(client.search_model_versions("name = 'ones'")))
import numpy
print(pyfunc.load_model("models:/ones@champion").predict(numpy.ones((1, 1))))
"""


def test_the_registry_is_a_view_both_ways(home: Path, mlflow: None, monkeypatch: pytest.MonkeyPatch) -> None:
    # MLflow's processes are nice ones, and each save has begun one
    monkeypatch.setattr("jupyter_mlops.registry.handle._PATIENCE", 450.0)
    valid = (np.ones((20, 1)), np.full(20, 2.0))
    for value in (2.0, 2.5):
        mlops.save_model(lambda X, value=value: np.full(len(X), value), "ones", valid=valid)
    mlops.model("ones").promote(2)
    mlops.models(mlflow=True)
    assert pending.unsynced_models() == []
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", OTHERS, f"sqlite:///{home / 'mlflow.sqlite'}"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["2 0.5 3", "[2.5]"]
    found = {model.name: model for model in mlops.models(mlflow=True)}
    assert [version.record.registered for version in found["ones"].versions] == ["", "", "/somewhere/else"]
    assert "registered by others in MLflow" in repr(found["theirs"])
    with pytest.raises(mlops.errors.Refused, match="loading it would run their code"):
        found["theirs"].versions[0].load()


def test_without_tracking_nothing_is_started(home: Path) -> None:
    mlops.save_model(len, "lengths")
    assert [model.name for model in mlops.models(mlflow=True)] == ["lengths"]
    assert not (home / "mlflow.sqlite").exists()

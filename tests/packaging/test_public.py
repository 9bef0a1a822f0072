"""The names that users import, and what importing them costs."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import jupyter_mlops as mlops

NAMES = {
    "Cluster",
    "CostReport",
    "FailedItem",
    "Group",
    "Limits",
    "MlopsError",
    "Model",
    "Panel",
    "Pipeline",
    "Price",
    "Profile",
    "Replay",
    "Run",
    "Scores",
    "Service",
    "Sweep",
    "Version",
    "__version__",
    "checkpoint",
    "cluster",
    "clusters",
    "costs",
    "deploy",
    "errors",
    "fit",
    "get_run",
    "load_ipython_extension",
    "log",
    "log_metric",
    "log_param",
    "map",
    "model",
    "models",
    "panel",
    "pipeline",
    "profiles",
    "progress",
    "rank",
    "replay",
    "report",
    "resume",
    "run",
    "runs",
    "save_model",
    "score",
    "service",
    "services",
    "start",
    "stopping",
    "sweep",
    "trail",
    "train",
    "uniform",
    "unload_ipython_extension",
    "whole",
    "world",
}


def test_these_names_are_public() -> None:
    assert set(mlops.__all__) == NAMES
    assert set(mlops.profiles.__all__) == {"delete", "get", "list", "save"}


@pytest.mark.parametrize("name", sorted(NAMES - {"__version__"}))
def test_a_public_name_is_there_and_documented(name: str) -> None:
    assert inspect.getdoc(getattr(mlops, name))
    assert name in dir(mlops)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'cluser'"):
        mlops.cluser  # noqa: B018


def test_importing_it_imports_nothing_heavy() -> None:
    code = (
        "import sys\nimport jupyter_mlops\njupyter_mlops.load_ipython_extension\n"
        "print([m for m in ('pydantic', 'distributed', 'jupyter_server', 'kubernetes', 'mlflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=150, check=True)
    assert done.stdout.strip() == "[]"


def test_profiles_are_saved_listed_and_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    group = mlops.Group(workers=1, maximum=3, memory="600 MB")
    limits = mlops.Limits(idle_timeout="10 min", budget=1.0)
    price = mlops.Price(cpu_hour=0.03, source="an example")
    saved = mlops.profiles.save(mlops.Profile(name="mine", groups=[group], limits=limits, price=price))
    assert saved == mlops.profiles.get("mine") and saved in mlops.profiles.list()
    assert (saved.groups[0].memory, saved.limits.idle_timeout) == (600_000_000, 600)
    mlops.profiles.delete("mine")
    with pytest.raises(mlops.errors.UnknownProfile):
        mlops.profiles.get("mine")
    with pytest.raises(mlops.errors.NameTaken):
        mlops.profiles.delete("this-machine")

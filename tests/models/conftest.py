"""A home folder for each test, and rows to learn from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

ROWS = 400


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def people(seed: int = 0, rows: int = ROWS) -> tuple[pd.DataFrame, np.ndarray[Any, Any]]:
    """A table of people, and who of them left."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"age": rng.integers(18, 90, rows), "income": rng.normal(3000, 800, rows)})
    left = X["income"] + 20 * X["age"] + rng.normal(0, 400, rows) < 4000
    return X, np.where(left, "left", "stayed")


def fitted(seed: int = 0) -> Any:
    """A classifier that has seen such people."""
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(*people(seed))

"""The models that are served, and our services of them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import psutil
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import jupyter_mlops as mlops

from .load import Target

FEATURES = 30

NAMES = [f"feature{number}" for number in range(FEATURES)]


def rows(number: int, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray[Any, Any]]:
    """A table, and the class of each row."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(number, FEATURES)), columns=NAMES)
    return X, (X.sum(axis=1) + rng.normal(size=number) > 0).to_numpy().astype(int)


def small() -> Any:
    """A scaler and a logistic regression of 30 features."""
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(*rows(5000))


def as_split() -> bytes:
    """A row as MLflow's server wants it."""
    return json.dumps({"dataframe_split": {"columns": NAMES, "data": rows(1)[0].to_numpy().tolist()}}).encode()


def as_tensor(datatype: str = "FP64", name: str = "input") -> bytes:
    """A row as the Open Inference Protocol has it: one tensor."""
    tensor = {
        "name": name,
        "shape": [1, FEATURES],
        "datatype": datatype,
        "data": rows(1)[0].to_numpy().ravel().tolist(),
    }
    return json.dumps({"inputs": [tensor]}).encode()


def as_rows(name: str) -> bytes:
    """A row as a list of lists by a name."""
    return json.dumps({name: rows(1)[0].to_numpy().tolist()}).encode()


def target(service: mlops.Service, body: bytes, path: str = "") -> Target:
    """A service of ours as what is asked."""
    headers = {"Authorization": f"Bearer {service.token()}"}
    url = f"{service.address}{path or f'/v2/models/{service.state.model}/infer'}"
    return Target(url, body, lambda: [router(service), *replicas(service)], headers)


def replicas(service: mlops.Service) -> list[psutil.Process]:
    """The processes that answer."""
    return [psutil.Process(each.pid) for each in service.state.replicas if each.pid is not None]


def router(service: mlops.Service) -> psutil.Process:
    """The process that has the address."""
    found = replicas(service)[0].parent()
    assert found is not None
    return found

"""A graph of ONNX is a model as others are, and no code of anybody's is run to load it."""

from __future__ import annotations

from pathlib import Path

import cloudpickle
import numpy as np
import pytest

import jupyter_mlops as mlops

from .conftest import fitted, people

onnxruntime = pytest.importorskip("onnxruntime")
skl2onnx = pytest.importorskip("skl2onnx")


def test_a_graph_is_saved_read_back_and_served(home: Path) -> None:
    X, y = people(1)
    rows = X.to_numpy(np.float32)
    model = fitted().fit(rows, y)
    graph = skl2onnx.to_onnx(model, rows[:1], options={"zipmap": False})
    version = mlops.save_model(graph, "graph", valid=(rows, y))
    record = mlops.model("graph").version(1).record
    assert (record.flavor, record.runs_code, record.task) == ("onnx", False, "classification")
    assert (version.path / "model.onnx").read_bytes() == graph.SerializeToString()
    loaded = version.load()
    assert (loaded.predict(rows) == model.predict(rows)).all()
    assert (cloudpickle.loads(cloudpickle.dumps(loaded)).predict(rows) == model.predict(rows)).all()
    service = mlops.deploy("graph@1")
    try:
        assert (service.predict(rows) == model.predict(rows)).all()
    finally:
        service.stop()


def test_a_graph_with_an_input_for_each_column_is_given_them_by_name(home: Path) -> None:
    X, y = people(1)
    X = X.astype({"age": "float32", "income": "float32"})
    types = [(name, skl2onnx.common.data_types.FloatTensorType([None, 1])) for name in X.columns]
    graph = skl2onnx.to_onnx(fitted().fit(X, y), initial_types=types, options={"zipmap": False})
    version = mlops.save_model(graph, "columns", valid=(X[["income", "age"]], y))
    assert (version.load().predict(X) == fitted().fit(X, y).predict(X)).mean() > 0.99

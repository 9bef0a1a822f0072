"""Values of every type that a column may have: what JSON says becomes what the model was trained with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import jupyter_mlops as mlops
from jupyter_mlops.core.errors import InvalidInput
from jupyter_mlops.home.models import EXAMPLE, model_folder
from jupyter_mlops.registry.rows import joined, rows_from
from jupyter_mlops.serving.asked import AskedReader

TABLE = pd.DataFrame(
    {
        "when": pd.to_datetime(["2026-01-01T00:00:00", "2026-01-02T03:04:05"]),
        "where": pd.Categorical(["a", "b"]),
        "ok": [True, False],
        "name": ["x", None],
        "n": np.array([1, 2], "uint8"),
        "x": np.array([0.5, np.nan], "float32"),
    }
)
ROW = {"when": "2026-11-27T12:00:00+02:00", "where": "b", "ok": True, "name": None, "n": 255.0, "x": 3}


@pytest.fixture(scope="module")
def asked(home: Path) -> AskedReader:
    """Reads what a model is asked that takes such a table."""
    record = mlops.save_model(lambda X: np.zeros(len(X)), "any", example=TABLE).record
    kept = model_folder("any").version(record.number).read(EXAMPLE)
    assert kept is not None
    return AskedReader(record.signature, rows_from(kept))


def test_rows_have_the_types_that_the_model_was_trained_with(asked: AskedReader) -> None:
    rows = asked.predict([ROW, {**ROW, "when": None, "where": None, "x": None, "name": "y"}]).back()
    assert (rows.dtypes == TABLE.dtypes).all()
    assert rows["when"][0] == pd.Timestamp("2026-11-27T10:00:00") and rows["where"].tolist()[0] == "b"
    assert rows.loc[0, ["ok", "n", "x"]].tolist() == [True, 255, 3.0]
    assert rows["name"].isna().tolist() == [True, False]
    assert rows.loc[1, ["when", "where", "x"]].isna().all()


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("when", "soon", "is 'soon', and must be a time, like 2026-"),
        ("when", 3, "is 3, and must be a time"),
        ("where", "c", "is 'c', and the version knows a and b. Send null"),
        ("ok", 1, "is 1, and must be true or false"),
        ("ok", None, "is null, and must be true or false. A value that isn't known can't be null here"),
        ("name", 7, "is 7, and must be text"),
        ("n", 256, "is 256, and must be a whole number, and not negative"),
        ("n", -1, "is -1, and must be a whole number, and not negative"),
        ("n", 1.5, "is 1.5, and must be a whole number"),
        ("x", 1e300, "is 1e+300, and must be a number"),
        ("x", "1", "is '1', and must be a number"),
    ],
)
def test_a_value_that_a_column_can_not_have_is_named(asked: AskedReader, column: str, value: Any, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        asked.predict([ROW, {**ROW, column: value}])
    assert f"'{column}'" in str(caught.value) and f"row 1 {said}" in str(caught.value)


def test_columns_of_numbers_are_read_together_and_each_for_itself_all_the_same(home: Path) -> None:
    """In their order, with their types and gaps; one that is wrong is named, whatever stands beside it."""
    dtypes = ["float64", "float32", "int64", "float64", "float32", "float64"]
    table = pd.DataFrame({f"c{at}": np.array([at, at + 1], dtype) for at, dtype in enumerate(dtypes)})
    record = mlops.save_model(lambda X: np.zeros(len(X)), "numbers", example=table).record
    kept = model_folder("numbers").version(record.number).read(EXAMPLE)
    assert kept is not None
    asked = AskedReader(record.signature, rows_from(kept))
    given = [{name: at + 10 * row for at, name in enumerate(table)} for row in (1, 2)]
    given[1]["c4"] = None  # type: ignore[assignment]  # as JSON has it
    rows = asked.predict(given).back()
    assert rows.dtypes.tolist() == table.dtypes.tolist() and list(rows) == list(table)
    assert rows.iloc[0].tolist() == [10, 11, 12, 13, 14, 15] and np.isnan(rows["c4"][1]) and rows["c5"][1] == 25
    whole = {"name": "input", "shape": [2, 6], "datatype": "FP64", "data": [[10.0 + at for at in range(6)]] * 2}
    assert asked.infer({"inputs": [whole]}).back().iloc[1].tolist() == [10, 11, 12, 13, 14, 15]
    for name, wrong in (("c3", "x"), ("c4", 1e39), ("c5", True)):
        with pytest.raises(InvalidInput, match=rf"the column '{name}' is wrong: row 1 is "):
            asked.predict([given[0], {**given[0], name: wrong}])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_table_of_numbers_only_is_the_same_by_each_door(home: Path, dtype: str) -> None:
    names = ["b", "a", "c"]
    table = pd.DataFrame([[1.5, 2, np.nan], [4, 5, 6]], columns=names).astype(dtype)
    record = mlops.save_model(lambda X: np.zeros(len(X)), f"only-{dtype}", example=table).record
    kept = model_folder(record.model).version(record.number).read(EXAMPLE)
    assert kept is not None
    asked = AskedReader(record.signature, rows_from(kept))
    data: list[list[Any]] = [[1.5, 2, None], [4, 5, 6]]
    tensor: dict[str, Any] = {"name": "input", "shape": [2, 3], "datatype": "FP64", "data": data}
    columns = [
        {"name": name, "shape": [2, 1], "datatype": "FP32", "data": [row[at] for row in data]}
        for at, name in enumerate(names)
    ]
    found = [
        asked.infer({"inputs": [tensor]}),
        asked.infer({"inputs": columns[::-1]}),
        asked.predict([dict(zip(names, row, strict=True)) for row in data]),
        asked.predict({"dataframe_split": {"columns": names[::-1], "data": [row[::-1] for row in data]}}),
    ]
    for rows in found:
        pd.testing.assert_frame_equal(rows.back(), table)
        pd.testing.assert_frame_equal(rows.take([1]).back(), table.iloc[1:].reset_index(drop=True))
    pd.testing.assert_frame_equal(joined(found).back(), pd.concat([table] * 4, ignore_index=True))
    with pytest.raises(InvalidInput, match="the column 'a' is wrong: row 1 is 'x'"):
        asked.infer({"inputs": [{**tensor, "data": [data[0], [4, "x", 6]]}]})
    with pytest.raises(InvalidInput, match="no rows"):
        asked.infer({"inputs": [{**tensor, "shape": [0, 3], "data": []}]})

"""A service as a program calls it that has this package: tables and arrays there, an array back."""

from __future__ import annotations

import http.client
import math
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np
from pydantic_core import from_json, to_json

from ..core.errors import InvalidInput, MlopsError, NotFound, Refused, RunFailed, Unavailable
from ..core.logged import row_id
from ..registry.rows import PlainColumn, Rows, read_rows
from .tensors import INPUT, KEY, datatype_of

#: Values that are sent at once: what they take as text stays below what a service accepts.
_VALUES = 200_000

#: Seconds that an answer is waited for.
_PATIENCE = 300.0

#: HTTP status → what it means here.
_ERRORS: dict[int, type[MlopsError]] = {
    400: InvalidInput,
    401: Refused,
    404: NotFound,
    413: InvalidInput,
    500: RunFailed,
}

#: Datatype → numpy's type, for those whose names differ by more than case.
_FLOATS = {"FP16": "float16", "FP32": "float32", "FP64": "float64"}


def predict(address: str, token: str, model: str, data: Any, key: str = "") -> tuple[Any, list[str]]:
    """What a service answers to rows: an array, with an entry for each, and the id of each.

    Parameters
    ----------
    data : a table, an array, or a list of records.
    key : who it is about.

    Raises
    ------
    InvalidInput : it can't be sent, or isn't what the version takes; says which column and row.
    Refused : the token opens nothing.
    Unavailable : it can't be reached, or is too busy.
    RunFailed : the model failed.
    """
    if isinstance(data, dict):
        data = [data]
    where = urlsplit(address)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=_PATIENCE)
    try:
        if isinstance(data, list) and data and isinstance(data[0], dict):
            told = _post(connection, f"/v2/models/{model}/predict", token, data, key)
            return np.array(told["predictions"]), _ids(told, len(data))
        rows = read_rows(data, "data")
        path = f"/v2/models/{model}/infer"
        heard = [_post(connection, path, token, {"inputs": inputs}, key) for inputs in _requests(rows)]
        parts = [_array(told) for told in heard]
        ids = [id for told, part in zip(heard, parts, strict=True) for id in _ids(told, len(part))]
        return (parts[0] if len(parts) == 1 else np.concatenate(parts)), ids
    finally:
        connection.close()


def _requests(rows: Rows) -> Iterator[list[dict[str, Any]]]:
    """The inputs of each request that the rows need."""
    if len(rows) == 0:
        raise InvalidInput("data has no rows")
    width = sum(max(1, math.prod(column.values.shape[1:])) for column in rows.columns)
    step = max(1, _VALUES // width)
    for at in range(0, len(rows), step):
        part = rows.take(slice(at, at + step))
        if part.names is None:
            yield [_tensor(INPUT, part.columns[0])]
        else:
            yield [_tensor(name, column) for name, column in zip(part.names, part.columns, strict=True)]


def _tensor(name: str, column: PlainColumn) -> dict[str, Any]:
    values, missing = column.values, column.missing
    if values.dtype.kind == "f" and np.isinf(values).any():
        raise InvalidInput(f"{name!r} has infinite values", "JSON has none", "Replace them first.")
    dtype = str(values.dtype)
    if values.dtype.kind in "UM":
        dtype, values = "str", values.astype("datetime64[us]").astype(str) if values.dtype.kind == "M" else values
    data = values.ravel().tolist()
    if missing.any():
        data = [None if gap else value for value, gap in zip(data, missing.ravel(), strict=True)]
    return {"name": name, "shape": list(values.shape), "datatype": datatype_of(dtype), "data": data}


def _array(told: dict[str, Any]) -> Any:
    output = told["outputs"][0]
    datatype, data = output["datatype"], output["data"]
    if datatype == "BYTES":
        return np.array(data, np.str_).reshape(output["shape"])
    dtype = _FLOATS.get(datatype, datatype.lower())
    return np.array([math.nan if value is None else value for value in data], dtype).reshape(output["shape"])


def _ids(told: dict[str, Any], rows: int) -> list[str]:
    """The ids of an answer's rows; a router of an older release gave none."""
    return [row_id(told["id"], row, rows) for row in range(rows)] if "id" in told else []


def _post(connection: http.client.HTTPConnection, path: str, token: str, body: Any, key: str) -> Any:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    headers |= {KEY: quote(key)} if key else {}
    try:
        connection.request("POST", path, to_json(body, inf_nan_mode="null", fallback=_plain), headers)
        response = connection.getresponse()
        data = response.read()
    except (OSError, http.client.HTTPException) as error:
        where = f"{connection.host}:{connection.port}"
        raise Unavailable(
            "The service doesn't answer", f"{where}: {error or type(error).__name__}", "Is it up?"
        ) from error
    told = _json(data)
    if response.status == 200:
        return told
    words = told.get("error") if isinstance(told, dict) else None
    kind = _ERRORS.get(response.status, Unavailable)
    verb = "refuses this" if response.status < 500 else "can't answer"
    raise kind(f"The service {verb} ({response.status})", str(words or data[:200].decode(errors="replace")), "")


def _plain(value: Any) -> Any:
    """A number of numpy's, in a record, as one of Python's."""
    return value.item() if isinstance(value, np.generic) else str(value)


def _json(data: bytes) -> Any:
    try:
        return from_json(data)
    except ValueError:
        return None

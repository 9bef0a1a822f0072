"""The example of a version as a caller would send it."""

from __future__ import annotations

from typing import Any

from ..home.models import EXAMPLE, model_folder
from ..registry.rows import PlainColumn, rows_from

#: Rows of it.
_ROWS = 2


def example_records(model: str, version: int) -> list[Any]:
    """A few rows as plain records, or as lists for a model of arrays; empty where none were kept."""
    kept = model_folder(model).version(version).read(EXAMPLE)
    if kept is None:
        return []
    rows = rows_from(kept).take(slice(0, _ROWS))
    columns = [_plain(column) for column in rows.columns]
    if rows.names is None:
        return columns[0]
    return [dict(zip(rows.names, values, strict=True)) for values in zip(*columns, strict=True)]


def _plain(column: PlainColumn) -> list[Any]:
    values, missing = column.values, column.missing
    told = (values.astype("datetime64[s]").astype(str) if values.dtype.kind == "M" else values).tolist()
    return [None if gap is True else value for value, gap in zip(told, missing.tolist(), strict=True)]

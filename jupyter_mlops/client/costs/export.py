"""Exports of costs: tables for spreadsheets and programs, a page for people."""

from __future__ import annotations

import csv
import importlib.util
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal, get_args

from ...core.base import Time
from ...core.costrow import CostRow
from ...core.errors import InvalidInput, Unavailable
from ...core.words import listed

#: What there is to export to.
Format = Literal["csv", "parquet", "focus", "html"]

FORMATS: tuple[Format, ...] = get_args(Format)

#: How files of each are named, and their media type.
ENDINGS: Mapping[Format, str] = {"csv": ".csv", "parquet": ".parquet", "focus": ".focus.csv", "html": ".html"}
MEDIA: Mapping[Format, str] = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "focus": "text/csv; charset=utf-8",
    "html": "text/html; charset=utf-8",
}

#: What a spreadsheet takes a text for that begins so: a formula, which it would run.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

_TIMES = ("start", "end")


def format_of(path: str, asked: str | None = None) -> Format:
    """The format that somebody `asked` for, else that of a file's ending.

    Raises
    ------
    InvalidInput : there is no such format.
    """
    # "costs.focus.csv" is no plain CSV
    ends = [each for each in ("focus", "csv", "parquet", "html") if path.lower().endswith(ENDINGS[each])]
    wanted = asked or (ends[0] if ends else Path(path).suffix or path)
    for known in FORMATS:
        if wanted == known:
            return known
    ways = listed([f"*{ending}" for ending in ENDINGS.values()])
    raise InvalidInput(f"Costs can't be exported as {wanted!r}", "", f"Name the file {ways}.")


def csv_of(rows: Iterable[CostRow]) -> bytes:
    """Rows as CSV. Times are UTC in ISO 8601; what is unknown is empty."""
    names = list(CostRow.model_fields)
    return table_of(names, ([_cell(row, name) for name in names] for row in rows))


def parquet_of(rows: Iterable[CostRow]) -> bytes:
    """Rows as Parquet, with the same columns.

    Raises
    ------
    Unavailable : pyarrow isn't installed.
    """
    if importlib.util.find_spec("pyarrow") is None:
        raise Unavailable(
            "Parquet can't be written", "pyarrow isn't installed here", "pip install pyarrow, or take CSV."
        )
    import pyarrow
    import pyarrow.parquet

    found, columns, fields = list(rows), [], []
    for name, field in CostRow.model_fields.items():
        if name in _TIMES:
            kind, values = pyarrow.timestamp("us", tz="UTC"), [_datetime(getattr(row, name)) for row in found]
        else:
            kinds: dict[Any, Any] = {bool: pyarrow.bool_(), float: pyarrow.float64(), float | None: pyarrow.float64()}
            kind = kinds.get(field.annotation, pyarrow.string())
            values = [getattr(row, name) for row in found]
        fields.append(pyarrow.field(name, kind))
        columns.append(pyarrow.array(values, kind))
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_arrays(columns, schema=pyarrow.schema(fields)), sink)
    return sink.getvalue()


def table_of(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """A CSV file with these columns: None is empty, and no text is a formula to a spreadsheet."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


def moment(time: Time | None) -> str | None:
    """A moment as ISO 8601 in UTC, to the second."""
    there = _datetime(time)
    return None if there is None else there.strftime("%Y-%m-%dT%H:%M:%SZ")


def _cell(row: CostRow, name: str) -> Any:
    value = getattr(row, name)
    if name in _TIMES:
        return moment(value)
    return str(value).lower() if isinstance(value, bool) else value


def _datetime(time: Time | None) -> datetime | None:
    return None if time is None else datetime.fromtimestamp(time, timezone.utc)


def _harmless(cell: Any) -> Any:
    if cell is None:
        return ""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell

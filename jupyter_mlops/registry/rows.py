"""Rows that a model is measured with, as plain arrays: taken from tables and arrays, kept without pickling, given back.

pandas isn't imported unless rows of a table are given back.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..core.errors import InvalidInput

#: Types of single values that mean "missing", by their names: pandas' own are not imported for it.
_MISSING = ("NAType", "NaTType", "NoneType")


@dataclass
class PlainColumn:
    """A column as a plain array. `gaps` are where a value is missing that the array has no word for."""

    values: np.ndarray[Any, Any]
    gaps: np.ndarray[Any, Any] | None = None

    def take(self, chosen: Any) -> PlainColumn:
        """The chosen rows."""
        return PlainColumn(self.values[chosen], None if self.gaps is None else self.gaps[chosen])

    @property
    def missing(self) -> np.ndarray[Any, Any]:
        """Where a value is missing."""
        found = np.zeros(self.values.shape, bool) if self.gaps is None else self.gaps
        if self.values.dtype.kind in "fc":
            return np.asarray(found | np.isnan(self.values))
        return np.asarray(found | np.isnat(self.values)) if self.values.dtype.kind in "mM" else found

    @property
    def numeric(self) -> bool:
        """Whether these are numbers that have an order, and no yes or no."""
        return self.values.dtype.kind in "iuf"


@dataclass
class Rows:
    """Rows of a table (`names` are its columns'), or of an array (`names` is None, and there is one column: all of it).

    `dtypes` are the types that a table's columns had, `categories` those of its categorical ones.
    """

    names: list[str] | None
    columns: list[PlainColumn]
    dtypes: list[str] = field(default_factory=list)
    categories: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.columns[0].values) if self.columns else 0

    @property
    def nbytes(self) -> int:
        """Bytes of all values."""
        return sum(column.values.nbytes for column in self.columns)

    def take(self, chosen: Any) -> Rows:
        """The chosen rows."""
        return Rows(self.names, [column.take(chosen) for column in self.columns], self.dtypes, self.categories)

    def features(self) -> list[tuple[str, PlainColumn]]:
        """Each column with its name; those of an array of two dimensions by their number."""
        if self.names is not None:
            return list(zip(self.names, self.columns, strict=True))
        whole = self.columns[0].values
        if whole.ndim == 1:
            return [("0", self.columns[0])]
        return (
            [(str(number), PlainColumn(whole[:, number])) for number in range(whole.shape[1])]
            if whole.ndim == 2
            else []
        )

    def back(self) -> Any:
        """The rows as what they were: a pandas DataFrame, or an array."""
        if self.names is None:
            return self.columns[0].values
        import pandas as pd

        made = {}
        for name, column, dtype in zip(self.names, self.columns, self.dtypes, strict=True):
            made[name] = self._series(pd, name, column, dtype)
        return pd.DataFrame(made)

    def _series(self, pd: Any, name: str, column: PlainColumn, dtype: str) -> Any:
        values: Any = column.values
        if column.gaps is not None and column.gaps.any():
            values = values.astype(object)
            values[column.gaps] = None
        if name in self.categories:
            known = self.categories[name]
            return pd.Series(values).astype(pd.CategoricalDtype(known["values"], known["ordered"]))
        series = pd.Series(values)
        try:
            return series.astype(dtype) if dtype and str(series.dtype) != dtype else series
        except (TypeError, ValueError):  # a type of a package that isn't here
            return series

    def digest(self) -> str:
        """SHA-256 of names, types and values."""
        digest = hashlib.sha256(json.dumps([self.names, [c.values.dtype.str[:2] for c in self.columns]]).encode())
        for column in self.columns:
            if column.values.dtype.kind == "U":
                digest.update("\0".join(column.values.tolist()).encode())
            else:
                digest.update(np.ascontiguousarray(column.values).tobytes())
            digest.update(column.missing.tobytes())
        return digest.hexdigest()

    def dump(self) -> bytes:
        """As bytes that hold plain arrays only."""
        arrays: dict[str, Any] = {}
        for number, column in enumerate(self.columns):
            arrays[f"c{number}"] = column.values
            if column.gaps is not None:
                arrays[f"g{number}"] = column.gaps
        told = {"names": self.names, "dtypes": self.dtypes, "categories": self.categories, "columns": len(self.columns)}
        return dump(told, arrays)


class NumberRows(Rows):
    """Rows of a table whose columns are all numbers of one type, as one array: to hand on each column by itself takes
    longer than many a model takes to answer.

    Parameters
    ----------
    numbers : with a column for each name; NaN where a value is missing.
    dtypes : as of all rows.
    """

    names: list[str]

    def __init__(self, names: list[str], numbers: np.ndarray[Any, Any], dtypes: list[str]) -> None:
        self.names, self.numbers, self.dtypes, self.categories = names, numbers, dtypes, {}

    @property
    def columns(self) -> list[PlainColumn]:  # type: ignore[override]  # made when somebody asks for them
        """Each column by itself."""
        return [PlainColumn(column) for column in self.numbers.T]

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def nbytes(self) -> int:
        """As of all rows."""
        return self.numbers.nbytes

    def take(self, chosen: Any) -> NumberRows:
        """As of all rows."""
        return NumberRows(self.names, self.numbers[chosen], self.dtypes)

    def back(self) -> Any:
        """As of all rows."""
        if {*self.dtypes} != {str(self.numbers.dtype)}:
            return super().back()
        import pandas as pd

        return pd.DataFrame(self.numbers, columns=self.names, copy=True)


def joined(several: Sequence[Rows]) -> Rows:
    """Rows of the same table, or of arrays of the same shape, one after another."""
    first, columns = several[0], []
    if len(several) == 1:
        return first
    blocks = [rows for rows in several if isinstance(rows, NumberRows)]
    if len(blocks) == len(several):
        return NumberRows(blocks[0].names, np.concatenate([each.numbers for each in blocks]), first.dtypes)
    for parts in zip(*(rows.columns for rows in several), strict=True):
        gaps = None
        if any(part.gaps is not None for part in parts):
            gaps = np.concatenate([np.zeros(len(p.values), bool) if p.gaps is None else p.gaps for p in parts])
        columns.append(PlainColumn(np.concatenate([part.values for part in parts]), gaps))
    return Rows(first.names, columns, first.dtypes, first.categories)


def dump(told: dict[str, Any], arrays: dict[str, Any]) -> bytes:
    """Arrays, and what is told of them, as bytes that are read without unpickling."""
    target = io.BytesIO()
    np.savez_compressed(target, told=np.frombuffer(json.dumps(told).encode(), np.uint8), **arrays)
    return target.getvalue()


def undump(data: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `dump` made of it."""
    with np.load(io.BytesIO(data), allow_pickle=False) as kept:
        arrays = {name: kept[name] for name in kept.files}
    return json.loads(arrays.pop("told").tobytes()), arrays


def rows_from(data: bytes) -> Rows:
    """What `Rows.dump` made of it."""
    told, arrays = undump(data)
    columns = [PlainColumn(arrays[f"c{number}"], arrays.get(f"g{number}")) for number in range(told["columns"])]
    return Rows(told["names"], columns, told["dtypes"], told["categories"])


def read_rows(data: Any, what: str = "valid's X") -> Rows:
    """Rows of a pandas or polars table, an array, a tensor on the CPU, or lists of numbers.

    Raises
    ------
    InvalidInput : calls it `what`; names the column that holds something else than numbers, text, times, yes and no.
    """
    if (
        data is None
        or isinstance(data, (str, bytes, dict))
        or (callable(getattr(data, "items", None)) and not hasattr(data, "columns"))
    ):
        raise InvalidInput(f"{what} is a {type(data).__name__}", "it must be a table or an array", "")
    if hasattr(data, "toarray"):
        raise InvalidInput(f"{what} is sparse", "which can't be kept yet", "Pass its toarray().")
    if hasattr(data, "columns"):
        return _table(data, what)
    array = _array(data)
    if array.ndim == 0:
        raise InvalidInput(f"{what} is a single {type(data).__name__}", "it must have rows", "")
    if array.dtype.kind == "O" and array.ndim != 1:
        try:
            array = array.astype(float)
        except (TypeError, ValueError):
            why = "its values are not all numbers"
            raise InvalidInput(f"{what} can't be kept", why, "Make it a pandas DataFrame.") from None
    return Rows(None, [read_column(array, what)])


def _table(data: Any, what: str) -> Rows:
    names = [str(name) for name in data.columns]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise InvalidInput(f"{what} has two columns {twice[0]!r}", "", "Rename one of them.")
    if not names:
        raise InvalidInput(f"{what} has no columns")
    columns, dtypes, categories = [], [], {}
    for name, original in zip(names, data.columns, strict=True):
        series = data[original]
        dtype = getattr(series, "dtype", "")
        accessor = getattr(series, "cat", None) if str(dtype) == "category" else None
        if accessor is not None:
            values = accessor.categories.tolist()
            if all(isinstance(value, (str, int, float, bool)) for value in values):
                categories[name] = {"values": values, "ordered": bool(accessor.ordered)}
        columns.append(read_column(series, f"the column {name!r} of {what}"))
        dtypes.append(str(dtype))
    return Rows(names, columns, dtypes, categories)


def read_column(data: Any, what: str) -> PlainColumn:
    """A column as a plain array.

    Raises
    ------
    InvalidInput
    """
    values = _array(data)
    if values.dtype.kind in "biufcmMU":
        return PlainColumn(values)
    if values.dtype.kind == "S":
        return PlainColumn(values.astype(str))
    gaps = np.array([_is_missing(value) for value in values], bool)
    known = [value for value, gap in zip(values, gaps, strict=True) if not gap]
    kinds = {bool if isinstance(value, (bool, np.bool_)) else type(value) for value in known}
    if all(issubclass(kind, str) for kind in kinds):
        texts = np.array(["" if gap else str(value) for value, gap in zip(values, gaps, strict=True)], dtype=np.str_)
        return PlainColumn(texts, gaps if gaps.any() else None)
    if kinds == {bool}:
        return PlainColumn(np.array([not gap and bool(value) for value, gap in zip(values, gaps, strict=True)]), gaps)
    try:
        return PlainColumn(np.array([np.nan if gap else float(value) for value, gap in zip(values, gaps, strict=True)]))
    except (TypeError, ValueError):
        names = ", ".join(sorted(kind.__name__ for kind in kinds)[:3])
        why = f"it holds {names}; numbers, text, times, yes and no can be kept"
        raise InvalidInput(f"{what[0].upper()}{what[1:]} can't be kept", why, "Convert it first.") from None


def read_truth(data: Any, rows: int) -> np.ndarray[Any, Any]:
    """The true values or labels of `rows` rows.

    Raises
    ------
    InvalidInput : there are not as many, one is missing, or there are several for a row.
    """
    values = _array(data)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        why = f"its shape is {values.shape}"
        raise InvalidInput("valid's y must have one value for each row", why, "Save one model for each, or no valid.")
    if len(values) != rows:
        why = f"X has {rows:,} rows, and y has {len(values):,}"
        raise InvalidInput("valid's X and y don't belong together", why, "Give both of the same rows: valid=(X, y).")
    plain = read_column(values, "valid's y")
    if (gaps := int(plain.missing.sum())) > 0:
        at = int(np.flatnonzero(plain.missing)[0])
        why = f"{gaps:,} of {rows:,} values are missing (NaN), the first in row {at:,}"
        raise InvalidInput("valid's y isn't whole", why, "Leave these rows out of X and y.")
    if plain.values.dtype.kind == "f" and not np.isfinite(plain.values).all():
        raise InvalidInput("valid's y has infinite values", "", "Leave these rows out of X and y.")
    return plain.values


def sample_of(rows: int, most: int, seed: int) -> np.ndarray[Any, Any] | None:
    """Which of so many rows are looked at, in their order; None for all of them."""
    if rows <= most:
        return None
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def _array(data: Any) -> np.ndarray[Any, Any]:
    if hasattr(data, "detach"):  # a tensor of PyTorch's
        data = data.detach().cpu().numpy()
    elif hasattr(data, "to_numpy"):
        data = data.to_numpy()
    try:
        return np.asarray(data)
    except ValueError:  # lists of different lengths
        made = np.empty(len(data), object)
        made[:] = list(data)
        return made


def _is_missing(value: Any) -> bool:
    return type(value).__name__ in _MISSING or (isinstance(value, (float, np.floating)) and bool(np.isnan(value)))


def texts_of(column: PlainColumn) -> Sequence[str]:
    """Each value as text, for what is counted by value."""
    return [str(value) for value in column.values.tolist()]

"""What callers send, as rows that a version takes. Each fault is told with the name and the row that it is in."""

from __future__ import annotations

import contextlib
import datetime
import difflib
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..core.errors import Conflict, InvalidInput
from ..core.model import Signature
from ..core.words import first_of
from ..registry.measure import Array
from ..registry.rows import NumberRows, PlainColumn, Rows
from .tensors import DATATYPES, INPUT, OUTPUT, datatype_of, fits

#: numpy's kinds → what values of it are in JSON.
_WORDS = {
    "b": "true or false",
    "i": "a whole number",
    "u": "a whole number, and not negative",
    "f": "a number",
    "U": "text",
    "M": "a time, like 2026-11-27T12:00:00",
}
_TYPES: dict[str, set[type]] = {
    "b": {bool},
    "i": {int, float},
    "u": {int, float},
    "f": {int, float},
    "U": {str},
    "M": {str},
}
_NULL = type(None)

#: Names that an error lists.
_NAMED = 5


class AskedReader:
    """Makes rows of what callers send.

    Parameters
    ----------
    signature : what the version takes.
    example : rows of its own, whose types and categories others get.

    Raises
    ------
    Conflict : it takes what can't come as JSON.
    """

    def __init__(self, signature: Signature, example: Rows) -> None:
        self._signature, self._example = signature, example
        self._columns = {column.name: np.dtype(column.dtype) for column in signature.columns}
        #: Columns of numbers with decimals: their type, and whether a value may be missing → their names.
        self._together: dict[tuple[np.dtype[Any], bool], list[str]] = {}
        for column in signature.columns:
            if self._columns[column.name].kind == "f" and column.name not in example.categories:
                self._together.setdefault((self._columns[column.name], column.optional), []).append(column.name)
        #: All columns, where they are such numbers and alike.
        self._alike = [*self._together] if [*self._together.values()] == [[*self._columns]] else []
        kinds = {dtype.kind for dtype in self._columns.values()}
        if signature.kind == "array":
            self._dtype = np.dtype(signature.dtype)
            kinds = {self._dtype.kind}
        if strange := kinds - set(_WORDS):
            raise Conflict("It can't be served", f"it takes values of numpy's kind {min(strange)!r}, which JSON lacks")

    def infer(self, body: Any) -> Rows:
        """The rows of a request of the Open Inference Protocol; raises `InvalidInput`."""
        if not isinstance(body, dict):
            raise InvalidInput(
                "The request is no object", "", 'Send {"inputs": [{"name", "shape", "datatype", "data"}]}'
            )
        self._check_outputs(body.get("outputs"))
        given = body.get("inputs")
        if not isinstance(given, list) or not given:
            raise InvalidInput(
                "The request has no inputs", "", 'Send {"inputs": [{"name", "shape", "datatype", "data"}]}'
            )
        tensors = [_tensor(each) for each in given]
        seen: set[str] = set()
        for name, _, _, _ in tensors:
            if name in seen:
                raise InvalidInput(f"There are two inputs {name!r}")
            seen.add(name)
        if self._signature.kind == "array":
            return self._array_of(tensors)
        wide = len(tensors) == 1 and len(self._columns) > 1 and len(tensors[0][1]) == 2
        if wide and tensors[0][1][1] == len(self._columns):
            return self._wide(tensors[0])
        return self._table_of(tensors)

    def predict(self, body: Any) -> Rows:
        """The rows of a request with plain records; raises `InvalidInput`."""
        if isinstance(body, dict) and "dataframe_split" in body:
            return self._split(body["dataframe_split"])
        if isinstance(body, dict) and "records" in body:
            body = body["records"]
        if not isinstance(body, list):
            raise InvalidInput("The request is no list of records", "", self._shown())
        if not body:
            raise InvalidInput("The request has no rows", "", self._shown())
        if self._signature.kind == "array":
            for number, row in enumerate(body):
                _check_shape(row, self._signature.shape, number)
            return self._array(_flat(body), len(body))
        names = self._columns.keys()
        for number, record in enumerate(body):
            if not isinstance(record, dict):
                raise InvalidInput(f"Row {number} is no record", f"it is {_shown(record)}", self._shown())
            if record.keys() != names:
                self._check_names(record.keys(), f"row {number}", "column")
        return self._table({name: [record[name] for record in body] for name in names})

    def _split(self, told: Any) -> Rows:
        columns = told.get("columns") if isinstance(told, dict) else None
        data = told.get("data") if isinstance(told, dict) else None
        if not isinstance(columns, list) or not isinstance(data, list) or not data:
            raise InvalidInput(
                "dataframe_split has no columns and data", "", "Send what DataFrame.to_dict('split') gives."
            )
        for number, row in enumerate(data):
            if not isinstance(row, list) or len(row) != len(columns):
                raise InvalidInput(f"Row {number} of data has not as many values as there are columns")
        if self._signature.kind == "array":
            return self.predict(data)
        if len(set(map(str, columns))) < len(columns):
            raise InvalidInput("dataframe_split names a column twice")
        self._check_names(list(map(str, columns)), "the request", "column")
        return self._table({str(name): [row[at] for row in data] for at, name in enumerate(columns)})

    def _check_outputs(self, wanted: Any) -> None:
        if wanted is None:
            return
        names = (
            [each.get("name") if isinstance(each, dict) else None for each in wanted]
            if isinstance(wanted, list)
            else [None]
        )
        if unknown := [name for name in names if name != OUTPUT]:
            raise InvalidInput(f"There is no output {unknown[0]!r:.200}", f"there is {OUTPUT!r}")

    def _check_names(self, given: Iterable[str], where: str, noun: str) -> None:
        given = set(given)
        for name in sorted(given - self._columns.keys()):
            near = difflib.get_close_matches(name[:200], self._columns, n=1, cutoff=0.5)
            todo = f"Did you mean {near[0]!r}?" if near else f"There are: {first_of(list(self._columns), _NAMED)}."
            raise InvalidInput(f"There is no {noun} {name!r:.200}", f"{where} has it", todo)
        if missing := [name for name in self._columns if name not in given]:
            why = f"{where} lacks {first_of([repr(name) for name in missing], _NAMED)}"
            raise InvalidInput(f"The {noun} {missing[0]!r} is missing", why, "Write null where a value isn't known.")

    def _table_of(self, tensors: Sequence[tuple[str, list[int], str, list[Any]]]) -> Rows:
        self._check_names([name for name, _, _, _ in tensors], "the request", "input")
        rows = tensors[0][1][0] if tensors[0][1] else 0
        for name, shape, datatype, _ in tensors:
            if shape not in ([rows], [rows, 1]):
                why = f"it is {shape}, and must be [{rows}] or [{rows}, 1]: a value for each row, as many in each input"
                raise InvalidInput(f"The shape of {name!r} is wrong", why)
            self._check_datatype(name, datatype, self._columns[name])
        return self._table({name: data for name, _, _, data in tensors})

    def _wide(self, tensor: tuple[str, list[int], str, list[Any]]) -> Rows:
        """A table as one tensor of two dimensions, its columns in the signature's order."""
        name, _, datatype, data = tensor
        for dtype in {dtype.kind: dtype for dtype in self._columns.values()}.values():
            self._check_datatype(name, datatype, dtype)
        width = len(self._columns)
        if (numbers := self._numbers(data)) is not None:
            return self._number_rows(numbers.reshape(-1, width))
        return self._table({name: data[at::width] for at, name in enumerate(self._columns)})

    def _array_of(self, tensors: Sequence[tuple[str, list[int], str, list[Any]]]) -> Rows:
        name, shape, datatype, data = tensors[0]
        if len(tensors) > 1 or name != INPUT:
            names = [name for name, _, _, _ in tensors]
            raise InvalidInput(
                "It takes one input", f"its name is {INPUT!r}, and the request has {first_of(names, _NAMED)}"
            )
        if not shape or shape[1:] != self._signature.shape:
            wanted = ", ".join(["rows", *map(str, self._signature.shape)])
            raise InvalidInput(f"The shape of {name!r} is wrong", f"it is {shape}, and must be [{wanted}]")
        self._check_datatype(name, datatype, self._dtype)
        return self._array(data, shape[0])

    def _check_datatype(self, name: str, datatype: str, dtype: np.dtype[Any]) -> None:
        if not fits(datatype, dtype.kind):
            raise InvalidInput(f"The datatype of {name!r} is {datatype}", f"it must be {datatype_of(_name_of(dtype))}")

    def _table(self, values: dict[str, list[Any]]) -> Rows:
        numbers = self._numbers([value for name in self._columns for value in values[name]]) if self._alike else None
        if numbers is not None:
            return self._number_rows(numbers.reshape(len(self._columns), -1).T)
        found = self._decimals(values)
        for spec in self._signature.columns:
            if spec.name in found:
                continue
            column = _column(values[spec.name], self._columns[spec.name], spec.optional, spec.name)
            if spec.name in self._example.categories:
                _check_known(column, self._example.categories[spec.name]["values"], spec.name)
            found[spec.name] = column
        columns = [found[name] for name in self._columns]
        rows = Rows(list(self._columns), columns, self._example.dtypes, self._example.categories)
        if len(rows) == 0:
            raise InvalidInput("The request has no rows")
        return rows

    def _numbers(self, values: list[Any]) -> Array | None:
        """The values of all columns, where these are alike. None where they aren't, or one of the values is at fault:
        it is found, and named, when each column is read by itself."""
        for dtype, optional in self._alike:
            with contextlib.suppress(InvalidInput):
                return _column(values, dtype, optional, "").values
        return None

    def _number_rows(self, numbers: Array) -> Rows:
        if len(numbers) == 0:
            raise InvalidInput("The request has no rows")
        return NumberRows([*self._columns], numbers, self._example.dtypes)

    def _decimals(self, values: dict[str, list[Any]]) -> dict[str, PlainColumn]:
        """Columns of numbers with decimals, read together, which takes a fifth of the time of each by itself. Where one
        of them is at fault there are none: it is found, and named, when each is read."""
        found: dict[str, PlainColumn] = {}
        for (dtype, optional), names in self._together.items():
            with contextlib.suppress(InvalidInput):
                whole = _column([value for name in names for value in values[name]], dtype, optional, "")
                rows = whole.values.reshape(len(names), -1)
                found |= {name: PlainColumn(row) for name, row in zip(names, rows, strict=True)}
        return found

    def _array(self, data: list[Any], rows: int) -> Rows:
        if rows == 0:
            raise InvalidInput("The request has no rows")
        per_row = math.prod(self._signature.shape)
        column = _column(data, self._dtype, self._dtype.kind == "f", "", per_row)
        return Rows(None, [PlainColumn(column.values.reshape(rows, *self._signature.shape))])

    def _shown(self) -> str:
        """How plain records look."""
        if self._signature.kind == "array":
            return f"Send a list of rows, each a list of {' × '.join(map(str, self._signature.shape))} values."
        names = ", ".join(f'"{name}": …' for name in list(self._columns)[:2])
        more = ", …" if len(self._columns) > 2 else ""
        return f"Send [{{{names}{more}}}, …]"


def _tensor(given: Any) -> tuple[str, list[int], str, list[Any]]:
    """Name, shape, datatype and values of a tensor, row after row; raises `InvalidInput`."""
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise InvalidInput("An input has no name")
    name, shape, datatype, data = given["name"][:200], given.get("shape"), given.get("datatype"), given.get("data")
    parameters = given.get("parameters")
    if isinstance(parameters, dict) and "binary_data_size" in parameters:
        raise InvalidInput(
            f"The input {name!r} is binary", "tensors are taken as JSON", "Send them with binary_data=False."
        )
    if not isinstance(shape, list) or not all(type(each) is int and each >= 0 for each in shape):
        raise InvalidInput(f"The input {name!r} has no shape", f"it is {shape!r:.60}", "Send one like [2] or [2, 30].")
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        known = first_of(sorted(DATATYPES), len(DATATYPES))
        raise InvalidInput(f"The datatype of {name!r} is {_shown(datatype)}", f"there are {known}")
    if not isinstance(data, list):
        raise InvalidInput(f"The input {name!r} has no data", f"it is {_shown(data)}", "Send a list.")
    values = _flat(data)
    if len(values) != math.prod(shape):
        why = f"its shape {shape} has {math.prod(shape):,} values, and data has {len(values):,}"
        raise InvalidInput(f"The input {name!r} isn't whole", why)
    return name, shape, datatype, values


def _flat(data: list[Any]) -> list[Any]:
    """Values of lists in lists, row after row."""
    while data and type(data[0]) is list:
        if any(type(each) is not list for each in data):
            raise InvalidInput("A tensor's data is no regular nest of lists")
        data = [value for each in data for value in each]
    return data


def _check_shape(row: Any, shape: list[int], number: int) -> None:
    if bool(shape) != (type(row) is list) or (shape and len(row) != shape[0]):
        wanted = f"a list of {shape[0]} values" if shape else "one value"
        got = f"it has {len(row)}" if type(row) is list else f"it is {_shown(row)}"
        raise InvalidInput(f"Row {number} isn't {wanted}", got)
    if len(shape) > 1:
        for each in row:
            _check_shape(each, shape[1:], number)


def _column(values: list[Any], dtype: np.dtype[Any], optional: bool, name: str, per_row: int = 1) -> PlainColumn:
    """Values of JSON as a column of that type; raises `InvalidInput`, which names the first that can't be one.

    Parameters
    ----------
    per_row : values that a row has.
    """
    kind, found = dtype.kind, set(map(type, values))
    allowed = _TYPES[kind] | ({_NULL} if optional else set())
    if not found <= allowed:
        raise _fault(values, lambda value: type(value) not in allowed, kind, name, per_row)
    gaps = np.array([value is None for value in values]) if _NULL in found else None
    try:
        if kind == "f":
            with np.errstate(over="ignore"):  # it is looked for below
                made = np.array(values if gaps is None else [math.nan if v is None else v for v in values], dtype)
            if np.isinf(made).any():
                raise OverflowError
            return PlainColumn(made)
        if kind in "iu":
            if float in found and any(value != math.floor(value) for value in values if math.isfinite(value)):
                raise _fault(values, lambda value: value != math.floor(value), kind, name, per_row)
            return PlainColumn(np.array([int(value) for value in values] if float in found else values, dtype))
        if kind == "M":
            return PlainColumn(np.array([_time(value) for value in values], "datetime64[us]").astype(dtype))
        if kind == "U":
            texts = values if gaps is None else ["" if value is None else value for value in values]
            return PlainColumn(np.array(texts, np.str_) if texts else np.array([], "U1"), gaps)
        return PlainColumn(np.array(values, dtype))
    except (OverflowError, ValueError):
        raise _fault(values, lambda value: not _holds(value, dtype), kind, name, per_row) from None


def _holds(value: Any, dtype: np.dtype[Any]) -> bool:
    """Whether a column of that type can have a value."""
    try:
        if dtype.kind == "M":
            _time(value)
            return True
        with np.errstate(over="ignore"):
            return value is None or not np.isinf(np.array(value, dtype)).any()
    except (OverflowError, ValueError, TypeError):
        return False


def _time(value: str | None) -> datetime.datetime | None:
    if value is None:
        return None
    made = datetime.datetime.fromisoformat(value.removesuffix("Z") + "+00:00" if value.endswith("Z") else value)
    return made if made.tzinfo is None else made.astimezone(datetime.timezone.utc).replace(tzinfo=None)


def _fault(values: list[Any], bad: Any, kind: str, name: str, per_row: int) -> InvalidInput:
    at = next((at for at, value in enumerate(values) if bad(value)), 0)
    value = values[at] if values else None
    noun = f"the column {name!r}" if name else "the input"
    why = f"row {at // max(1, per_row)} is {_shown(value)}, and must be {_WORDS[kind]}"
    todo = "A value that isn't known can't be null here." if value is None else ""
    return InvalidInput(f"A value of {noun} is wrong", why, todo)


def _check_known(column: PlainColumn, known: list[Any], name: str) -> None:
    wrong = ~np.isin(column.values, known) & ~column.missing
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        names = first_of([str(value) for value in known], _NAMED)
        why = f"row {at} is {_shown(column.values[at].item())}, and the version knows {names}"
        raise InvalidInput(f"A value of the column {name!r} is wrong", why, "Send null where it is none of these.")


def _name_of(dtype: np.dtype[Any]) -> str:
    return "str" if dtype.kind == "U" else str(dtype)


def _shown(value: Any) -> str:
    """A value as an error tells it."""
    words = {True: "true", False: "false", None: "null"}
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    return words[value] if value is None or isinstance(value, bool) else f"{value!r:.60}"

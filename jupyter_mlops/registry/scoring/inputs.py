"""What is scored, in parts: a table of pandas' or Dask's, or Parquet and CSV files, each of which is a part."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import InvalidInput, NotFound
from ...core.words import first_of
from .part import ScorePart, files_at, flat, in_arrow, is_csv, is_here, is_text

#: Rows and bytes of a part of a table, at most.
ROWS, BYTES = 50_000, 32_000_000

#: Files of which is looked before they are scored whether their columns fit, evenly among them, and rows of a CSV file
#: or a table that are read for it.
LOOKED, SAMPLE = 100, 1000

#: How the names of files end that can be read.
_ENDS = re.compile(r"\.(parquet|pq|csv(\.(gz|bz2|xz|zst|zip))?)$")

_INDEX = re.compile(r"__index_level_\d+__")

_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?")

_WHOLE = re.compile(r"[-+]?\d+")


@dataclass
class Columns:
    """The columns of some rows: name → numpy's kind of their values, "?" where that is seen only when they are read.

    `types` are Arrow's of a file.
    """

    where: str
    kinds: dict[str, str]
    types: dict[str, Any] = field(default_factory=dict)


@dataclass
class ScoreInput:
    """What is scored.

    Parameters
    ----------
    parts : all of it.
    columns : of all of it, or of some of its files.
    send : makes items of a map of those parts that are to be scored.
    fields : Arrow's names and types of columns that stand beside the answers; of what does so where there are none. The
        same for all parts. Raises `InvalidInput`.
    sample : some rows, where they are here.
    """

    parts: list[ScorePart]
    columns: list[Columns]
    send: Callable[[list[ScorePart]], list[Any]]
    fields: Callable[[Sequence[str]], list[Any]]
    sample: Any = None


def input_of(data: Any) -> ScoreInput:
    """What there is to score.

    Raises
    ------
    InvalidInput : it is none of what can be scored, or has no rows; a file can't be read.
    NotFound : there is no such file.
    """
    if isinstance(data, (str, Path)):
        return _of_files([data])
    if isinstance(data, (list, tuple, set)):
        texts = sorted(map(str, data)) if isinstance(data, set) else list(data)
        if not texts or not all(isinstance(each, (str, Path)) for each in texts):
            raise InvalidInput("This list can't be scored", "it must be one of files", "Give paths, or a table.")
        return _of_files(texts)
    if hasattr(data, "__dask_graph__") and hasattr(data, "to_delayed") and hasattr(data, "dtypes"):
        return _of_partitions(data)
    if type(data).__name__ == "DataFrame" and type(data).__module__.startswith("pandas"):
        return _of_table(data)
    name = f"{type(data).__module__.partition('.')[0]}.{type(data).__qualname__}"
    todo = "Give a DataFrame of pandas or Dask, files, or a pattern of them."
    todo = "Give its to_pandas()." if callable(getattr(data, "to_pandas", None)) else todo
    raise InvalidInput(f"A {name.removeprefix('builtins.')} can't be scored", "", todo)


# Tables


def _of_table(data: Any) -> ScoreInput:
    frame = flat(data)
    if not len(frame):
        raise InvalidInput("There is nothing to score", "the table has no rows")
    _check_twice(list(frame.columns), "the table")
    parts: list[ScorePart] = []
    start = 0
    for number, rows in enumerate(_bounded(frame)):
        name = f"rows {start:,} to {start + len(rows) - 1:,}"
        parts.append(ScorePart(number, name, f"part-{number:05d}.parquet", _digest(rows), frame=rows))
        start += len(rows)
    kinds = {name: _kind(frame[name].dtype) for name in frame.columns}
    columns = [Columns("the table", kinds)]
    return ScoreInput(parts, columns, lambda left: list(left), lambda keys: _fields(frame, keys), frame.iloc[:SAMPLE])


def _fields(frame: Any, keys: Sequence[str]) -> list[Any]:
    """Columns of a table, or its index, as fields of Arrow's. What has no value is text."""
    import pyarrow

    given = {name: frame[name] for name in keys} or {"index": frame.index.to_series()}
    types = {name: in_arrow(values, None, f"The column {name!r}").type for name, values in given.items()}
    return [pyarrow.field(name, _plain(kind)) for name, kind in types.items()]


def _plain(kind: Any) -> Any:
    """A type of Arrow's without how its values are kept: text and what has no value are text of one type."""
    import pyarrow

    kind = kind.value_type if pyarrow.types.is_dictionary(kind) else kind
    return pyarrow.string() if is_text(kind) or pyarrow.types.is_null(kind) else kind


def _bounded(frame: Any) -> Iterator[Any]:
    """A table in parts of so many rows and bytes at most, or of one row; text counts with its characters."""
    if len(frame) > ROWS:
        for start in range(0, len(frame), ROWS):
            yield from _bounded(frame.iloc[start : start + ROWS])
    elif len(frame) > 1 and int(frame.memory_usage(index=False, deep=True).sum()) > BYTES:
        half = len(frame) // 2
        yield from _bounded(frame.iloc[:half])
        yield from _bounded(frame.iloc[half:])
    else:
        yield frame


def _digest(rows: Any) -> str:
    """Changes with the rows, their columns and types."""
    import pandas as pd

    told = repr([(name, str(dtype)) for name, dtype in rows.dtypes.items()])
    digest = hashlib.sha256(told.encode())
    for name in rows.columns:
        try:
            digest.update(pd.util.hash_pandas_object(rows[name], index=False).to_numpy().tobytes())
        except TypeError:
            why = "its values are no numbers, text or times"
            raise InvalidInput(f"The column {name!r} can't be scored", why, "Leave it out of the table.") from None
    digest.update(pd.util.hash_pandas_object(rows.index).to_numpy().tobytes())
    return digest.hexdigest()[:32]


def _kind(dtype: Any) -> str:
    """numpy's kind of a type of pandas'; "?" where the values have to be seen."""
    name = str(dtype)
    if name.lower().startswith(("int", "uint", "float")):
        return name.lower()[0]
    if name in ("bool", "boolean"):
        return "b"
    if name.startswith("datetime64"):
        return "M"
    return "U" if name in ("str", "string") or name.startswith("string[") else "?"


def _of_partitions(data: Any) -> ScoreInput:
    from dask.dataframe.dispatch import make_meta
    from dask.delayed import delayed as lazily

    frame = flat(make_meta(data))
    _check_twice(list(frame.columns), "the table")
    kinds = {name: _kind(dtype) for name, dtype in frame.dtypes.items()}
    delayed = data.to_delayed()
    delayed = list(delayed.ravel()) if hasattr(delayed, "ravel") else list(delayed)
    parts = []
    for number, partition in enumerate(delayed):
        key = hashlib.sha256(repr(partition.key).encode()).hexdigest()[:32]
        parts.append(ScorePart(number, f"partition {number:,}", f"part-{number:05d}.parquet", key))

    def send(left: list[ScorePart]) -> list[Any]:
        return [lazily((asdict(part), delayed[part.number])) for part in left]

    return ScoreInput(parts, [Columns("the table", kinds)], send, lambda keys: _fields(frame, keys))


# Files


def _of_files(texts: Sequence[Any]) -> ScoreInput:
    found: dict[str, str] = {}
    for text in texts:
        found |= _expanded(str(text))
    parts = []
    for number, (path, known) in enumerate(found.items()):
        stem = re.sub(r"[^\w.-]", "_", _ENDS.sub("", path.rpartition("/")[2]))[:80]
        file = f"{stem}-{hashlib.sha256(path.encode()).hexdigest()[:8]}.parquet"
        parts.append(ScorePart(number, path, file, known, path=path))
    paths = list(found)
    step = max(1, -(-len(paths) // LOOKED))
    looked = list(dict.fromkeys([*paths[::step], paths[-1]]))
    columns = [_columns_of(path) for path in looked]
    return ScoreInput(parts, columns, lambda left: list(left), lambda keys: _fields_of_files(columns, keys))


def _fields_of_files(there: list[Columns], keys: Sequence[str]) -> list[Any]:
    """Columns of files as fields of Arrow's, with room for the values of all that are looked at."""
    import pyarrow

    if not keys:
        return [pyarrow.field("file", pyarrow.string()), pyarrow.field("row", pyarrow.int64())]
    found = []
    for name in keys:
        of = {each.types[name]: each.where for each in there if not pyarrow.types.is_null(each.types[name])}
        try:
            schemas = [pyarrow.schema([(name, _plain(kind))]) for kind in of or [pyarrow.null()]]
            found.append(pyarrow.unify_schemas(schemas, promote_options="permissive").field(0))
        except pyarrow.ArrowException:
            why = " and ".join(f"{kind} in {where}" for kind, where in list(of.items())[:2])
            todo = "Make them one, or name other columns to stand beside the answers: keys=['id']."
            raise InvalidInput(f"The column {name!r} has several types", why, todo) from None
    return found


def _expanded(text: str) -> dict[str, str]:
    """The files that a path, URL, pattern or folder means: path → what changes with the file.

    Raises
    ------
    NotFound : there are none.
    InvalidInput : one can't be read.
    """
    try:
        files, path = files_at(str(Path(text).expanduser()) if text.startswith("~") else text)
    except (ImportError, ValueError) as error:
        raise InvalidInput(f"{text!r} can't be read", str(error), "") from None
    try:
        if any(sign in path for sign in "*?["):
            paths = sorted(each for each in files.glob(path) if not each.rpartition("/")[2].startswith((".", "_")))
        elif files.isdir(path):
            names = [str(each) for each in files.ls(path, detail=False)]
            paths = sorted(each for each in names if _ENDS.search(each) and each.rpartition("/")[2][0] not in "._")
        else:
            paths = [path] if files.exists(path) else []
        if not paths:
            todo = "A pattern is one of file names, like 'data/*.parquet'."
            raise NotFound(f"No file matches {text!r}", f"seen from {Path.cwd()}" if is_here(files) else "", todo)
        if strange := next((each for each in paths if not _ENDS.search(each)), None):
            raise InvalidInput(f"{strange} can't be read", "its name doesn't end in .parquet or .csv", "Convert it.")
        return {_full(files, each): _known(files, each) for each in paths}
    except OSError as error:
        raise InvalidInput(f"{text!r} can't be read", str(error), "") from error


def _full(files: Any, path: str) -> str:
    return path if is_here(files) else str(files.unstrip_protocol(path))


def _known(files: Any, path: str) -> str:
    """Changes with the content of a file, as far as can be told without reading it."""
    if is_here(files):
        stat = Path(path).stat()
        return hashlib.sha256(f"{path} {stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()[:32]
    return hashlib.sha256(str(files.ukey(path)).encode()).hexdigest()[:32]


def _columns_of(path: str) -> Columns:
    """The columns of a file."""
    import fsspec  # type: ignore[import-untyped]  # it has no types
    import pandas as pd
    from pyarrow import parquet, string

    try:
        with fsspec.open(path, "rb", compression="infer") as file:
            if is_csv(path):
                sample = pd.read_csv(file, dtype=str, nrows=SAMPLE)
                kinds = {str(name): _csv_kind([str(each) for each in sample[name].dropna()]) for name in sample.columns}
                return Columns(path, kinds, dict.fromkeys(kinds, string()))
            schema = parquet.ParquetFile(file).schema_arrow
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} can't be read", str(error), "Is it whole?") from None
    _check_twice(schema.names, path)
    fields = [each for each in schema if not _INDEX.fullmatch(each.name)]
    return Columns(
        path, {each.name: _arrow_kind(each.type) for each in fields}, {each.name: each.type for each in fields}
    )


def _arrow_kind(kind: Any) -> str:
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    if types.is_unsigned_integer(kind):
        return "u"
    if types.is_integer(kind):
        return "i"
    if types.is_floating(kind) or types.is_decimal(kind):
        return "f"
    if types.is_boolean(kind):
        return "b"
    if types.is_timestamp(kind):
        return "M"
    if is_text(kind):
        return "U"
    return "?" if types.is_null(kind) else str(kind)


def _csv_kind(values: list[str]) -> str:
    if not values:
        return "?"
    if all(map(_WHOLE.fullmatch, values)):
        return "i"
    if all(value in ("True", "False", "true", "false", "TRUE", "FALSE") for value in values):
        return "b"
    if all(map(_TIME.fullmatch, values)):
        return "M"
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        return "U"
    return "f" if np.isfinite(numbers).any() else "U"


def _check_twice(names: Sequence[str], where: str) -> None:
    if twice := [name for name in dict.fromkeys(names) if list(names).count(name) > 1]:
        raise InvalidInput(f"There are two columns {first_of([repr(each) for each in twice], 1)}", f"in {where}")

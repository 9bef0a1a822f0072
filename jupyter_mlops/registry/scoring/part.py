"""What a worker does with a part of what is scored: it reads the rows, asks the model, and writes what it answers.

All of this travels with the run, with what it uses of `rows`, `answers` and `flavors`: workers elsewhere lack them.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import Conflict, InvalidInput
from ..answers import ask
from ..flavors import Flavor
from ..rows import NumberRows, PlainColumn, Rows, read_column

#: Under which a part keeps its mark, in its Parquet file.
MARK = b"jupyter_mlops"

#: What the column of the answers is called; of several for each row, they have numbers, as in "prediction_0".
ANSWER, CHANCE = "prediction", "chance"

#: How the name of a file ends that is read as CSV; packed ones are unpacked.
_CSV = re.compile(r"\.csv(\.(gz|bz2|xz|zst|zip))?$")

#: numpy's kinds → what values of it are, and of which kinds a column may be that is taken for it.
KINDS = {
    "b": ("yes or no", "b"),
    "i": ("whole numbers", "iuf"),
    "u": ("whole numbers", "iuf"),
    "f": ("numbers", "iuf"),
    "U": ("text", "U"),
    "M": ("times", "M"),
}


@dataclass(frozen=True)
class ScorePart:
    """Some rows of what is scored.

    Parameters
    ----------
    number : from 0 on.
    name : as errors call it: a path, or "rows 0 to 49,999".
    file : the name of the file of its answers.
    input : changes with the rows.
    path : where they are, of a file or URL; empty for rows of a table.
    frame : rows of a table of pandas'.
    """

    number: int
    name: str
    file: str
    input: str
    path: str = ""
    frame: Any = None

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True)
class ScorePlan:
    """What all parts have in common.

    Parameters
    ----------
    version, digest : of which the answers are.
    columns : those that it takes, in their order, with numpy's type, and whether a value may be missing.
    dtypes, categories : the types of its example, which the rows get.
    shape : of a row of a model of arrays; None for one of tables.
    keys : the columns that stand beside the answers.
    chances : whether the chances of the classes are asked for.
    schema : Arrow's, of each part: what stands beside the answers, the answers, the chances.
    folder : where the answers go.
    note : the name of the file there that says of what it is.
    claim : what the note says while the folder is this call's.
    """

    version: str
    digest: str
    flavor: Flavor
    model: Any
    columns: list[tuple[str, str, bool]]
    dtypes: list[str]
    categories: dict[str, dict[str, Any]]
    shape: list[int] | None
    keys: list[str]
    chances: bool
    schema: Any
    folder: str
    note: str
    claim: str = ""

    @property
    def kinds(self) -> dict[str, str]:
        """The columns that it takes, with numpy's kinds."""
        return {name: np.dtype(dtype).kind for name, dtype, _ in self.columns}


def scorer(plan: ScorePlan) -> Callable[[Any], dict[str, int]]:
    """The function that scores a part; a partition of Dask's comes with what is known of it."""

    def score_part(item: Any) -> dict[str, int]:
        part, frame = (ScorePart(**item[0]), item[1]) if isinstance(item, tuple) else (item, item.frame)
        files, root = files_at(plan.folder)
        _check_claim(files, root, plan)
        keys, frame = read_file(part.path, plan) if part.path else split(flat(frame), plan)
        scored = answered(plan, part, keys, frame)
        mark = {"format": 1, "digest": plan.digest, "input": part.input, "rows": len(frame)}
        data = in_parquet(scored, mark)
        _check_claim(files, root, plan)
        write(files, root, part.file, data)
        runner = getattr(sys.modules.get("jupyter_mlops_agent.runner"), "RUNNER", None)
        if runner is not None:
            runner.tell("rows", part=part.number, rows=len(frame))
        return {"part": part.number, "rows": len(frame)}

    return score_part


def _check_claim(files: Any, root: str, plan: ScorePlan) -> None:
    """Raise `Conflict` where a worker doesn't see the folder, or another call scores into it since."""
    try:
        there = json.loads(files.cat_file(f"{root}/{plan.note}"))
    except FileNotFoundError:
        raise Conflict(
            f"This worker doesn't see {plan.folder}",
            "it is a folder of the machine that the notebook runs on",
            "Name one on a volume that the workers have, too, or a URL like s3://bucket/scores.",
        ) from None
    if there["claim"] != plan.claim:
        why = f"run {there['run']} scores into it since"
        raise Conflict(f"{plan.folder} isn't this run's any more", why, "Name another folder for one of them.")


def files_at(place: str) -> tuple[Any, str]:
    """What reads and writes the files of a folder or URL, and how it calls the place itself."""
    import fsspec  # type: ignore[import-untyped]  # it has no types

    files, root = fsspec.core.url_to_fs(place)
    return files, str(root).rstrip("/")


def is_here(files: Any) -> bool:
    """Whether files are on a disk of this machine, and no URL."""
    return "file" in (files.protocol if isinstance(files.protocol, tuple) else (files.protocol,))


# Reading


def read_file(path: str, plan: ScorePlan) -> tuple[dict[str, Any], Any]:
    """The rows of a Parquet or CSV file: the columns that stand beside the answers, of Parquet files as Arrow has them,
    and a table of those that the version takes.

    Raises
    ------
    InvalidInput : it isn't what its name says, or lacks a column.
    """
    import fsspec
    from pyarrow import parquet

    try:
        with fsspec.open(path, "rb", compression="infer") as file:
            if is_csv(path):
                return _read_csv(file, plan)
            source = parquet.ParquetFile(file)
            wanted = {*plan.keys, *plan.kinds}
            table = source.read(columns=[name for name in source.schema_arrow.names if name in wanted])
    except ValueError as error:
        raise InvalidInput(f"{path} can't be read", str(error), "Is it whole?") from error
    _check_all(plan, table.column_names)
    frame = table.select(list(plan.kinds)).to_pandas(ignore_metadata=True)
    return {name: table.column(name) for name in plan.keys}, frame


def split(frame: Any, plan: ScorePlan) -> tuple[dict[str, Any], Any]:
    """A table as what stands beside the answers, and what the version takes; raises `InvalidInput`."""
    _check_all(plan, frame.columns)
    keys = {name: frame[name] for name in plan.keys} or {"index": frame.index.to_series()}
    return keys, frame[list(plan.kinds)]


def _check_all(plan: ScorePlan, names: Iterable[str]) -> None:
    there = Counter(names)
    if lacking := [name for name in plan.kinds if name not in there]:
        raise InvalidInput(f"The column {lacking[0]!r} is missing", f"{plan.version} takes it")
    if lacking := [name for name in plan.keys if name not in there]:
        raise InvalidInput(f"The column {lacking[0]!r} is missing", "it was to stand beside the answers")
    if twice := [name for name in (*plan.kinds, *plan.keys) if there[name] > 1]:
        raise InvalidInput(f"There are two columns {twice[0]!r}", "", "Rename one of them.")


def _read_csv(file: Any, plan: ScorePlan) -> tuple[dict[str, Any], Any]:
    """What stands beside the answers is text as it is in the file: a key may have zeros in front, or 19 digits, and
    "NA" may be Namibia. So it is read apart from what the version takes."""
    import pandas as pd

    kinds, data = plan.kinds, io.BytesIO(file.read())
    keys = pd.read_csv(data, usecols=lambda name: name in plan.keys, dtype="str", na_filter=False)
    data.seek(0)
    texts = {name: "str" for name, kind in kinds.items() if kind in "UM"}
    # Of one type is a whole column, and not each piece of the file.
    frame = pd.read_csv(data, usecols=lambda name: name in kinds, dtype=texts, low_memory=False)
    _check_all(plan, {*keys.columns, *frame.columns})
    for name in [name for name, kind in kinds.items() if kind == "M"]:
        try:
            frame[name] = pd.to_datetime(frame[name])
        except ValueError as error:
            raise InvalidInput(f"The column {name!r} has no times", str(error)) from error
    return {name: keys[name] for name in plan.keys}, frame


def is_csv(path: str) -> bool:
    """Whether a file is read as CSV, packed or not."""
    return _CSV.search(path) is not None


def flat(frame: Any) -> Any:
    """A table whose named index is columns like the others; raises `InvalidInput` where a column is called so, too."""
    names = [name for name in frame.index.names if name is not None]
    if twice := [name for name in names if name in frame.columns or names.count(name) > 1]:
        raise InvalidInput(f"There are two columns {str(twice[0])!r}", "an index is one, too", "Rename one of them.")
    frame = frame.reset_index(names) if names else frame
    return frame.rename(columns=str)


# Asking


def answered(plan: ScorePlan, part: ScorePart, keys: dict[str, Any], frame: Any) -> Any:
    """What stands beside the answers with what the model answers to the rows, as a table of Arrow's: of the plan's
    schema, whatever is in the rows.

    Raises
    ------
    InvalidInput : the rows aren't what the version takes; it can't answer them, or answers with something else than it
        answered to its example.
    """
    import pyarrow

    rows = rows_of(plan, frame)
    if part.path and not plan.keys:
        keys = {"file": [part.path] * len(frame), "row": np.arange(len(frame))}
    made = [in_arrow(values, plan.schema.field(name).type, f"The column {name!r}") for name, values in keys.items()]
    wanted = plan.schema.types[len(made) :]
    if not len(frame):
        return plan.schema.empty_table()
    answers = ask_rows(plan, rows)
    given = [answers] if answers.ndim == 1 else list(answers.reshape(len(answers), -1).T)
    if plan.chances:
        given += list(plan.flavor.chances(plan.model, rows.back())[0].T)
    if len(given) != len(wanted):
        why = f"it gave {len(given):,} values for a row, and {len(wanted):,} for its example"
        raise InvalidInput(f"{plan.version} answers otherwise than before", why)
    what = f"An answer of {plan.version}"
    made += [in_arrow(values, kind, what) for values, kind in zip(given, wanted, strict=True)]
    return pyarrow.Table.from_arrays(made, schema=plan.schema)


def in_arrow(values: Any, kind: Any, what: str) -> Any:
    """Values as Arrow's, of that type, or of their own where it is None.

    Raises
    ------
    InvalidInput : they aren't of it, and would change; calls them `what`.
    """
    import pyarrow

    try:
        if not isinstance(values, (pyarrow.Array, pyarrow.ChunkedArray)):
            values = pyarrow.array(values, from_pandas=True)
        if kind is None:
            return values
        if _would_change(values.type, kind):
            raise InvalidInput(f"{what} is no {kind}", f"it is {values.type}")
        return values.cast(kind)
    except (pyarrow.ArrowException, OverflowError) as error:
        told = "can't be kept in Parquet" if kind is None else f"is no {kind}"
        raise InvalidInput(f"{what} {told}", str(error)) from error


def _would_change(kind: Any, wanted: Any) -> bool:
    """Whether Arrow makes something else of values of a type without a word, as 1 of "001", or True of 0.5."""
    from pyarrow import types

    kind = kind.value_type if types.is_dictionary(kind) else kind
    if kind == wanted or types.is_null(kind):
        return False
    return types.is_boolean(kind) or types.is_boolean(wanted) or (is_text(kind) and not is_text(wanted))


def is_text(kind: Any) -> bool:
    """Whether a type of Arrow's is one of text."""
    from pyarrow import types

    return types.is_string(kind) or types.is_large_string(kind) or str(kind) == "string_view"


def ask_rows(plan: ScorePlan, rows: Rows) -> Any:
    """What the version answers, one for each row; raises `InvalidInput`, which names what is missing if that is why."""
    try:
        return ask(plan.flavor, plan.model, rows)
    except InvalidInput as error:
        if missing := [repr(name) for name, column in rows.features() if column.missing.any()]:
            what = f"Values of {', '.join(missing[:3])} are missing, and {plan.version} can't answer without"
            raise InvalidInput(what, error.why) from None
        raise


def rows_of(plan: ScorePlan, frame: Any) -> Rows:
    """The rows as the model takes them; raises `InvalidInput`, which names the column and the first row at fault."""
    if (numbers := _numbers_of(plan, frame)) is not None:
        if plan.shape is not None:
            return Rows(None, [PlainColumn(numbers.reshape(len(frame), *plan.shape))])
        return NumberRows(list(plan.kinds), numbers, plan.dtypes)
    made = []
    for name, dtype, optional in plan.columns:
        column = fitted(_plain(frame[name], name), dtype, optional, name, plan.version)
        if name in plan.categories:
            _check_known(column, plan.categories[name]["values"], name, plan.version)
        made.append(column)
    if plan.shape is None:
        return Rows(list(plan.kinds), made, plan.dtypes, plan.categories)
    whole = np.column_stack([column.values for column in made]).reshape(len(frame), *plan.shape)
    return Rows(None, [PlainColumn(whole)])


def _numbers_of(plan: ScorePlan, frame: Any) -> Any:
    """All columns as one array, where they are numbers with decimals of one type, in the table, too; None where they
    aren't, or a value is missing that must not be: it is found, and named, when each column is looked at by itself."""
    names = list(plan.kinds)
    wanted = {np.dtype(dtype) for _, dtype, _ in plan.columns}
    if len(wanted) != 1 or min(wanted).kind != "f" or plan.categories or list(frame.columns) != names:
        return None
    if {*frame.dtypes} != wanted:
        return None
    numbers = frame.to_numpy()
    optional = all(optional for _, _, optional in plan.columns)
    return numbers if optional or not np.isnan(numbers).any() else None


def _plain(series: Any, name: str) -> PlainColumn:
    if getattr(series.dtype, "tz", None) is not None:
        series = series.dt.tz_convert("UTC").dt.tz_localize(None)
    return read_column(series, f"the column {name!r}")


def fitted(column: PlainColumn, dtype: str, optional: bool, name: str, version: str) -> PlainColumn:
    """A column with the type that the version takes; raises `InvalidInput`."""
    wanted, missing, values = np.dtype(dtype), column.missing, column.values
    words, allowed = KINDS.get(wanted.kind, (str(wanted), wanted.kind))
    if missing.any() and not optional:
        at = int(np.flatnonzero(missing)[0])
        raise InvalidInput(f"A value of the column {name!r} is missing", f"in row {at:,}; {version} needs {words}")
    if values.dtype.kind not in allowed and not missing.all():
        has = KINDS.get(values.dtype.kind, (str(values.dtype), ""))[0]
        raise InvalidInput(f"The column {name!r} has {has}", f"{version} takes {words}")
    if missing.all() and len(values):
        nothing: Any = {"f": np.nan, "M": "NaT"}.get(wanted.kind, "")
        gaps = None if wanted.kind in "fM" else missing
        return PlainColumn(np.full(len(values), nothing, wanted if wanted.kind != "U" else np.str_), gaps)
    if wanted.kind == "U":
        return column
    with np.errstate(all="ignore"):  # what doesn't fit is looked for below
        made = values.astype(wanted)
    if wanted.kind in "iu" and not np.array_equal(made, values):
        at = int(np.flatnonzero(made != values)[0])
        raise InvalidInput(f"The column {name!r} has {values[at]} in row {at:,}", f"{version} takes {words} ({wanted})")
    return PlainColumn(made, column.gaps)


def _check_known(column: PlainColumn, known: list[Any], name: str, version: str) -> None:
    wrong = ~np.isin(column.values, known) & ~column.missing
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        seen = ", ".join(map(str, known[:5])) + (", …" if len(known) > 5 else "")
        raise InvalidInput(f"The column {name!r} has {column.values[at]} in row {at:,}", f"{version} knows {seen}")


# Writing


def in_parquet(table: Any, mark: dict[str, Any]) -> bytes:
    """A table of Arrow's as the bytes of a Parquet file, with its mark."""
    from pyarrow import parquet

    target = io.BytesIO()
    parquet.write_table(table.replace_schema_metadata({MARK: json.dumps(mark).encode()}), target)
    return target.getvalue()


def write(files: Any, root: str, name: str, data: bytes) -> None:
    """Write a file whole or not at all: a store does so, on a disk it gets its name when it is whole."""
    if not is_here(files):
        files.pipe_file(f"{root}/{name}", data)
        return
    draft = Path(root) / f".{name}.{os.getpid()}-{time.time_ns()}"
    try:
        draft.write_bytes(data)
        draft.replace(Path(root) / name)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise

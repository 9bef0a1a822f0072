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
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...core.errors import Conflict, InvalidInput
from ..answers import ask
from ..flavors import Flavor
from ..rows import PlainColumn, Rows, read_column

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
    columns : those that it takes, with numpy's type, and whether a value may be missing; none for a model of arrays.
    dtypes, categories : the types of its example, which the rows get.
    shape, dtype : of a row of a model of arrays.
    answer : numpy's type of its answers.
    keys : the columns that stand beside the answers.
    classes : those of which the chances are asked for; None where they aren't.
    folder : where the answers go.
    note : the name of a file that is there, if a worker sees the folder that is meant.
    texts : how columns of CSV files are read.
    times : those of them that are times.
    """

    version: str
    digest: str
    flavor: Flavor
    model: Any
    columns: list[tuple[str, str, bool]]
    dtypes: list[str]
    categories: dict[str, dict[str, Any]]
    shape: list[int]
    dtype: str
    answer: str
    keys: list[str]
    classes: list[str] | None
    folder: str
    note: str
    texts: dict[str, str] = field(default_factory=dict)
    times: list[str] = field(default_factory=list)


def scorer(plan: ScorePlan) -> Callable[[Any], dict[str, int]]:
    """The function that scores a part; a partition of Dask's comes with what is known of it."""

    def score_part(item: Any) -> dict[str, int]:
        part, frame = (ScorePart(**item[0]), item[1]) if isinstance(item, tuple) else (item, item.frame)
        files, root = files_at(plan.folder)
        if not files.exists(f"{root}/{plan.note}"):
            raise Conflict(
                f"This worker doesn't see {plan.folder}",
                "it is a folder of the machine that the notebook runs on",
                "Name one on a volume that the workers have, too, or a URL like s3://bucket/scores.",
            )
        frame = flat(read_file(part.path, plan) if part.path else frame)
        scored = answered(plan, part, frame)
        mark = {"format": 1, "digest": plan.digest, "input": part.input, "rows": len(scored)}
        write(files, root, part.file, in_parquet(scored, mark))
        runner = getattr(sys.modules.get("jupyter_mlops_agent.runner"), "RUNNER", None)
        if runner is not None:
            runner.tell("rows", part=part.number, rows=len(scored))
        return {"part": part.number, "rows": len(scored)}

    return score_part


def files_at(place: str) -> tuple[Any, str]:
    """What reads and writes the files of a folder or URL, and how it calls the place itself."""
    import fsspec  # type: ignore[import-untyped]  # it has no types

    files, root = fsspec.core.url_to_fs(place)
    return files, str(root).rstrip("/")


def is_here(files: Any) -> bool:
    """Whether files are on a disk of this machine, and no URL."""
    return "file" in (files.protocol if isinstance(files.protocol, tuple) else (files.protocol,))


# Reading


def read_file(path: str, plan: ScorePlan) -> Any:
    """The rows of a Parquet or CSV file: of a Parquet file only the columns that are of use."""
    import fsspec
    import pandas as pd

    with fsspec.open(path, "rb", compression="infer") as file:
        if is_csv(path):
            frame = pd.read_csv(file, dtype=plan.texts)
            return frame.assign(**{name: pd.to_datetime(frame[name]) for name in plan.times if name in frame})
        from pyarrow import parquet

        source = parquet.ParquetFile(file)
        wanted = {*plan.keys, *(name for name, _, _ in plan.columns)}
        names = [name for name in source.schema_arrow.names if name in wanted or not plan.columns]
        return source.read(columns=names).to_pandas()


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


def answered(plan: ScorePlan, part: ScorePart, frame: Any) -> Any:
    """The keys of the rows with what the model answers to them.

    Raises
    ------
    InvalidInput : the rows aren't what the version takes; it can't answer them.
    """
    import pandas as pd

    if lacking := [name for name in plan.keys if name not in frame.columns]:
        raise InvalidInput(f"The column {lacking[0]!r} is missing", "it was to stand beside the answers")
    rows = rows_of(plan, frame)
    found = {name: frame[name].reset_index(drop=True) for name in plan.keys}
    if not found and part.path:
        found = {"file": [part.path] * len(frame), "row": np.arange(len(frame))}
    elif not found:
        found = {"index": frame.index.to_numpy()}
    answers = _ask(plan, rows) if len(rows) else np.array([], plan.answer)
    texts = answers.dtype.kind == "U"
    columns = [answers] if answers.ndim == 1 else list(answers.T)
    names = [ANSWER] if answers.ndim == 1 else [f"{ANSWER}_{number}" for number in range(len(columns))]
    found |= {name: column.astype(object) if texts else column for name, column in zip(names, columns, strict=True)}
    if plan.classes is not None:
        chances = plan.flavor.chances(plan.model, rows.back())[0] if len(rows) else np.empty((0, len(plan.classes)))
        found |= {f"{CHANCE}_{label}": chances[:, number] for number, label in enumerate(plan.classes)}
    return pd.DataFrame(found)


def _ask(plan: ScorePlan, rows: Rows) -> Any:
    try:
        return ask(plan.flavor, plan.model, rows)
    except InvalidInput as error:
        if missing := [repr(name) for name, column in rows.features() if column.missing.any()]:
            what = f"Values of {', '.join(missing[:3])} are missing, and {plan.version} can't answer without"
            raise InvalidInput(what, error.why) from None
        raise


def rows_of(plan: ScorePlan, frame: Any) -> Rows:
    """The rows as the model takes them; raises `InvalidInput`, which names the column and the first row at fault."""
    if not plan.columns:
        return _array(plan, frame)
    made = []
    for name, dtype, optional in plan.columns:
        if name not in frame.columns:
            raise InvalidInput(f"The column {name!r} is missing", f"{plan.version} takes it")
        column = fitted(_plain(frame[name], name), dtype, optional, name, plan.version)
        if name in plan.categories:
            _check_known(column, plan.categories[name]["values"], name, plan.version)
        made.append(column)
    return Rows([name for name, _, _ in plan.columns], made, plan.dtypes, plan.categories)


def _array(plan: ScorePlan, frame: Any) -> Rows:
    names = [name for name in frame.columns if name not in plan.keys]
    if len(names) != int(np.prod(plan.shape)):
        why = f"{plan.version} takes {int(np.prod(plan.shape))} columns, and there are {len(names)} besides the keys"
        raise InvalidInput("The columns don't fit", why)
    optional = np.dtype(plan.dtype).kind == "f"
    made = [fitted(_plain(frame[name], name), plan.dtype, optional, name, plan.version).values for name in names]
    return Rows(None, [PlainColumn(np.column_stack(made).reshape(len(frame), *plan.shape))])


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


def in_parquet(frame: Any, mark: dict[str, Any]) -> bytes:
    """A table as the bytes of a Parquet file, with its mark."""
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.Table.from_pandas(frame, preserve_index=False)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), MARK: json.dumps(mark).encode()})
    target = io.BytesIO()
    parquet.write_table(table, target)
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

"""What of a service's log is replayed: rows with their features, what was answered to them, and their labels."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...core.errors import Conflict, InvalidInput, NotFound
from ...core.model import ModelVersion
from ...core.service import ServiceSpec
from ...core.words import count, first_of
from ...registry.scoring.inputs import Columns, ScoreInput
from .part import ReplayPart

#: Parts that a log is made at least, as far as each has so many rows, and rows of a part at most.
_PARTS, _LEAST, _MOST = 16, 1000, 50_000

#: Columns that an error names.
_NAMED = 6

#: How what isn't a feature is called in the log.
_OWN = "request."


@dataclass
class Logged:
    """Logged rows that a version can be asked for.

    Parameters
    ----------
    tables : of Arrow's, each with the columns that the version takes.
    versions : which versions answered them: number → rows.
    left_out : why other rows aren't replayed → how many.
    """

    tables: list[Any]
    columns: list[str]
    versions: Counter[int] = field(default_factory=Counter)
    left_out: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(table.num_rows for table in self.tables)

    def parts(self) -> list[ReplayPart]:
        """All of them, in parts that workers are sent."""
        return [ReplayPart(number, piece.to_pandas()) for number, piece in enumerate(self._pieces())]

    def sizes(self) -> list[int]:
        """The rows of each part."""
        return [piece.num_rows for piece in self._pieces()]

    def _pieces(self) -> Iterator[Any]:
        rows = min(_MOST, max(_LEAST, math.ceil(len(self) / _PARTS)))
        for table in self.tables:
            for start in range(0, table.num_rows, rows):
                yield table.select(self.columns).slice(start, rows)

    def given(self, version: ModelVersion) -> ScoreInput:
        """What its columns hold, as scoring is told it. Times are text in a log."""
        times = {column.name for column in version.signature.columns if column.dtype.startswith("datetime")}
        columns = []
        for table in self.tables:
            kinds = {name: _kind(table.schema.field(name).type) for name in self.columns}
            columns.append(Columns("the log", {**kinds, **dict.fromkeys(times, "?")}))
        return ScoreInput([], columns, lambda left: [*left], lambda keys: [])

    def own(self, name: str) -> Any:
        """A column that isn't a feature, as Arrow's."""
        import pyarrow as pa

        return pa.chunked_array([chunk for table in self.tables for chunk in table.column(_OWN + name).chunks])

    def features(self, at: Sequence[int]) -> Any:
        """The features of these rows, and when they were asked, as a table of pandas'."""
        import pandas as pd

        starts = np.cumsum([0, *(table.num_rows for table in self.tables)])
        names = [f"{_OWN}id", f"{_OWN}time", *self.columns]
        rows = []
        for each in at:
            number = int(np.searchsorted(starts, each, side="right")) - 1
            rows += self.tables[number].select(names).slice(int(each - starts[number]), 1).to_pylist()
        frame = pd.DataFrame(rows, columns=names)
        frame[f"{_OWN}time"] = pd.to_datetime(frame[f"{_OWN}time"], unit="s", utc=True).dt.floor("s")
        return frame


def logged_rows(tables: list[Any], version: ModelVersion, spec: ServiceSpec, when: str) -> Logged:
    """The rows of a log that a version can be asked for.

    Parameters
    ----------
    tables : as `Hosting.logged` tells them.
    when : of which time they are: "in the last 24 hours".

    Raises
    ------
    NotFound : there are none.
    InvalidInput : they lack a feature that the version takes; says whether it is private.
    Conflict : nobody knows which of their features the version's are.
    """
    import pyarrow.compute as pc

    left_out: dict[str, int] = {}
    asked: list[Any] = []
    for table in tables:
        own = pc.equal(table.column(f"{_OWN}version"), version.number)
        if version.number != spec.version and (mine := pc.sum(own).as_py() or 0):
            why = f"{version.name} answered them itself"
            left_out[why] = left_out.get(why, 0) + mine
            table = table.filter(pc.invert(own))
        asked += [table] if table.num_rows else []
    if not asked:
        raise _nothing(spec, version, when, left_out)
    there = [[name for name in table.column_names if not name.startswith(_OWN)] for table in asked]
    columns = _taken(version, there)
    fit = [table for table, names in zip(asked, there, strict=True) if {*names} >= {*columns}]
    if not fit:
        raise _lacking(version, spec, columns, there[-1])
    for table, names in zip(asked, there, strict=True):
        if lacks := [name for name in columns if name not in names]:
            why = f"they lack {first_of([repr(name) for name in lacks], _NAMED)}"
            left_out[why] = left_out.get(why, 0) + table.num_rows
    found = Logged(_joined(fit), columns, left_out=left_out)
    for counted in found.own("version").value_counts().to_pylist():
        found.versions[counted["values"]] += counted["counts"]
    return found


def _taken(version: ModelVersion, there: list[list[str]]) -> list[str]:
    """The columns that a version takes. Those of an array are called by their numbers in the log."""
    signature = version.signature
    if signature.kind == "table":
        return [column.name for column in signature.columns]
    if len(signature.shape) > 1:
        why = f"a row of it has the shape {signature.shape}, and the log has single values only"
        raise Conflict(f"Nothing can be replayed through {version.name}", why, "Score rows of your own: mlops.score.")
    names = [str(number) for number in range(math.prod(signature.shape))]
    if not any({*each} >= {*names} for each in there):
        why = f"it takes arrays of {count(len(names), 'number')}, and what was asked has other features"
        todo = f"There are: {first_of([repr(name) for name in there[-1]], _NAMED)}."
        raise Conflict(f"{version.name} doesn't take what the service was asked", why, todo)
    return names


def _nothing(spec: ServiceSpec, version: ModelVersion, when: str, left_out: dict[str, int]) -> NotFound:
    what = f"Nothing that {spec.name!r} was asked {when} is logged"
    if left_out:
        return NotFound(what, f"but for what {version.name} answered itself", "Replay another version.")
    if not spec.log:
        why, todo = "it logs nothing", f"Let it: mlops.deploy({spec.version_name!r}, name={spec.name!r}, log=0.1)."
    else:
        why = f"it logs {spec.log:.0%} of its requests, at most {count(spec.log_rows, 'row')} of an hour"
        todo = "Look further back (hours=…), or let it log more: mlops.deploy(…, log=1.0)."
    return NotFound(what, why, todo)


def _lacking(version: ModelVersion, spec: ServiceSpec, columns: list[str], there: list[str]) -> InvalidInput:
    lacks = [name for name in columns if name not in there]
    private = [repr(name) for name in lacks if name in spec.private]
    score = f"Score rows of your own that have it: mlops.score({version.name!r}, table, out=…)"
    if private:
        several = len(private) > 1
        what = f"{first_of(private, _NAMED)} {'are' if several else 'is'}n't in the log, and {version.name} takes "
        why = f"{'they are' if several else 'it is'} private of the service {spec.name!r}"
        return InvalidInput(what + ("them" if several else "it"), why, f"{score}.")
    what = f"{version.name} takes {first_of([repr(name) for name in lacks], _NAMED)}, which {spec.name!r} isn't asked"
    why = f"its requests have {first_of([repr(name) for name in there], _NAMED) or 'no features that are logged'}"
    return InvalidInput(what, why, f"{score}, or replay a version with the same columns.")


def _joined(tables: list[Any]) -> list[Any]:
    """Tables with the same columns as one; those whose columns are of types that don't go together stay apart."""
    import pyarrow as pa

    try:
        return [pa.concat_tables(tables, promote_options="permissive")]
    except pa.ArrowException:
        return tables


def _kind(type: Any) -> str:
    """numpy's kind of a type of Arrow's; "?" of one that has no values."""
    from pyarrow import types

    found = {"b": types.is_boolean, "i": types.is_integer, "f": types.is_floating, "U": types.is_string}
    return next((kind for kind, fits in found.items() if fits(type)), "?")


def read_answers(texts: Any) -> Any:
    """Answers or labels, kept as JSON, as an array of numpy's: of numbers where all are, else of objects; what is
    missing, or can't be read, is NaN or None."""
    import pyarrow as pa

    try:  # many numbers are read at once
        return texts.cast(pa.float64()).to_numpy()
    except pa.ArrowException:
        pass
    coded = texts.combine_chunks().dictionary_encode()
    coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
    known = [_read(text) for text in coded.dictionary.to_pylist()]
    values = np.empty(len(known) + 1, object)
    for number, each in enumerate(known):
        values[number] = each
    return values[coded.indices.fill_null(len(known)).to_numpy()]


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None

"""What of a service's log is replayed: rows with their features, what was answered to them, and their labels."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...core.errors import Conflict, InvalidInput, NotFound, Unreadable
from ...core.model import ModelVersion
from ...core.service import ServiceSpec
from ...core.words import count, first_of
from ...home.request_files import LoggedPiece, LoggedPieces
from ...registry.scoring.inputs import Columns, ScoreInput
from .part import FileRows, ReplayPart

#: Parts that a log is made at least, as far as each has so many rows; rows of a part at most, and values. Many a model
#: answers large parts faster.
_PARTS, _LEAST, _MOST, _VALUES = 16, 1000, 100_000, 5_000_000

#: Columns that an error names.
_NAMED = 6

#: How what isn't a feature is called in the log.
_OWN = "request."


@dataclass
class Logged:
    """Logged rows that a version can be asked for.

    Parameters
    ----------
    pieces : of the log, each with the columns that the version takes.
    labels : as of `LoggedPieces`.
    versions : which versions answered them: number → rows.
    left_out : why other rows aren't replayed → how many.
    """

    pieces: list[LoggedPiece]
    columns: list[str]
    labels: tuple[Any, Any] | None = None
    versions: Counter[int] = field(default_factory=Counter)
    left_out: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(piece.rows for piece in self.pieces)

    def parts(self, by_path: bool) -> list[ReplayPart]:
        """All of them, in parts that workers are sent, or read themselves.

        Parameters
        ----------
        by_path : whether workers see the files of the log, so that only what is in none is sent.
        """
        return [
            ReplayPart(number, [_rows_of(each, self.columns, start, stop, by_path) for each, start, stop in some])
            for number, some in enumerate(self._split())
        ]

    def sizes(self) -> list[int]:
        """The rows of each part."""
        return [sum(stop - start for _, start, stop in some) for some in self._split()]

    def _split(self) -> list[list[tuple[LoggedPiece, int, int]]]:
        """Which rows of which pieces are a part: several small files are one. Whoever reads a part reads all of its
        files, so that only those are cut that are too large for one."""
        bound = min(_MOST, _VALUES // max(1, len(self.columns)))
        most = max(_LEAST, min(bound, math.ceil(len(self) / _PARTS)))
        found: list[list[tuple[LoggedPiece, int, int]]] = []
        room = 0
        for piece in self.pieces:
            cuts = np.linspace(0, piece.rows, math.ceil(piece.rows / most) + 1).astype(int).tolist()
            for start, stop in itertools.pairwise(cuts):
                if room < stop - start:
                    found.append([])
                    room = most
                found[-1].append((piece, start, stop))
                room -= stop - start
        return found

    def given(self, version: ModelVersion) -> ScoreInput:
        """What its columns hold, as scoring is told it. Times are text in a log."""
        times = {column.name for column in version.signature.columns if column.dtype.startswith("datetime")}
        columns = []
        for piece in self.pieces:
            kinds = {name: _kind(piece.schema.field(name).type) for name in self.columns}
            columns.append(Columns("the log", {**kinds, **dict.fromkeys(times, "?")}))
        return ScoreInput([], columns, lambda left: [*left], lambda keys: [])

    def told(self) -> tuple[Any, Any]:
        """What was answered to each row, and what turned out to be true of it; see `read_answers`. Raises `Conflict`
        where a file has changed since."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if self.labels is None:
            (answers,) = self._own("answer")
            return read_answers(answers), np.full(len(self), np.nan)
        answers, its_ids = self._own("answer", "id")
        ids, labels = self.labels
        known = labels.take(pc.index_in(its_ids.combine_chunks(), value_set=ids))
        return read_answers(answers), read_answers(pa.chunked_array([known]))

    def _own(self, *names: str) -> list[Any]:
        """Columns that are no features, as Arrow's; of damaged files they are null."""
        import pyarrow as pa

        found: list[list[Any]] = [[] for _ in names]
        for piece in self.pieces:
            try:
                columns = _rows_of(piece, [_OWN + name for name in names], 0, piece.rows).columns
            except Unreadable:
                columns = [pa.chunked_array([pa.nulls(piece.rows, pa.string())])] * len(names)
            for chunks, column in zip(found, columns, strict=True):
                chunks += column.chunks
        return [pa.chunked_array(chunks, pa.string()) for chunks in found]

    def examples(self, at: Sequence[int]) -> Any:
        """These rows as a table of pandas': their ids, when they were asked, and their features."""
        import pandas as pd

        starts = np.cumsum([0, *(piece.rows for piece in self.pieces)])
        found = []
        for each in at:
            number = int(np.searchsorted(starts, each, side="right")) - 1
            piece, start = self.pieces[number], int(each - starts[number])
            told = pd.DataFrame(index=[0])
            with contextlib.suppress(Conflict, Unreadable):  # the answers are known, and not any more to what
                told = _rows_of(piece, [f"{_OWN}id", f"{_OWN}time", *self.columns], start, start + 1).to_pandas()
            found.append(told)
        frame = pd.concat(found, ignore_index=True).reindex(columns=[f"{_OWN}id", f"{_OWN}time", *self.columns])
        frame[f"{_OWN}time"] = pd.to_datetime(frame[f"{_OWN}time"], unit="s", utc=True).dt.floor("s")
        return frame


def logged_rows(log: LoggedPieces, version: ModelVersion, spec: ServiceSpec, when: str) -> Logged:
    """The rows of a log that a version can be asked for.

    Parameters
    ----------
    when : of which time they are: "in the last 24 hours".

    Raises
    ------
    NotFound : there are none.
    InvalidInput : they lack a feature that the version takes; says whether it is private.
    Conflict : nobody knows which of their features the version's are.
    """
    left_out: dict[str, int] = {}
    asked = [piece for piece in log.pieces if piece.version != version.number or version.number == spec.version]
    if own := sum(piece.rows for piece in log.pieces) - sum(piece.rows for piece in asked):
        left_out[f"{version.name} answered them itself"] = own
    if not asked:
        raise _nothing(spec, version, when, left_out)
    there = [[name for name in piece.schema.names if not name.startswith(_OWN)] for piece in asked]
    found = Logged([], _taken(version, there), log.labels, left_out=left_out)
    for piece, names in zip(asked, there, strict=True):
        if lacks := [name for name in found.columns if name not in names]:
            why = f"they lack {first_of([repr(name) for name in lacks], _NAMED)}"
            left_out[why] = left_out.get(why, 0) + piece.rows
        else:
            found.pieces.append(piece)
            found.versions[piece.version] += piece.rows
    if not found.pieces:
        raise _lacking(version, spec, found.columns, there[-1])
    return found


def _rows_of(piece: LoggedPiece, columns: list[str], start: int, stop: int, by_path: bool = False) -> Any:
    """Some columns of some rows of a piece, as a table of Arrow's; or where they are, if asked so and a file has them.
    Raises as `FileRows.read`."""
    if piece.table is not None:
        return piece.table.select(columns).slice(start, stop - start)
    rows = FileRows(piece.path, piece.stamp, piece.since, columns, start, stop)
    return rows if by_path else rows.read()


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

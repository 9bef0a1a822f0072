"""The files of a log of requests: features of its rows, and what else is known of them, in Parquet, by the hour and
version.

    requests/2026-11-27/13-v3.parquet

They are for their owner only. All dates are UTC. Needs pyarrow, but to name and remove them.
"""

from __future__ import annotations

import contextlib
import datetime
import io
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import home

if TYPE_CHECKING:
    from ..core.base import Time

#: What stands before what isn't a feature, in the names of a file's columns.
OWN = "request."


@dataclass(frozen=True)
class LoggedPiece:
    """Logged rows of one version: how many, and where they are. A log may have millions: none is read for this.

    Parameters
    ----------
    rows : how many.
    version : which answered them.
    schema : names and types of their columns; what isn't a feature is `id`, `time`, `version` and `answer`, as JSON.
    path, stamp : of the Parquet file that has them, and what it was then: modified when, and how many bytes.
    since : older rows of that file aren't among these; 0 where all are.
    table : the rows, where they are in no file, as Arrow's table.
    """

    rows: int
    version: int
    schema: Any
    path: str = ""
    stamp: tuple[int, int] = (0, 0)
    since: Time = 0.0
    table: Any = None

    @classmethod
    def of(cls, version: int, lines: Sequence[dict[str, Any]]) -> LoggedPiece:
        """Of rows that are in no file, as `line_of` makes them."""
        table = _table(lines)
        return cls(len(lines), version, table.schema, table=table)


class LoggedPieces(NamedTuple):
    """What is logged.

    Parameters
    ----------
    labels : ids of rows, and their labels as JSON, as Arrow's arrays; None where there are none.
    """

    pieces: list[LoggedPiece]
    labels: tuple[Any, Any] | None = None


@dataclass(frozen=True)
class RequestFiles:
    """The files of one log. One process at a time uses them: who does holds the log.

    Parameters
    ----------
    path : the log's folder.
    """

    path: Path

    def write(self, hour: Time, version: int, lines: Sequence[dict[str, Any]]) -> None:
        """Put rows of one version and hour, as `line_of` makes them, into a file of their own."""
        home.write(self._free(hour, version), _bytes(_table(lines)))

    def features(self, since: Time, until: Time | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
        """Id and features of each row of the hours that weren't over by then, and had begun until then, without those
        of a damaged file."""
        for path in self._since(since):
            if until is not None and _ends(path) - 3600 > until:
                continue
            table = _read(path)
            for row in [] if table is None else table.to_pylist():
                yield row[f"{OWN}id"], features_of(row)

    def pieces(self, since: Time) -> list[LoggedPiece]:
        """The rows that are no older, a piece for each file, without damaged ones."""
        found = (_piece(path, since) for path in self._since(since))
        return [piece for piece in found if piece is not None]

    def forget(self, keys: Mapping[str, Time]) -> tuple[set[str], list[Path]]:
        """Remove the rows of keys, by their digests, each with the time until which they go; the ids of those, and the
        files that are damaged, and may have more of them."""
        ids: set[str] = set()
        damaged = []
        for path in self._all():
            if (gone := _without(path, keys)) is None:
                damaged.append(path)
            else:
                ids |= gone
        return ids, damaged

    def remove_old(self, before: Time, most: int) -> None:
        """Remove the files whose hour was over by then, and the oldest while they have more than `most` bytes."""
        files = self._all()
        sizes = {path: path.stat().st_size for path in files}
        left = sum(sizes.values())
        for path in files:
            if _ends(path) > before and left <= most:
                break
            path.unlink(missing_ok=True)
            left -= sizes[path]
            with contextlib.suppress(OSError):
                path.parent.rmdir()  # once it is empty

    def _free(self, hour: Time, version: int) -> Path:
        """The path of a new file."""
        moment = datetime.datetime.fromtimestamp(hour, datetime.timezone.utc)
        folder = home.private(self.path / f"{moment:%Y-%m-%d}")
        for number in itertools.count(1):
            path = folder / f"{moment:%H}-v{version}{f'-{number}' if number > 1 else ''}.parquet"
            if not path.exists():
                break
        return path

    def _all(self) -> list[Path]:
        """All files of features, the first first."""
        return sorted(self.path.glob("????-??-??/*.parquet"))

    def _since(self, since: Time) -> list[Path]:
        return [path for path in self._all() if _ends(path) > since]


def line_of(row: tuple[str, Time, str, str, str], version: int) -> dict[str, Any]:
    """A row of a file: its id, time, the digest of its key, answer and features, both as JSON."""
    id, at, key, answer, features = row
    own = {"id": id, "time": at, "key": key, "version": version, "answer": answer}
    return {**{f"{OWN}{name}": value for name, value in own.items()}, **features_of(json.loads(features))}


def _ends(path: Path) -> Time:
    """When the hour of a file is over; one of an odd name is old."""
    try:
        text = f"{path.parent.name} {path.name[:2]}"
        began = datetime.datetime.strptime(text, "%Y-%m-%d %H").replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        return 0.0
    return began.timestamp() + 3600


def features_of(named: dict[str, Any]) -> dict[str, Any]:
    """Those of a row: no name of theirs takes the place of one of ours."""
    return {name: value for name, value in named.items() if not name.startswith(OWN)}


def is_features(text: str) -> bool:
    """Whether it is JSON with names and values: what logs runs what people wrote, and may say anything."""
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _table(lines: Sequence[dict[str, Any]]) -> Any:
    import pyarrow as pa

    names = list(dict.fromkeys(name for line in lines for name in line))
    return pa.table([_column(pa, [line.get(name) for line in lines]) for name in names], names=names)


def _column(pa: Any, values: list[Any]) -> Any:
    try:
        if not any(isinstance(value, (dict, list)) for value in values):
            return pa.array(values)
    except (pa.ArrowException, OverflowError):  # text beside numbers, or one that is too large
        pass
    return pa.array([None if value is None else json.dumps(value) for value in values])


def _piece(path: Path, since: Time) -> LoggedPiece | None:
    """The rows of a file that are no older, by what its end says of all; None where it is damaged."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import parquet

    try:
        seen = path.stat()
        with parquet.ParquetFile(path) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
            if _least(file, f"{OWN}time") >= since:
                since = 0.0
            else:
                times = file.read(columns=[f"{OWN}time"], use_threads=False).column(0)
                rows = pc.sum(pc.greater_equal(times, since)).as_py() or 0
            version = int(_least(file, f"{OWN}version"))
    except (pa.ArrowException, OSError):
        return None
    return LoggedPiece(rows, version, schema, str(path), (seen.st_mtime_ns, seen.st_size), since)


def _least(file: Any, name: str) -> Any:
    """The smallest value of a column. `write` leaves it in the file's end."""
    import pyarrow as pa

    at = file.schema_arrow.names.index(name)
    groups = (file.metadata.row_group(number).column(at) for number in range(file.metadata.num_row_groups))
    known = [group.statistics for group in groups]
    if not known or not all(each is not None and each.has_min_max for each in known):
        raise pa.ArrowInvalid(f"nothing is known of {name}")
    return min(each.min for each in known)


def arrow() -> Any:
    """pyarrow; raises `Unavailable` where it isn't installed."""
    from ..core.errors import Unavailable

    try:
        import pyarrow
    except ImportError as error:
        raise Unavailable("Logged requests can't be read", str(error), "Install pyarrow.") from error
    return pyarrow


def _read(path: Path) -> Any:
    """The table of a file; None where it is damaged."""
    pa = arrow()
    from pyarrow import parquet

    try:
        return parquet.read_table(io.BytesIO(path.read_bytes()))
    except (pa.ArrowException, OSError):
        return None


def _without(path: Path, keys: Mapping[str, Time]) -> set[str] | None:
    """Leave what is of keys out of a file, until a time each; the ids of that. None where the file is damaged."""
    table = _read(path)
    if table is None:
        return None
    own = (table.column(f"{OWN}{name}").to_pylist() for name in ("id", "key", "time"))
    rows = [(id, at <= keys.get(key, float("-inf"))) for id, key, at in zip(*own, strict=True)]
    ids = {id for id, goes in rows if goes}
    if not ids:
        return ids
    kept = table.filter([not goes for _, goes in rows])
    if not kept.num_rows:
        path.unlink(missing_ok=True)
        return ids
    home.write(path, _bytes(kept))
    return ids


def _bytes(table: Any) -> bytes:
    from pyarrow import parquet

    target = io.BytesIO()
    parquet.write_table(table, target, compression="zstd")
    return target.getvalue()

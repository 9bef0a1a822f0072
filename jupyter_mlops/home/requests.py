"""A service's log of requests: rows that were answered, with their labels, in SQLite; their features go from there to
Parquet files, by the hour.

    requests/rows.sqlite               the answers of logged rows, their labels; and features that aren't in a file yet
    requests/2026-11-27/13-v3.parquet  the features of those of an hour

Both are for their owner only. All dates are UTC. Parquet needs pyarrow: without it features stay in SQLite.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import io
import itertools
import json
import os
import secrets
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import home

if TYPE_CHECKING:
    from ..core.base import Seconds, Time
    from ..core.label import JoinedLabels
    from ..core.logged import LoggedRow
    from ..core.performance import Tally

#: The folder, and the file in it.
REQUESTS, ROWS = "requests", "rows.sqlite"

#: Rows that are kept at most, and bytes of their features. The oldest go first.
MOST_ROWS, MOST_BYTES = 1_000_000, 200_000_000

#: Rows whose features are put into a file though their hour isn't over, that wait for that at most, and that are
#: changed at a time.
_WAITING, MOST_WAITING, _AT_ONCE = 5000, 20_000, 2000

#: Seconds to wait for another process that writes, and that it may take to make files of an hour.
_BUSY, _PACKING = 20.0, 60.0

#: Seconds that a key is remembered which was forgotten: until what a replica has of it has come, and been left out.
LATE = 24 * 3600.0

#: Of the tables below.
_FORMAT = 1

#: What SQLite says of a disk, and what the system calls that.
_DISK = {"is full": errno.ENOSPC, "readonly": errno.EROFS}

#: What stands before what isn't a feature, in the names of a file's columns.
_OWN = "request."

#: Of these what is read of a file for `pieces`.
_TOLD = [f"{_OWN}{name}" for name in ("id", "time", "version", "answer")]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS versions (digest TEXT PRIMARY KEY, version INTEGER, task TEXT, unsure TEXT);
CREATE TABLE IF NOT EXISTS rows (
    id TEXT PRIMARY KEY, digest TEXT, key TEXT, time REAL, answer TEXT, expected REAL,
    label TEXT, labelled REAL, score REAL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS rows_of ON rows (digest, time);
CREATE INDEX IF NOT EXISTS rows_at ON rows (time);
CREATE INDEX IF NOT EXISTS rows_by ON rows (key) WHERE key <> '';
CREATE TABLE IF NOT EXISTS features (id TEXT PRIMARY KEY, time REAL, features TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS forgotten (key TEXT PRIMARY KEY, time REAL);
CREATE TABLE IF NOT EXISTS salt (salt TEXT);
"""


@dataclass(frozen=True)
class LoggedPiece:
    """Logged rows of one version, as Arrow's tables.

    Parameters
    ----------
    own : what isn't a feature, a row for each: `id`, `time`, `version`, `answer` and `label`, both as JSON.
    schema : names and types of all columns.
    path, stamp : of the Parquet file that has the features, and what it was then: modified when, and how many bytes.
    since : older rows of that file aren't among these.
    table : the features, where they are in no file.
    """

    own: Any
    schema: Any
    path: str = ""
    stamp: tuple[int, int] = (0, 0)
    since: Time = 0.0
    table: Any = None

    def labelled(self, ids: Any, labels: Any) -> LoggedPiece:
        """The same with its labels, null where there is none."""
        import pyarrow.compute as pc

        found = labels.take(pc.index_in(self.own.column(f"{_OWN}id").combine_chunks(), value_set=ids))
        return replace(self, own=self.own.append_column(f"{_OWN}label", found))


@dataclass(frozen=True)
class RequestLog:
    """The log of one service.

    Every method but `exists` may raise `Unavailable` where the file can't be used now, `Unreadable` where it is
    damaged, `StorageFull`, `Refused`.

    Parameters
    ----------
    path : its folder, which is made when something is logged.
    """

    path: Path

    def exists(self) -> bool:
        """Whether anything was ever logged."""
        return (self.path / ROWS).exists()

    def changed_at(self) -> tuple[int, int] | None:
        """Changes whenever rows or labels do; None where there is no log."""
        try:
            found = (self.path / ROWS).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size

    # What is answered.

    def new_rows(self, since: Time) -> int:
        """Rows that one could learn from since then: those that were labelled; where nobody labels, those that were
        logged."""
        if not self.exists():
            return 0
        with self._open() as db:
            labels, new, logged = db.execute(
                "SELECT count(label), total(labelled >= ?), total(time >= ?) FROM rows", (since, since)
            ).fetchone()
        return int(new if labels else logged)

    def add(self, rows: Sequence[LoggedRow], digest: str, version: int, task: str, unsure: str) -> None:
        """Log rows of a version, with their keys as digests. One whose id is there already, or whose key was forgotten
        since, is left out.

        Parameters
        ----------
        unsure : why it can't say how sure it is.
        """
        from ..core.logged import key_digest

        with self._open() as db, _at_once(db):
            db.execute("INSERT OR REPLACE INTO versions VALUES (?, ?, ?, ?)", (digest, version, task, unsure))
            forgotten: dict[str, float] = dict(db.execute("SELECT key, time FROM forgotten"))
            salt = _salt(db)
            for row in rows:
                key = key_digest(row.key, salt) if row.key else ""
                if key and row.time <= forgotten.get(key, 0.0):
                    continue
                told = (row.id, digest, key, row.time, row.answer, row.expected)
                added = db.execute("INSERT OR IGNORE INTO rows VALUES (?, ?, ?, ?, ?, ?, NULL, NULL, NULL)", told)
                if added.rowcount and _is_object(row.features):
                    db.execute("INSERT OR REPLACE INTO features VALUES (?, ?, ?)", (row.id, row.time, row.features))

    def tallies(self, digest: str) -> tuple[list[Tally], str, str]:
        """The rows of a version by time, in periods without gaps, the first first; its task, and why it can't say how
        sure it is."""
        from ..core.performance import Tally, period_of

        if not self.exists():
            return [], "", ""
        with self._open() as db:
            known = db.execute("SELECT task, unsure FROM versions WHERE digest = ?", (digest,)).fetchone() or ("", "")
            first, last = db.execute("SELECT min(time), max(time) FROM rows WHERE digest = ?", (digest,)).fetchone()
            if first is None:
                return [], *known
            period = period_of(first, last)
            found = db.execute(
                "SELECT cast(time / ? AS INTEGER) AS at, count(*), count(score), total(score), total(score * score), "
                "count(expected), total(expected) FROM rows WHERE digest = ? GROUP BY at ORDER BY at",
                (period, digest),
            )
            names = ("rows", "labelled", "total", "squares", "expecting", "expected")
            tallies = [
                Tally(since=at * period, until=(at + 1) * period, **dict(zip(names, sums, strict=True)))
                for at, *sums in found
            ]
        return tallies, *known

    def scores(self, digest: str, stretches: Sequence[tuple[Time, Time]]) -> list[tuple[int, float, float]]:
        """Of the labelled rows of a version in each stretch of time: how many, the sum of their scores, and that of
        these scores' squares. A stretch that ends at 0 goes on."""
        if not self.exists():
            return [(0, 0.0, 0.0)] * len(stretches)
        asked = (
            "SELECT count(score), total(score), total(score * score) FROM rows "
            "WHERE digest = ? AND time >= ? AND time < ? AND score IS NOT NULL"
        )
        with self._open() as db:
            return [db.execute(asked, (digest, since, until or 1e12)).fetchone() for since, until in stretches]

    def task(self, digest: str) -> str:
        """What a version answers is for, as its replicas told; empty where nothing of it is logged."""
        if not self.exists():
            return ""
        with self._open() as db:
            found = db.execute("SELECT task FROM versions WHERE digest = ?", (digest,)).fetchone()
        return found[0] or "" if found else ""

    def has_labels(self) -> bool:
        """Whether any row that is kept has a label."""
        if not self.exists():
            return False
        with self._open() as db:
            return db.execute("SELECT 1 FROM rows WHERE score IS NOT NULL LIMIT 1").fetchone() is not None

    # What turns out to be true.

    def label(self, pairs: Iterable[tuple[str, object]], share: float, now: Time) -> JoinedLabels:
        """Join labels to their rows. What comes again changes nothing, another label takes the place of the one before.

        Parameters
        ----------
        share : of the rows that is logged: one of a row that isn't is no stranger.
        """
        from ..core.label import JoinedLabels, add_unknown, told_apart

        joined = JoinedLabels()
        labels = iter(told_apart(pairs, joined).items())
        if not self.exists():
            add_unknown((id for id, _ in labels), share, joined)
            return joined
        with self._open() as db:
            while some := dict(itertools.islice(labels, _AT_ONCE)):
                with _at_once(db):
                    _join(db, some, share, now, joined)
        return joined

    def known(self, ids: Iterable[str]) -> list[str]:
        """Those of the ids that are of a row here."""
        found: list[str] = []
        asked = iter(ids)
        if not self.exists():
            return found
        with self._open() as db:
            while some := list(itertools.islice(asked, _AT_ONCE)):
                query = "SELECT id FROM rows WHERE id IN (SELECT value FROM json_each(?))"
                found += [id for (id,) in db.execute(query, (json.dumps(some),))]
        return found

    def rows(self, since: Time) -> list[dict[str, Any]]:
        """The rows that were logged since, the first first: `id`, `time`, `version`, `answer`, `label` (None where
        there is none yet) and their features, without those that are in a damaged file."""
        if not self.exists():
            return []
        with self.held():
            found = dict(self._packed(since))
            with self._open() as db:
                waiting = "SELECT id, features FROM features WHERE time >= ?"
                found |= {id: json.loads(text) for id, text in db.execute(waiting, (since,))}
                asked = (
                    "SELECT id, time, coalesce(version, 0), answer, label FROM rows LEFT JOIN versions USING (digest) "
                    "WHERE time >= ? ORDER BY time, id"
                )
                return [
                    {
                        f"{_OWN}id": id,
                        f"{_OWN}time": at,
                        f"{_OWN}version": version,
                        f"{_OWN}answer": _value(answer),
                        f"{_OWN}label": _value(label),
                        **_features(found.get(id, {})),
                    }
                    for id, at, version, answer, label in db.execute(asked, (since,))
                ]

    def pieces(self, since: Time) -> list[LoggedPiece]:
        """The rows that were logged since and whose features are known, as Arrow's tables. For many rows: it makes
        nothing of each of them, and reads no features of those that are in files.

        Raises
        ------
        Unavailable : pyarrow isn't installed, too.
        """
        if not self.exists():
            return []
        pa = _arrow()
        with self.held():
            with self._open() as db:
                labels = db.execute("SELECT id, label FROM rows WHERE label IS NOT NULL AND time >= ?", (since,))
                ids, texts = [*zip(*labels, strict=True)] or ((), ())
                asked = (
                    "SELECT v.version, f.id, f.time, r.key, r.answer, f.features FROM features f "
                    "JOIN rows r ON r.id = f.id JOIN versions v ON v.digest = r.digest "
                    "WHERE f.time >= ? ORDER BY v.version, f.time, f.id"
                )
                waiting = db.execute(asked, (since,)).fetchall()
            paths = [path for path in self._files() if _ends(path) > since]
            found = [_piece(path, since) for path in paths]
        for version, rows in itertools.groupby(waiting, lambda row: row[0]):
            table = _table([_line(row[1:], version) for row in rows])
            found.append(LoggedPiece(table.select(_TOLD), table.schema, table=table))
        known = pa.array(ids, pa.string()), pa.array(texts, pa.string())
        return [each.labelled(*known) for each in found if each is not None and each.own.num_rows]

    # What goes.

    def forget(self, key: str, now: Time) -> int:
        """Remove all rows of a key, their labels and features, wherever they are; how many there were. What a replica
        still has of it, and was answered before `now`, is left out when it comes. Raises `Unreadable`, too, where a
        damaged file may have more of it."""
        from ..core.errors import Unreadable
        from ..core.logged import key_digest

        ids: set[str] = set()
        damaged = []
        with self.held():
            with self._open() as db, _at_once(db):
                digest = key_digest(key, _salt(db))
                ids |= {id for (id,) in db.execute("SELECT id FROM rows WHERE key = ?", (digest,))}
                db.executemany("DELETE FROM features WHERE id = ?", [(id,) for id in ids])
                db.execute("DELETE FROM rows WHERE key = ?", (digest,))
                db.execute("INSERT OR REPLACE INTO forgotten VALUES (?, ?)", (digest, now))
            for path in self._files():
                if (gone := _without(path, digest)) is None:
                    damaged.append(path)
                else:
                    ids |= gone
        if damaged:
            what = f"{len(ids):,} rows are removed, and there may be more"
            raise Unreadable(what, f"{damaged[0]} is damaged", "Remove that file, and forget the key again.")
        return len(ids)

    def tidy(self, now: Time, keep: Seconds) -> bool:
        """Put the features of hours that are over into files, and remove what is older than `keep`, or too much;
        whether that was done: where somebody holds the files, it is not.

        Raises
        ------
        Unavailable : files can't be made: without pyarrow, too. Features stay in SQLite then.
        """
        if not self.exists():
            return True
        with self.held(wait=False) as held:
            if not held:
                return False
            with self._open() as db, _at_once(db):
                before = now - keep
                most = db.execute("SELECT time FROM rows ORDER BY time DESC LIMIT 1 OFFSET ?", (MOST_ROWS,)).fetchone()
                oldest = before if most is None else max(before, most[0])
                db.execute("DELETE FROM rows WHERE time <= ?", (oldest,))
                db.execute("DELETE FROM features WHERE time <= ?", (oldest,))
                db.execute("DELETE FROM forgotten WHERE time <= ?", (now - LATE,))
                db.execute("DELETE FROM versions WHERE digest NOT IN (SELECT DISTINCT digest FROM rows)")
                due, waiting = db.execute("SELECT total(time < ?), count(*) FROM features", (_hour(now),)).fetchone()
            self._remove_old(before)
        try:
            if due or waiting >= _WAITING:
                self._pack_apart(now)
        finally:
            if waiting > MOST_WAITING:
                self._leave_newest()
        return True

    def _leave_newest(self) -> None:
        """Of features that no file took, only those of the newest rows stay."""
        with self._open() as db, _at_once(db):
            over = "SELECT time FROM features ORDER BY time DESC LIMIT 1 OFFSET ?"
            db.execute(f"DELETE FROM features WHERE time <= ({over})", (MOST_WAITING,))  # noqa: S608 - both are ours

    def pack(self, now: Time) -> None:
        """Put the features of hours that are over into files; those of this one, too, if there are many. For a process
        of its own: it imports pyarrow."""
        with self.held(), self._open() as db:
            (waiting,) = db.execute("SELECT count(*) FROM features").fetchone()
            until = now if waiting >= _WAITING else _hour(now)
            asked = (
                "SELECT f.id, f.time, v.version FROM features f JOIN rows r ON r.id = f.id "
                "JOIN versions v ON v.digest = r.digest WHERE f.time < ?"
            )
            due = sorted((_hour(at), version, at, id) for id, at, version in db.execute(asked, (until,)))
            for (hour, version), group in itertools.groupby(due, lambda row: row[:2]):
                ids = [id for *_, id in group]
                for begin in range(0, len(ids), _WAITING):  # not all at once: it may be much
                    self._pack_some(db, hour, version, ids[begin : begin + _WAITING])

    def _pack_some(self, db: sqlite3.Connection, hour: Time, version: int, ids: Sequence[str]) -> None:
        named = json.dumps(ids)
        asked = (
            "SELECT f.id, f.time, r.key, r.answer, f.features FROM features f JOIN rows r ON r.id = f.id "
            "WHERE f.id IN (SELECT value FROM json_each(?)) ORDER BY f.time, f.id"
        )
        rows = db.execute(asked, (named,)).fetchall()
        home.write(self._free(hour, version), _parquet([_line(row, version) for row in rows]))
        with _at_once(db):
            db.execute("DELETE FROM features WHERE id IN (SELECT value FROM json_each(?))", (named,))

    def _pack_apart(self, now: Time) -> None:
        """As `pack`, in a process of its own: who logs knows no Parquet, and stays small."""
        from ..core.errors import Unavailable

        command = [sys.executable, "-m", "jupyter_mlops.home.requests", str(self.path), str(now)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_PACKING, check=False)
            failed = done.stderr.strip().splitlines()[-1:] if done.returncode else []
        except (OSError, subprocess.TimeoutExpired) as error:
            failed = [str(error)]
        if failed:
            raise Unavailable("Logged requests can't be put into Parquet files", failed[0], "They stay in SQLite.")

    def _free(self, hour: Time, version: int) -> Path:
        """The path of a new file."""
        moment = datetime.datetime.fromtimestamp(hour, datetime.timezone.utc)
        folder = home.private(self.path / f"{moment:%Y-%m-%d}")
        for number in itertools.count(1):
            path = folder / f"{moment:%H}-v{version}{f'-{number}' if number > 1 else ''}.parquet"
            if not path.exists():
                break
        return path

    def _files(self) -> list[Path]:
        """All files of features, the first first."""
        return sorted(self.path.glob("????-??-??/*.parquet"))

    def _packed(self, since: Time) -> Iterator[tuple[str, dict[str, Any]]]:
        for path in self._files():
            if _ends(path) <= since:
                continue
            table = _read(path)
            for row in [] if table is None else table.to_pylist():
                yield row[f"{_OWN}id"], _features(row)

    def _remove_old(self, before: Time) -> None:
        files = self._files()
        sizes = {path: path.stat().st_size for path in files}
        left = sum(sizes.values())
        for path in files:
            if _ends(path) > before and left <= MOST_BYTES:
                break
            path.unlink(missing_ok=True)
            left -= sizes[path]
            with contextlib.suppress(OSError):
                path.parent.rmdir()  # once it is empty

    @contextlib.contextmanager
    def held(self, *, wait: bool = True) -> Iterator[bool]:
        """Hold the files: one process at a time makes, changes or reads them. Whether they are held: where somebody
        else does, and isn't waited for, they are not."""
        from ..core.errors import Unavailable

        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(home.locked(self.path, wait=wait))
            except Unavailable:
                if wait:
                    raise
                yield False
                return
            yield True

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        from ..core.errors import Unavailable, Unreadable

        path = self.path / ROWS
        home.private(self.path)
        with home.guarded(path):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        db = None
        try:
            db = sqlite3.connect(path, timeout=_BUSY, isolation_level=None)
            db.execute("PRAGMA secure_delete = ON")  # what is forgotten is overwritten
            db.execute("PRAGMA temp_store = MEMORY")
            (format,) = db.execute("PRAGMA user_version").fetchone()
            if format > _FORMAT:
                why = "a newer version of jupyter-mlops wrote it"
                raise Unreadable(f"{path} can't be read", why, "Upgrade jupyter-mlops here.")
            if not format:
                db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {_FORMAT}; COMMIT;")
            yield db
        except sqlite3.OperationalError as error:
            if (number := next((number for word, number in _DISK.items() if word in str(error)), None)) is not None:
                with home.guarded(path):
                    raise OSError(number, str(error)) from error
            raise Unavailable(f"{path} can't be used now", str(error), "Try again.") from error
        except sqlite3.DatabaseError as error:
            raise Unreadable(f"{path} can't be read", str(error), home.REPAIR) from error
        finally:
            if db is not None:
                db.close()


@contextlib.contextmanager
def _at_once(db: sqlite3.Connection) -> Iterator[None]:
    """All of it, or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise


def _salt(db: sqlite3.Connection) -> str:
    """What goes into the digests of keys; made with the first one."""
    row = db.execute("SELECT salt FROM salt").fetchone()
    if row is None:
        row = (secrets.token_hex(16),)
        db.execute("INSERT INTO salt VALUES (?)", row)
    return str(row[0])


def _join(db: sqlite3.Connection, labels: Mapping[str, object], share: float, now: Time, joined: JoinedLabels) -> None:
    from ..core.label import add_unknown, scored

    asked = (
        "SELECT id, task, answer, label FROM rows LEFT JOIN versions USING (digest) "
        "WHERE id IN (SELECT value FROM json_each(?))"
    )
    left = dict(labels)
    for id, task, answer, before in db.execute(asked, (json.dumps(list(labels)),)).fetchall():
        found = scored(task or "other", answer, left.pop(id))
        if found is None:
            joined.add("wrong", id)
            continue
        label, score = found
        joined.add("new" if before is None else "same" if before == label else "changed", id)
        if before != label:
            db.execute("UPDATE rows SET label = ?, labelled = ?, score = ? WHERE id = ?", (label, now, score, id))
    add_unknown(left, share, joined)


def _hour(moment: Time) -> Time:
    return moment // 3600 * 3600


def _ends(path: Path) -> Time:
    """When the hour of a file is over; one of an odd name is old."""
    try:
        text = f"{path.parent.name} {path.name[:2]}"
        began = datetime.datetime.strptime(text, "%Y-%m-%d %H").replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        return 0.0
    return began.timestamp() + 3600


def _is_object(text: str) -> bool:
    """Whether it is JSON with names and values: what logs runs what people wrote, and may say anything."""
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _features(named: dict[str, Any]) -> dict[str, Any]:
    """Those of a row: no name of theirs takes the place of one of ours."""
    return {name: value for name, value in named.items() if not name.startswith(_OWN)}


def _value(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return text


# Parquet.


def _line(row: tuple[Any, ...], version: int) -> dict[str, Any]:
    id, at, key, answer, features = row
    own = {"id": id, "time": at, "key": key, "version": version, "answer": answer}
    return {**{f"{_OWN}{name}": value for name, value in own.items()}, **_features(json.loads(features))}


def _parquet(lines: Sequence[dict[str, Any]]) -> bytes:
    from pyarrow import parquet

    target = io.BytesIO()
    parquet.write_table(_table(lines), target, compression="zstd")
    return target.getvalue()


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
    """The rows of a file that are no older; None where it is damaged."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import parquet

    try:
        seen = path.stat()
        with parquet.ParquetFile(io.BytesIO(path.read_bytes())) as file:
            own, schema = file.read(columns=_TOLD, use_threads=False), file.schema_arrow
    except (pa.ArrowException, OSError):
        return None
    recent = pc.greater_equal(own.column(f"{_OWN}time"), since)
    own = own if pc.all(recent).as_py() else own.filter(recent)
    return LoggedPiece(own, schema, str(path), (seen.st_mtime_ns, seen.st_size), since)


def _arrow() -> Any:
    """pyarrow; raises `Unavailable` where it isn't installed."""
    from ..core.errors import Unavailable

    try:
        import pyarrow
    except ImportError as error:
        raise Unavailable("Logged requests can't be read", str(error), "Install pyarrow.") from error
    return pyarrow


def _read(path: Path) -> Any:
    """The table of a file; None where it is damaged."""
    pa = _arrow()
    from pyarrow import parquet

    try:
        return parquet.read_table(io.BytesIO(path.read_bytes()))
    except (pa.ArrowException, OSError):
        return None


def _without(path: Path, key: str) -> set[str] | None:
    """Leave what is of a key out of a file; the ids of that. None where the file is damaged."""
    table = _read(path)
    if table is None:
        return None
    keys = table.column(f"{_OWN}key").to_pylist()
    if key not in keys:
        return set()
    ids = {id for id, of in zip(table.column(f"{_OWN}id").to_pylist(), keys, strict=True) if of == key}
    kept = table.filter([of != key for of in keys])
    if not kept.num_rows:
        path.unlink(missing_ok=True)
        return ids
    from pyarrow import parquet

    target = io.BytesIO()
    parquet.write_table(kept, target, compression="zstd")
    home.write(path, target.getvalue())
    return ids


if __name__ == "__main__":
    try:
        RequestLog(Path(sys.argv[1])).pack(float(sys.argv[2]))
    except Exception as error:  # noqa: BLE001 - one line is told of it
        sys.exit(f"{type(error).__name__}: {error}")

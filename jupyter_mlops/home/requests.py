"""A service's log of requests: rows that were answered, with their labels, in SQLite; their features go from there to
`request_files`, by the hour.

    requests/rows.sqlite               the answers of logged rows, their labels; and features that aren't in a file yet
    requests/2026-11-27/13-v3.parquet  the features of those of an hour

Both are for their owner only. Files need pyarrow: without it features stay in SQLite.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import home
from .labelled_rows import LabelledRows
from .request_files import OWN, LoggedPiece, LoggedPieces, RequestFiles, arrow, features_of, is_features, line_of
from .request_rows import at_once, forget_rows, opened, salt_of, salts_of

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

#: Characters of features, as JSON, of one file: many small files are read slowly, and one is made in memory.
_PACKET = 16_000_000

#: Seconds that it may take to make files of an hour.
_PACKING = 60.0

#: Whatever time a row is of.
_ALWAYS = float("inf")

#: Seconds that a key is remembered which was forgotten: until what a replica has of it has come, and been left out.
LATE = 24 * 3600.0


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

    @property
    def _files(self) -> RequestFiles:
        return RequestFiles(self.path)

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
        with opened(self.path / ROWS) as db:
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

        with opened(self.path / ROWS) as db, at_once(db):
            db.execute("INSERT OR REPLACE INTO versions VALUES (?, ?, ?, ?)", (digest, version, task, unsure))
            forgotten: dict[str, float] = dict(db.execute("SELECT key, time FROM forgotten"))
            salt = salt_of(db)
            for row in rows:
                key = key_digest(row.key, salt) if row.key else ""
                if key and row.time <= forgotten.get(key, 0.0):
                    continue
                told = (row.id, digest, key, row.time, row.answer, row.expected)
                added = db.execute("INSERT OR IGNORE INTO rows VALUES (?, ?, ?, ?, ?, ?, NULL, NULL, NULL)", told)
                if added.rowcount and is_features(row.features):
                    db.execute("INSERT OR REPLACE INTO features VALUES (?, ?, ?)", (row.id, row.time, row.features))

    def tallies(self, digest: str) -> tuple[list[Tally], str, str]:
        """The rows of a version by time, in periods without gaps, the first first; its task, and why it can't say how
        sure it is."""
        from ..core.performance import Tally, period_of

        if not self.exists():
            return [], "", ""
        with opened(self.path / ROWS) as db:
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

    @property
    def labelled(self) -> LabelledRows:
        """Its rows that have labels."""
        return LabelledRows(self.path / ROWS)

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
        with opened(self.path / ROWS) as db:
            while some := dict(itertools.islice(labels, _AT_ONCE)):
                with at_once(db):
                    _join(db, some, share, now, joined)
        return joined

    def known(self, ids: Iterable[str]) -> list[str]:
        """Those of the ids that are of a row here."""
        found: list[str] = []
        asked = iter(ids)
        if not self.exists():
            return found
        with opened(self.path / ROWS) as db:
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
            found = dict(self._files.features(since))
            with opened(self.path / ROWS) as db:
                waiting = "SELECT id, features FROM features WHERE time >= ?"
                found |= {id: json.loads(text) for id, text in db.execute(waiting, (since,))}
                asked = (
                    "SELECT id, time, coalesce(version, 0), answer, label FROM rows LEFT JOIN versions USING (digest) "
                    "WHERE time >= ? ORDER BY time, id"
                )
                return [
                    {
                        f"{OWN}id": id,
                        f"{OWN}time": at,
                        f"{OWN}version": version,
                        f"{OWN}answer": _value(answer),
                        f"{OWN}label": _value(label),
                        **features_of(found.get(id, {})),
                    }
                    for id, at, version, answer, label in db.execute(asked, (since,))
                ]

    def logged(self, since: Time) -> LoggedPieces:
        """The rows that were logged since and whose features are known, by where they are. For many rows: none is read
        of those that are in files.

        Raises
        ------
        Unavailable : pyarrow isn't installed, too.
        """
        if not self.exists():
            return LoggedPieces([])
        pa = arrow()
        with self.held():
            with opened(self.path / ROWS) as db:
                # "+": by their labels, of which there may be none, and not by their time
                labelled = db.execute("SELECT id, label FROM rows WHERE label IS NOT NULL AND +time >= ?", (since,))
                ids, texts = [*zip(*labelled, strict=True)] or ((), ())
                asked = (
                    "SELECT v.version, f.id, f.time, r.key, r.answer, f.features FROM features f "
                    "JOIN rows r ON r.id = f.id JOIN versions v ON v.digest = r.digest "
                    "WHERE f.time >= ? ORDER BY v.version, f.time, f.id"
                )
                waiting = db.execute(asked, (since,)).fetchall()
            found = self._files.pieces(since)
        for version, rows in itertools.groupby(waiting, lambda row: row[0]):
            found.append(LoggedPiece.of(version, [line_of(row[1:], version) for row in rows]))
        labels = (pa.array(ids, pa.string()), pa.array(texts, pa.string())) if ids else None
        return LoggedPieces([each for each in found if each.rows], labels)

    # What goes.

    def forget(self, key: str, now: Time) -> int:
        """Remove all rows of a key, their labels and features, wherever they are; how many there were. What a replica
        still has of it, and was answered before `now`, is left out when it comes. Raises `Unreadable`, too, where a
        damaged file may have more of it."""
        from ..core.errors import Unreadable
        from ..core.logged import key_digest

        ids: set[str] = set()
        with self.held():
            with opened(self.path / ROWS) as db, at_once(db):
                digests = {key_digest(key, salt) for salt in salts_of(db)}
                for digest in digests:
                    ids |= forget_rows(db, digest, _ALWAYS, now)
            gone, damaged = self._files.forget(dict.fromkeys(digests, _ALWAYS))
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
            with opened(self.path / ROWS) as db, at_once(db):
                before = now - keep
                most = db.execute("SELECT time FROM rows ORDER BY time DESC LIMIT 1 OFFSET ?", (MOST_ROWS,)).fetchone()
                oldest = before if most is None else max(before, most[0])
                db.execute("DELETE FROM rows WHERE time <= ?", (oldest,))
                db.execute("DELETE FROM features WHERE time <= ?", (oldest,))
                db.execute("DELETE FROM forgotten WHERE time <= ?", (now - LATE,))
                db.execute("DELETE FROM versions WHERE digest NOT IN (SELECT DISTINCT digest FROM rows)")
                due, waiting = db.execute("SELECT total(time < ?), count(*) FROM features", (_hour(now),)).fetchone()
            self._files.remove_old(before, MOST_BYTES)
        try:
            if due or waiting >= _WAITING:
                self._pack_apart(now)
        finally:
            if waiting > MOST_WAITING:
                self._leave_newest()
        return True

    def _leave_newest(self) -> None:
        """Of features that no file took, only those of the newest rows stay."""
        with opened(self.path / ROWS) as db, at_once(db):
            over = "SELECT time FROM features ORDER BY time DESC LIMIT 1 OFFSET ?"
            db.execute(f"DELETE FROM features WHERE time <= ({over})", (MOST_WAITING,))  # noqa: S608 - both are ours

    def pack(self, now: Time) -> None:
        """Put the features of hours that are over into files; those of this one, too, if there are many. For a process
        of its own: it imports pyarrow."""
        with self.held(), opened(self.path / ROWS) as db:
            (waiting,) = db.execute("SELECT count(*) FROM features").fetchone()
            until = now if waiting >= _WAITING else _hour(now)
            asked = (
                "SELECT f.id, f.time, v.version, length(f.features) FROM features f JOIN rows r ON r.id = f.id "
                "JOIN versions v ON v.digest = r.digest WHERE f.time < ?"
            )
            due = sorted((_hour(at), version, at, id, long) for id, at, version, long in db.execute(asked, (until,)))
            for (hour, version), group in itertools.groupby(due, lambda row: row[:2]):
                for ids in _packets((id, long) for *_, id, long in group):
                    self._pack_some(db, hour, version, ids)

    def _pack_some(self, db: sqlite3.Connection, hour: Time, version: int, ids: Sequence[str]) -> None:
        named = json.dumps(ids)
        asked = (
            "SELECT f.id, f.time, r.key, r.answer, f.features FROM features f JOIN rows r ON r.id = f.id "
            "WHERE f.id IN (SELECT value FROM json_each(?)) ORDER BY f.time, f.id"
        )
        rows = db.execute(asked, (named,)).fetchall()
        self._files.write(hour, version, [line_of(row, version) for row in rows])
        with at_once(db):
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


def _packets(sizes: Iterable[tuple[str, int]]) -> Iterator[list[str]]:
    """Ids of rows, as many at a time as one file takes, by the characters of their features."""
    some, left = list[str](), _PACKET
    for id, size in sizes:
        if some and size > left:
            yield some
            some, left = [], _PACKET
        some.append(id)
        left -= size
    if some:
        yield some


def _hour(moment: Time) -> Time:
    return moment // 3600 * 3600


def _value(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return text


if __name__ == "__main__":
    try:
        RequestLog(Path(sys.argv[1])).pack(float(sys.argv[2]))
    except Exception as error:  # noqa: BLE001 - one line is told of it
        sys.exit(f"{type(error).__name__}: {error}")

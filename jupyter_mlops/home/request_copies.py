"""Copies of a log of requests: a part of one log, as a record, and what another one takes of it.

What is in a pod goes with the pod; so whoever looks at it copies its log home.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from .request_files import RequestFiles, is_features
from .request_rows import at_once, forget_rows, opened, salt_of, salts_of
from .requests import ROWS, RequestLog

if TYPE_CHECKING:
    import sqlite3

    from ..core.base import Time
    from ..core.log_questions import CopiedRow, LogCopy

#: What there is of a row, in the order of `_COLUMNS`; when it was changed last.
_COLUMNS = ("id", "digest", "key", "time", "answer", "expected", "label", "labelled", "score")
_CHANGED = "max(time, coalesce(labelled, 0))"


def copy_of(log: RequestLog, since: Time, after: str = "") -> LogCopy:
    """The rows that were answered or labelled since, those that were changed first first: as many as one answer has.
    Features that are in a damaged file are left out. Raises as `RequestLog`.

    Parameters
    ----------
    after : of those that were changed at that very moment the ones with a later id.
    """
    from ..core.log_questions import MOST_COPIED, CopiedRow, CopiedVersion, LogCopy

    if not log.exists():
        return LogCopy()
    with log.held(), opened(log.path / ROWS) as db:
        asked = (
            f"SELECT {', '.join(_COLUMNS)}, {_CHANGED} AS changed FROM rows "  # noqa: S608 - both are ours
            "WHERE changed > ? OR (changed = ? AND id > ?) ORDER BY changed, id LIMIT ?"
        )
        found = db.execute(asked, (since, since, after, MOST_COPIED + 1)).fetchall()
        rows = [CopiedRow(**dict(zip((*_COLUMNS, "changed"), row, strict=True))) for row in found[:MOST_COPIED]]
        features = _features(log, db, rows)
        for row in rows:
            row.features = features.get(row.id, "")
        versions = db.execute("SELECT digest, version, task, unsure FROM versions").fetchall()
        return LogCopy(
            salt=salt_of(db),
            versions=[CopiedVersion(digest=d, version=v, task=task, unsure=unsure) for d, v, task, unsure in versions],
            forgotten=db.execute("SELECT key, time FROM forgotten").fetchall(),
            rows=rows,
            more=len(found) > MOST_COPIED,
        )


def _features(log: RequestLog, db: sqlite3.Connection, rows: list[CopiedRow]) -> dict[str, str]:
    """Features of rows, as JSON, by their ids."""
    ids = [row.id for row in rows]
    asked = "SELECT id, features FROM features WHERE id IN (SELECT value FROM json_each(?))"
    found: dict[str, str] = dict(db.execute(asked, (json.dumps(ids),)))
    if packed := {row.id: row.time for row in rows if row.id not in found}:
        told = RequestFiles(log.path).features(min(packed.values()), max(packed.values()))
        found |= {id: json.dumps(features) for id, features in told if id in packed}
    return found


def take(log: RequestLog, copy: LogCopy) -> None:
    """Log what was copied: rows that aren't there yet, labels that are newer; and that keys were forgotten, once
    nothing is left of them. Raises as `RequestLog`."""
    if not copy.salt:
        return
    with log.held(), opened(log.path / ROWS) as db, at_once(db):
        if copy.salt not in salts_of(db):
            db.execute("INSERT INTO salt VALUES (?)", (copy.salt,))
        for version in copy.versions:
            told = (version.digest, version.version, version.task, version.unsure)
            db.execute("INSERT OR REPLACE INTO versions VALUES (?, ?, ?, ?)", told)
        known = dict(db.execute("SELECT key, time FROM forgotten"))
        if new := {key: at for key, at in copy.forgotten if at > known.get(key, 0.0)}:
            RequestFiles(log.path).forget(new)
        for key, at in new.items():
            forget_rows(db, key, at, at)
        _add(db, copy.rows, known | new)


def _add(db: sqlite3.Connection, rows: list[CopiedRow], forgotten: dict[str, Time]) -> None:
    there = "SELECT id, coalesce(labelled, 0) FROM rows WHERE id IN (SELECT value FROM json_each(?))"
    known = dict(db.execute(there, (json.dumps([row.id for row in rows]),)))
    for row in rows:
        if row.id in known:
            if (row.labelled or 0.0) > known[row.id]:
                label = (row.label, row.labelled, row.score, row.id)
                db.execute("UPDATE rows SET label = ?, labelled = ?, score = ? WHERE id = ?", label)
        elif not row.key or row.time > forgotten.get(row.key, 0.0):
            values = [getattr(row, name) for name in _COLUMNS]
            db.execute(f"INSERT INTO rows ({', '.join(_COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)  # noqa: S608 - ours
            if is_features(row.features):
                db.execute("INSERT OR REPLACE INTO features VALUES (?, ?, ?)", (row.id, row.time, row.features))

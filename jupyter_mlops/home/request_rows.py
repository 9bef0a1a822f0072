"""The SQLite database of a log of requests: its tables, and how it is opened."""

from __future__ import annotations

import contextlib
import errno
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .. import home
from .databases import connect

if TYPE_CHECKING:
    from ..core.base import Time

#: Seconds to wait for another process that writes.
_BUSY = 20.0

#: Of the tables below.
_FORMAT = 1

#: What SQLite says of a disk, and what the system calls that.
_DISK = {"is full": errno.ENOSPC, "readonly": errno.EROFS}

_SCHEMA = """
CREATE TABLE IF NOT EXISTS versions (digest TEXT PRIMARY KEY, version INTEGER, task TEXT, unsure TEXT);
CREATE TABLE IF NOT EXISTS rows (
    id TEXT PRIMARY KEY, digest TEXT, key TEXT, time REAL, answer TEXT, expected REAL,
    label TEXT, labelled REAL, score REAL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS rows_of ON rows (digest, time);
CREATE INDEX IF NOT EXISTS rows_at ON rows (time);
CREATE INDEX IF NOT EXISTS rows_by ON rows (key) WHERE key <> '';
CREATE INDEX IF NOT EXISTS rows_labelled ON rows (labelled) WHERE label IS NOT NULL;
CREATE TABLE IF NOT EXISTS features (id TEXT PRIMARY KEY, time REAL, features TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS forgotten (key TEXT PRIMARY KEY, time REAL);
CREATE TABLE IF NOT EXISTS salt (salt TEXT);
"""


@contextlib.contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """It, made where it isn't there; for its owner only.

    Raises
    ------
    Unavailable : it can't be used now.
    Unreadable : it is damaged, or a newer version's.
    StorageFull, Refused : as the disk says.
    """
    from ..core.errors import Unavailable, Unreadable

    home.private(path.parent)
    db = None
    try:
        with home.guarded(path):
            db = connect(path, _BUSY)
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
def at_once(db: sqlite3.Connection) -> Iterator[None]:
    """All of it, or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise


def salt_of(db: sqlite3.Connection) -> str:
    """What goes into the digests of keys; made with the first one."""
    row = db.execute("SELECT salt FROM salt").fetchone()
    if row is None:
        row = (secrets.token_hex(16),)
        db.execute("INSERT INTO salt VALUES (?)", row)
    return str(row[0])


def salts_of(db: sqlite3.Connection) -> list[str]:
    """That, and those of the logs that rows were copied from."""
    return list(dict.fromkeys([salt_of(db), *(str(salt) for (salt,) in db.execute("SELECT salt FROM salt"))]))


def forget_rows(db: sqlite3.Connection, digest: str, until: Time, now: Time) -> set[str]:
    """Remove a key's rows that were answered until then, with what is here of their features; their ids. What comes
    later, and was answered before `now`, is left out."""
    found = db.execute("SELECT id FROM rows WHERE key = ? AND time <= ?", (digest, until))
    ids = {str(id) for (id,) in found}
    for table in ("features", "rows"):
        db.executemany(f"DELETE FROM {table} WHERE id = ?", [(id,) for id in ids])  # noqa: S608 - both are ours
    db.execute("INSERT OR REPLACE INTO forgotten VALUES (?, ?)", (digest, now))
    return ids

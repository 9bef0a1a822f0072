"""The accounts of this machine: one SQLite file in the home folder, which changes for one process at a time."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from .. import home
from ..core.account import AccountBook
from ..core.base import read_record
from ..core.errors import Unavailable, Unreadable
from .databases import connect

_FILE = "accounts.sqlite"

#: Seconds to wait for another process that changes it.
_BUSY = 10.0


class AccountsFile:
    """An `AccountStore`. The file is made with the first account."""

    async def books(self) -> list[AccountBook]:
        """As in `AccountStore`."""
        return await asyncio.to_thread(self._books)

    async def change(self, name: str, do: Callable[[AccountBook | None], AccountBook | None]) -> AccountBook | None:
        """As in `AccountStore`."""
        return await asyncio.to_thread(self._change, name, do)

    def _books(self) -> list[AccountBook]:
        if not home.exists(_path()):
            return []
        with _opened() as db:
            return [_book(text) for (text,) in db.execute("SELECT book FROM accounts ORDER BY name")]

    def _change(self, name: str, do: Callable[[AccountBook | None], AccountBook | None]) -> AccountBook | None:
        with _opened() as db:
            db.execute("BEGIN IMMEDIATE")
            row = db.execute("SELECT book FROM accounts WHERE name = ?", (name,)).fetchone()
            before = None if row is None else _book(row[0])
            after = do(before)
            if after is None:
                db.execute("DELETE FROM accounts WHERE name = ?", (name,))
            elif after != before:
                db.execute("INSERT OR REPLACE INTO accounts VALUES (?, ?)", (name, after.model_dump_json()))
            db.execute("COMMIT")
            return after


def _path() -> Path:
    return home.home() / _FILE


def _book(text: str) -> AccountBook:
    try:
        return read_record(AccountBook, text, "account")
    except Unreadable as error:
        raise Unreadable(f"An account in {_path()} can't be read", error.why, error.todo or home.REPAIR) from None


@contextlib.contextmanager
def _opened() -> Iterator[sqlite3.Connection]:
    """The file, until its end; what was begun and not committed is undone by its end."""
    path = _path()
    try:
        with home.guarded(path):
            connection = connect(path, _BUSY)
        with contextlib.closing(connection) as db:
            db.execute("CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, book TEXT NOT NULL)")
            yield db
    except sqlite3.DatabaseError as error:
        todo = "Look whether its disk is there and has room, and try again."
        raise Unavailable(f"{path} can't be used now", str(error), todo) from error

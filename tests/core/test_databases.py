"""SQLite files: private, and locked for as long as somebody writes, whatever else the process does with them."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

from jupyter_mlops.home.databases import connect

WRITES = """
import sqlite3, sys
sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None).execute("BEGIN IMMEDIATE")
"""


def test_who_opens_one_takes_no_lock_from_another_thread(tmp_path: Path) -> None:
    path = tmp_path / "some.sqlite"

    def another_process_writes() -> str:
        done = subprocess.run([sys.executable, "-c", WRITES, str(path)], capture_output=True, text=True, check=False)
        return done.stderr

    with contextlib.closing(connect(path, 1.0)) as writer:
        writer.execute("CREATE TABLE some (it)")
        writer.execute("BEGIN IMMEDIATE")
        connect(path, 1.0).close()
        assert "database is locked" in another_process_writes()
        writer.execute("COMMIT")
        assert not another_process_writes()
    assert path.stat().st_mode & 0o777 == 0o600

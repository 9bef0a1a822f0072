"""SQLite files that only their owner may read."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..core.base import Seconds

#: Held while one is made, and looked for: nobody in this process has it open then.
_MAKING = threading.Lock()


def connect(path: Path, timeout: Seconds, **options: Any) -> sqlite3.Connection:
    """Open one, outside of transactions; it is made where there is none.

    A process that closes a file loses its locks on it, and with them those that SQLite has for other threads: two would
    write at once. So nobody opens the file beside SQLite, but to make it.

    Parameters
    ----------
    timeout : seconds to wait for others that write.
    options : as of `sqlite3.connect`.

    Raises
    ------
    OSError : it can't be made.
    sqlite3.Error
    """
    with _MAKING:
        if not path.exists():
            with contextlib.suppress(FileExistsError):  # by another process, at this moment
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    made: sqlite3.Connection = sqlite3.connect(path, timeout=timeout, isolation_level=None, **options)
    return made

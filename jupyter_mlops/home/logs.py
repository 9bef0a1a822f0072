"""Logs that don't grow without bound, whoever writes to them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

#: Bytes at which a log is cut, and what of its end is kept.
MOST = 16_000_000
KEPT = 2_000_000


def bound_logs(folder: Path) -> None:
    """Cut each log in `folder` that is longer than `MOST` bytes to its last `KEPT`.

    In place, because processes have it open to append: they go on behind what is kept.
    """
    for path in folder.glob("*.log"):
        try:
            found = path.lstat()
            if stat.S_ISREG(found.st_mode) and found.st_size > MOST:
                _cut(path)
        except OSError:
            continue  # removed meanwhile, or a disk that refuses: the next round tries again


def _cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(-KEPT, os.SEEK_END)
        tail = file.read()
        file.truncate(0)
        file.seek(0)
        file.write(b"... (the beginning was cut)\n" + tail)

"""Logs that don't grow without bound, whoever writes to them, and that end nobody whose disk is full."""

from __future__ import annotations

import io
import os
import stat
import sys
from pathlib import Path
from typing import Any

#: Bytes at which a log is cut, and what of its end is kept.
MOST = 16_000_000
KEPT = 2_000_000


class _LossyFile(io.FileIO):
    """What its disk refuses is lost, and who writes doesn't learn of it."""

    def write(self, data: Any) -> int:
        """As of a file."""
        try:
            return super().write(data) or 0
        except OSError:
            return memoryview(data).nbytes


def write_what_can_be() -> None:
    """Let this process write to its standard output and error, which are logs, whatever their disk says: a line that is
    lost is no reason to end. What was to be written counts as written."""
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        file = io.BufferedWriter(_LossyFile(descriptor, "wb", closefd=False))
        lossy = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", line_buffering=True)
        setattr(sys, name, lossy)


def end_of(path: Path, most: int) -> tuple[str, bool]:
    """What the last `most` bytes of a log say, and whether there is more before them. Raises OSError."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - most))
        return file.read().decode(errors="replace"), size > most


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

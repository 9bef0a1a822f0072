"""Folders with a file for each day, which go when they are old."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..core.base import Time

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def remove_old_days(folder: Path, suffix: str, now: Time) -> None:
    """Remove the days that are older than those that are kept; one that can't be removed stays."""
    from ..core.callers import kept_days

    oldest = kept_days(now)[-1]
    with contextlib.suppress(OSError):
        for path in folder.glob(f"*{suffix}"):
            if _DAY.fullmatch(path.stem) and path.stem < oldest:
                path.unlink(missing_ok=True)

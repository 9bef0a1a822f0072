"""What a service's callers asked of it, a file for each day."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .. import home

if TYPE_CHECKING:
    from ..core.base import Time
    from ..core.callers import UsageDay

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True)
class UsageFolder:
    """The folder of these files. Its service's router alone writes it."""

    path: Path

    def day(self, day: str) -> UsageDay:
        """What was counted on a day; raises `Unreadable`."""
        from ..core.callers import UsageDay

        try:
            return home.read(UsageDay, self.path / f"{day}.json")
        except FileNotFoundError:
            return UsageDay(day=day)

    def days(self, now: Time) -> list[UsageDay]:
        """The days that are kept, today first; raises `Unreadable`."""
        from ..core.callers import kept_days

        return [self.day(day) for day in kept_days(now)]

    def write(self, day: UsageDay) -> None:
        """Keep what was counted on a day; raises `StorageFull`, `Refused`."""
        home.private(self.path)
        home.write(self.path / f"{day.day}.json", day.model_dump_json())

    def tidy(self, now: Time) -> None:
        """Remove the days that are older than those that are kept; one that can't be removed stays."""
        from ..core.callers import kept_days

        oldest = kept_days(now)[-1]
        with contextlib.suppress(OSError):
            for path in self.path.glob("*.json"):
                if _DAY.fullmatch(path.stem) and path.stem < oldest:
                    path.unlink(missing_ok=True)

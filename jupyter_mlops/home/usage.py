"""What a service's callers asked of it, a file for each day."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .. import home
from .days import remove_old_days

if TYPE_CHECKING:
    from ..core.base import Time
    from ..core.callers import UsageDay


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
        """As `remove_old_days`."""
        remove_old_days(self.path, ".json", now)

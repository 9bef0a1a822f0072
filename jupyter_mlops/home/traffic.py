"""How much a service is asked by time, a file for each day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .. import home
from .days import remove_old_days

if TYPE_CHECKING:
    from ..core.base import Time
    from ..core.traffic import TrafficMinute


@dataclass(frozen=True)
class TrafficFolder:
    """The folder of these files. Its service's router alone writes it."""

    path: Path

    def since(self, time: Time, now: Time) -> list[TrafficMinute]:
        """The minutes from a time on, as far as they are kept, the first first; raises `Unreadable`."""
        from ..core.callers import day_of, kept_days
        from ..core.traffic import TrafficMinute

        days = [day for day in reversed(kept_days(now)) if day >= day_of(time)]
        lines = [line for day in days for line in home.read_lines(TrafficMinute, self.path / f"{day}.jsonl")]
        return [line for line in lines if line.at >= time]

    def add(self, minutes: Sequence[TrafficMinute]) -> None:
        """Keep minutes that are over; raises `StorageFull`, `Refused`."""
        from ..core.callers import day_of

        home.private(self.path)
        for day in sorted({day_of(minute.at) for minute in minutes}):
            home.append(self.path / f"{day}.jsonl", [each for each in minutes if day_of(each.at) == day])

    def tidy(self, now: Time) -> None:
        """As `remove_old_days`."""
        remove_old_days(self.path, ".jsonl", now)

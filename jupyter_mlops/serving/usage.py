"""What a router counts of each caller, and keeps for days."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from ..core.base import Seconds, Time
from ..core.callers import DAY, MOST_COUNTED, MOST_VERSIONS, CallerDay, UsageDay, day_of
from ..core.errors import MlopsError
from ..core.waiting import until_set
from ..home.usage import UsageFolder

#: Seconds between two writes.
EVERY: Seconds = 5.0

#: Seconds before midnight that are of the day after it: clocks are set back by a little all the time.
_BACK: Seconds = 3600.0


class _CallerTally:
    """What one caller was answered today."""

    __slots__ = ("errors", "last", "requests", "rows", "versions")

    def __init__(self) -> None:
        self.requests = self.rows = self.errors = 0
        self.last: Time = 0.0
        self.versions: set[int] = set()


#: A day, and what of it is to be kept.
_Counted = tuple[str, list[tuple[str, int, int, int, list[int], Time]]]


class CallerCounts:
    """Counts while requests are answered, and writes in a thread, so that no answer waits for a disk. What the disk
    refuses is tried again, and ends no service. One that starts goes on with its day.

    Parameters
    ----------
    say : called with a line for the log.
    """

    def __init__(self, folder: UsageFolder, say: Callable[[str], None]) -> None:
        self._folder, self._say = folder, say
        self._tallies: dict[str, _CallerTally] = {}
        self._ended: list[_Counted] = []
        self._changed = False
        #: What can't be kept, and why.
        self.unkept = ""
        self._begin(time.time())
        self._go_on()

    def add(self, caller: str, version: int, rows: int, *, failed: bool) -> None:
        """A caller was answered.

        Parameters
        ----------
        caller : empty for nobody's token: that isn't counted.
        """
        if not caller:
            return
        now = time.time()
        if now >= self._until or now < self._since - _BACK:
            self._turn(now)
        tally = self._tallies.get(caller)
        if tally is None:
            if len(self._tallies) >= MOST_COUNTED:
                return
            tally = self._tallies[caller] = _CallerTally()
        tally.requests += 1
        tally.rows += rows
        tally.errors += failed
        tally.last = now
        if version and len(tally.versions) < MOST_VERSIONS:
            tally.versions.add(version)
        self._changed = True

    async def run(self, end: asyncio.Event) -> None:
        """Keep what has changed, again and again, until the end: it isn't cancelled, since a thread that writes goes
        on, and could undo what is written after it."""
        while not await until_set(end, EVERY):
            await self.keep()

    async def keep(self) -> None:
        """Keep what has changed."""
        if not (self._changed or self._ended):
            return
        ended, self._ended = self._ended, []
        self._changed = False
        left = await asyncio.to_thread(self._written, [*ended, self._counted()])
        self._ended = [*left[:-1], *self._ended][-1:] if left else self._ended
        self._changed = self._changed or bool(left)

    def _written(self, days: list[_Counted]) -> list[_Counted]:
        """Write these days; those that couldn't be."""
        try:
            while days:
                day, callers = days[0]
                names = ("caller", "requests", "rows", "errors", "versions", "last")
                told = [CallerDay(**dict(zip(names, each, strict=True))) for each in callers]
                self._folder.write(UsageDay(day=day, callers=told))
                days = days[1:]
            self._folder.tidy(time.time())
            self.unkept = ""
        except (MlopsError, OSError) as error:
            words = f"what callers asked can't be kept: {error}"
            if words != self.unkept:
                self._say(words)
            self.unkept = words
        return days

    def _counted(self) -> _Counted:
        return self._day, [
            (caller, each.requests, each.rows, each.errors, sorted(each.versions), each.last)
            for caller, each in self._tallies.items()
        ]

    def _begin(self, now: Time) -> None:
        self._day, self._since = day_of(now), now // DAY * DAY
        self._until = self._since + DAY

    def _turn(self, now: Time) -> None:
        """Another day has begun; an earlier one, where the clock was set back."""
        if self._changed:
            self._ended = [self._counted()]
        self._tallies, self._changed = {}, False
        self._begin(now)
        self._go_on()

    def _go_on(self) -> None:
        try:
            before = self._folder.day(self._day)
        except (MlopsError, OSError) as error:
            self._say(f"what callers asked before isn't known: {error}")
            return
        for each in before.callers:
            tally = self._tallies[each.caller] = _CallerTally()
            tally.requests, tally.rows, tally.errors, tally.last = each.requests, each.rows, each.errors, each.last
            tally.versions = set(each.versions)

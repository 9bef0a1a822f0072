"""What a router counts of each minute, and keeps for days."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from ..core.base import Seconds
from ..core.errors import MlopsError
from ..core.traffic import BOUNDS, MINUTE, TrafficMinute, slot_of
from ..core.waiting import until_set
from ..home.traffic import TrafficFolder

#: Seconds between two looks at what is over.
EVERY: Seconds = 5.0

#: Minutes that wait for a disk which refuses them; the oldest go.
_MOST_WAITING = 1000


class _Tally:
    """What a version answered in this minute."""

    __slots__ = ("errors", "requests", "times")

    def __init__(self) -> None:
        self.requests = self.errors = 0
        self.times = [0] * (len(BOUNDS) + 1)


class MinuteCounts:
    """Counts while requests are answered, and writes each minute when it is over, in a thread, so that no answer waits
    for a disk. A router that is killed loses the minute that it is in.

    Parameters
    ----------
    say : called with a line for the log.
    """

    def __init__(self, folder: TrafficFolder, say: Callable[[str], None]) -> None:
        self._folder, self._say = folder, say
        #: What can't be kept, and why.
        self.unkept = ""
        self._tallies: dict[int, _Tally] = {}
        self._waiting: list[TrafficMinute] = []
        self._begin()

    def add(self, version: int, took: Seconds, *, answered: bool, failed: bool) -> None:
        """A request was answered by a version, 0 for none.

        Parameters
        ----------
        answered : its time counts as one of an answer.
        """
        if time.time() >= self._until:
            self._turn()
        tally = self._tallies.get(version)
        if tally is None:
            tally = self._tallies[version] = _Tally()
        tally.requests += 1
        tally.errors += failed
        if answered:
            tally.times[slot_of(took)] += 1

    async def run(self, end: asyncio.Event) -> None:
        """Keep what is over, again and again, until the end."""
        while not await until_set(end, EVERY):
            if time.time() >= self._until or time.time() < self._at:  # the clock may have been set back
                self._turn()
            await self._keep()

    async def close(self) -> None:
        """Keep the minute that it is in, too."""
        self._turn()
        await self._keep()

    def _begin(self) -> None:
        self._at = time.time() // MINUTE * MINUTE
        self._until = self._at + MINUTE

    def _turn(self) -> None:
        """Another minute has begun."""
        self._waiting += [
            TrafficMinute(
                at=self._at, version=version, requests=each.requests, errors=each.errors, times=_without_end(each.times)
            )
            for version, each in self._tallies.items()
        ]
        self._tallies = {}
        self._begin()

    async def _keep(self) -> None:
        over, self._waiting = self._waiting, []
        if over and not await asyncio.to_thread(self._written, over):
            self._waiting = [*over, *self._waiting][-_MOST_WAITING:]

    def _written(self, minutes: list[TrafficMinute]) -> bool:
        """Whether these minutes could be written."""
        try:
            self._folder.add(minutes)
            self._folder.tidy(time.time())
            self.unkept = ""
        except (MlopsError, OSError) as error:
            words = f"how much it was asked can't be kept: {error}"
            if words != self.unkept:
                self._say(words)
            self.unkept = words
            return False
        return True


def _without_end(times: list[int]) -> list[int]:
    """Counts up to the last that isn't 0."""
    end = next((at for at in range(len(times), 0, -1) if times[at - 1]), 0)
    return times[:end]

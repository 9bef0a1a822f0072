"""What is wanted of a group, and what happened to it."""

from __future__ import annotations

from collections import deque

from ...core.base import Seconds
from ...core.cluster import GroupState, Problem
from ...core.profile import Group
from ...core.words import count
from .entry import WorkerEntry

#: Deaths older than this are forgotten by backoff and limit.
WINDOW: Seconds = 600.0


class GroupScale:
    """What is wanted of one group, and what happened to it."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.wanted = group.workers
        self.adaptive = group.adaptive
        self.minimum, self.maximum = group.minimum, group.maximum
        #: Since when fewer would do, and when workers died, by `time.monotonic`.
        self.lower_since: Seconds | None = None
        self.deaths: deque[Seconds] = deque()
        self.problem: Problem | None = None
        self.cause: Problem | None = None
        #: Workers that could not be let go for their data, and how many were wanted by hand when they were to go.
        self.kept: list[WorkerEntry] = []
        self.fewer: int | None = None
        self.last_number = 0
        #: Whether workers are let go without waiting for what they run.
        self.now = False

    def restore(self, earlier: GroupState) -> None:
        """Want what was wanted before the scheduler was started again."""
        self.adaptive, self.minimum, self.maximum = earlier.adaptive, earlier.minimum, earlier.maximum
        self.wanted = earlier.wanted

    def names(self, count: int) -> list[str]:
        """New names that were never used."""
        first = self.last_number + 1
        self.last_number += count
        return [f"{self.group.name}-{number}" for number in range(first, first + count)]

    def reserve(self, name: str) -> None:
        """`name` was given to a worker before, and is not given again."""
        prefix, _, number = name.rpartition("-")
        if prefix == self.group.name and number.isdecimal():
            self.last_number = max(self.last_number, int(number))

    def recent_deaths(self, now: Seconds) -> int:
        """Deaths in the last ten minutes."""
        while self.deaths and now - self.deaths[0] > WINDOW:
            self.deaths.popleft()
        return len(self.deaths)

    def forgive(self) -> None:
        """A person has looked at it: try again at once."""
        self.deaths.clear()
        self.problem = self.cause = None
        self.kept, self.fewer = [], None

    def keep(self, kept: list[WorkerEntry], there: int) -> None:
        """These workers hold data and could not be let go: `there` are wanted until it is released."""
        if there > self.wanted:
            if not self.adaptive and self.fewer is None:
                self.fewer = self.wanted
            self.wanted = there
        self.kept = [entry for entry in self._holding() if entry not in kept] + kept

    def released(self) -> int | None:
        """How many are wanted again, now that the workers that had to stay hold no data; None where none had to, by
        hand, or one still holds some."""
        if self.fewer is None or self._holding():
            return None
        fewer, self.fewer, self.kept = self.fewer, None, []
        return fewer

    @property
    def trouble(self) -> Problem | None:
        """What a person has to know: its workers keep dying, or stay though fewer were wanted."""
        return self.problem or self._keeping()

    def _holding(self) -> list[WorkerEntry]:
        return [entry for entry in self.kept if entry.dask is not None and entry.dask.has_what]

    def _keeping(self) -> Problem | None:
        """Which workers could not be let go, and why; None once their data is released."""
        kept = self._holding()
        if not kept:
            return None
        one = len(kept) == 1
        names = ", ".join(entry.name for entry in kept[:5]) + (" …" if len(kept) > 5 else "")
        return Problem(
            what=f"{count(len(kept), 'worker')} {'stays' if one else 'stay'}: {names}",
            why=f"{'it holds' if one else 'they hold'} data that no other worker has room for",
            todo=f"Release the data (del the futures): {'it goes' if one else 'they go'} then. Or stop the cluster.",
        )

    def dying(self) -> Problem:
        """That its workers keep dying, and why the last one did."""
        cause = self.cause
        last = f"the last one: {cause.what}{': ' + cause.why if cause.why else ''}" if cause else "the cause is unknown"
        remedy = cause.todo if cause and cause.todo else "Look at the workers' logs."
        return Problem(
            what=f"Workers of group {self.group.name!r} keep dying",
            why=f"{len(self.deaths)} in ten minutes; {last}",
            todo=f"{remedy} Then scale the group to try again.",
        )

"""Spot: which nodes the workers of a spot group are made on, by how long spot nodes don't come and by what must be done
until when. Pure: the looks are the controller's."""

from __future__ import annotations

import math
from typing import Annotated, Literal, NamedTuple

from .base import Record, Seconds, Time, otherwise

#: Seconds that a worker waits for a spot node before it is made on demand, and from then until spot is tried again.
PATIENCE: Seconds = 5 * 60
AGAIN: Seconds = 30 * 60

#: Seconds from when a worker is asked for until it works, with its node.
BOOT: Seconds = 2 * 60

#: Seconds by which a map may be behind the line from its start to its deadline before anything is paid for it, and by
#: which it has to be ahead before that ends: to go to and fro costs a boot each time.
BEHIND: Seconds = 10 * 60
AHEAD: Seconds = 0.0

#: A map on spot gets workers for so many times less than the time that it has: the rest is time to wait for spot.
SPARE = 2.0

#: What a map is taken to need more than its items so far tell.
MORE = 1.1

#: Why the nodes are others from now on: no spot node came; the deadline leaves no time to wait for one, or the map is
#: behind; spot is tried again; or the map is ahead of its deadline, and has time to wait.
Turn = Literal["none came", "due", "again", "ahead"]


class SpotBreak(Record):
    """That the next workers of a spot group are made on demand, and why: no spot node came, or a map would be late.

    `since` is when that began, `until` when spot is tried again: None where that isn't a matter of time.
    """

    why: Annotated[Literal["none came", "due"], otherwise("none came")] = "none came"
    since: Time
    until: Time | None = None


class SpotTerms(NamedTuple):
    """How long a worker waits for a spot node (∞: without end), and after which time on demand spot is tried again;
    None for never."""

    patience: Seconds = PATIENCE
    again: Seconds | None = AGAIN


#: Nothing but spot, however long that takes.
FOR_EVER = SpotTerms(patience=math.inf, again=None)


class Due(NamedTuple):
    """A map that is to be done until a moment.

    `part` of it is done; `passed` seconds have passed of the `whole` from its start to its deadline; `needed` are
    seconds for the rest with all workers that its group is to have, None while nobody can tell.
    """

    name: str
    part: float
    passed: Seconds
    whole: Seconds
    needed: Seconds | None

    def ahead(self, by: Seconds) -> bool:
        """Whether more is done than the even line to its deadline asks for in so many seconds from now."""
        return self.part >= min(1.0, (self.passed + by) / self.whole)

    @property
    def left(self) -> Seconds:
        """Seconds until its deadline."""
        return self.whole - self.passed

    def is_pressed(self, patience: Seconds) -> bool:
        """Whether to wait once more for spot nodes in vain, for so long, would make it late."""
        return self.needed is not None and self.left <= MORE * self.needed + patience + 2 * BOOT


class SpotMode:
    """Whether the next workers of a spot group are made on spot nodes or on demand.

    Without a deadline it waits for spot nodes for a while, goes on on demand, and tries spot again every half hour.
    With one it makes uniform progress, as *Can't Be Late* (NSDI '24) calls it: while a map is on the line from its
    start to its deadline there is time to wait for spot; behind it, workers are made on demand, and stay so until it is
    on the line again; and once the time that is left is just what the rest needs, they stay so for good. All times are
    of one clock that nobody sets.
    """

    def __init__(self, terms: SpotTerms) -> None:
        self._terms = terms
        #: Since when its workers are made on demand; and since when those that were asked for have been there.
        self._since: Seconds = 0.0
        self._there: Seconds = 0.0
        self.on_demand = False
        #: Whether there is time to have no worker at all until spot nodes come.
        self.has_time = False
        #: When spot is tried again, as far as that is a matter of time.
        self.again: Seconds | None = None

    def resume(self, now: Seconds, passed: Seconds) -> None:
        """Go on after an earlier scheduler, whose workers had been made on demand for so long."""
        self.on_demand, self._since, self._there = True, now - passed, now - passed

    def look(self, now: Seconds, waited: Seconds, coming: bool, due: Due | None) -> Turn | None:
        """What changes now, if anything does.

        Parameters
        ----------
        waited : seconds that a worker has waited for a spot node; 0 where none does.
        coming : whether workers on demand are still on their way.
        due : the map of the group that has least time; None where none has a deadline.
        """
        pressed = due is not None and due.is_pressed(self._terms.patience)
        self.has_time = due is not None and not pressed and due.ahead(-BEHIND)
        self.again = None
        if not self.on_demand:
            if pressed or (waited > self._terms.patience and not self.has_time):
                return self._turn(now, "none came" if due is None else "due")
            return None
        if coming and now - self._since < AGAIN:  # what boots is paid for: to go back before it works would be a waste
            self._there = now
            return None
        if self._terms.again is None or pressed:
            return None
        if due is not None:
            is_time = due.ahead(AHEAD) and now - self._there >= self._terms.patience
            return self._turn(now, "ahead") if is_time else None
        self.again = self._there + self._terms.again
        return self._turn(now, "again") if now >= self.again else None

    def replaced(self, on_demand: int, on_spot: int, waiting: int, leaving: int = 0) -> int:
        """How many workers on demand are to go, for spot ones to take their places: one first, then as many as there
        are on spot nodes; all at once where there is time.

        Parameters
        ----------
        on_demand, on_spot : workers that there are.
        waiting : those that wait for a spot node.
        leaving : those that go for others to take their places, and are still there.
        """
        if self.on_demand:
            return 0
        if self.has_time:
            return on_demand
        return 0 if waiting else min(on_demand, max(0, max(1, on_spot) - leaving))

    def _turn(self, now: Seconds, why: Turn) -> Turn:
        self.on_demand, self._since, self._there = why in ("none came", "due"), now, now
        self.again = None
        return why

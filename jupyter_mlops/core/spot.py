"""Spot: which nodes the workers of a spot group are made on, by how long spot nodes don't come and by what must be done
until when. Pure: the looks are the controller's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple

from .base import Record, Seconds, Time, otherwise

#: Seconds that a worker waits for a spot node before it is made on demand, and from then until spot is tried again.
PATIENCE: Seconds = 5 * 60
AGAIN: Seconds = 30 * 60

#: How often the time until spot is tried again doubles at most, while it is tried in vain: an empty machine that nobody
#: needs any more is paid for, and so is the boot of the next one.
DOUBLED = 4

#: Seconds from when a worker is asked for until it works, with its node.
BOOT: Seconds = 2 * 60

#: The part of its time for which a map waits while nobody can tell what it needs.
UNSURE = 1 / 16

#: A map on spot gets workers for so many times less than the time that it has: the rest is time to wait for spot.
SPARE = 2.0

#: What a map is taken to need more than its items so far tell, and seconds that it is to have besides.
MORE = 1.1
MARGIN: Seconds = 10 * 60

#: Why the nodes are others from now on: no spot node came; a map has no time to wait for one; spot is tried again. Or
#: that they aren't, since a map has time to wait.
Turn = Literal["none came", "due", "again", "waits"]


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

    `passed` seconds have passed of the `whole` from its start to its deadline; `needed` are seconds for the rest with
    all workers that its group is to have, as far as that is `known`; an item takes up to `longest` seconds, which may
    be lost with a spot machine. `alone` is whether everything else on its group has a deadline, too, and may wait.
    """

    name: str
    passed: Seconds
    whole: Seconds
    needed: Seconds = 0.0
    longest: Seconds = 0.0
    known: bool = True
    alone: bool = True

    @classmethod
    def of_items(
        cls,
        name: str,
        passed: Seconds,
        whole: Seconds,
        total: int,
        over: int,
        each: Seconds | None,
        begun: Sequence[Seconds],
        longest: Seconds,
        threads: int,
    ) -> Due:
        """What a map needs by its items so far.

        Parameters
        ----------
        total, over : its items, and those that are over.
        each : seconds that one takes; None while none is over.
        begun : for how long each of the others has been computed that are begun.
        longest : for how long any has been, those that were lost too: while none is over, they take at least as long.
        threads : that its group is to have; without any it is never done, and nobody can tell.
        """
        takes = longest if each is None else each
        if not threads:
            return cls(name, passed, whole, longest=max(takes, longest), known=False)
        left = sorted(max(0.0, takes - seconds) for seconds in begun)[-threads:]
        needed = until_done(max(0, total - over - len(left)), takes, left, threads)
        return cls(name, passed, whole, needed, max(takes, longest), known=each is not None)

    @classmethod
    def together(cls, found: Sequence[Due], alone: bool) -> Due | None:
        """The map that is due first, as one with the others, with which it shares the workers; None of none. `alone` is
        whether nothing else is on their group."""
        if not found:
            return None
        return min(found, key=lambda due: due.left)._replace(
            needed=sum(due.needed for due in found),
            longest=max(due.longest for due in found),
            known=all(due.known for due in found),
            alone=alone,
        )

    @property
    def left(self) -> Seconds:
        """Seconds until its deadline."""
        return self.whole - self.passed

    @property
    def is_pressed(self) -> bool:
        """Whether it would be late if it waited on, or lost an item that is all but done."""
        return self.left <= MORE * (self.needed + self.longest) + MARGIN

    @property
    def is_unsafe(self) -> bool:
        """Whether no item is to begin on a spot machine any more, since it would be late if one were lost when it is
        all but done. Short ones are done again before another machine has come."""
        return self.longest > 2 * BOOT and self.left <= MORE * self.needed + self.longest + 2 * BOOT

    @property
    def has_time(self) -> bool:
        """Whether its group may do without any worker until spot nodes come."""
        is_sure = self.known or self.passed < UNSURE * self.whole
        return self.alone and is_sure and not self.is_pressed


def until_done(items: int, each: Seconds, left: Sequence[Seconds], threads: int) -> Seconds:
    """Seconds until so many items are done that take so long each and aren't begun, by threads that take the next one
    as soon as they can.

    Parameters
    ----------
    left : of the items that are begun, what each still takes, at most as long as `each`.
    threads : at least one.
    """
    free = [*[0.0] * (threads - len(left)), *sorted(left)]
    rounds, more = divmod(items, len(free))
    return rounds * each + max(free[-1], free[more - 1] + each if more else 0.0)


class SpotMode:
    """Whether the next workers of a spot group are made on spot nodes or on demand.

    Without a deadline it waits for spot nodes for a while, goes on on demand, and tries spot again after half an hour;
    after twice as long each time that it tries in vain. With one it waits as long as there is time, without any worker,
    and goes on on demand when the time that is left is just what the rest needs. Workers on demand that are there are
    never let go before a spot one has come: one makes room for the first, and then as many go as have come. All times
    are of one clock that nobody sets.
    """

    def __init__(self, terms: SpotTerms) -> None:
        self._terms = terms
        #: Since when its workers are made on demand; and since when those that were asked for have been there.
        self._since: Seconds = 0.0
        self._there: Seconds = 0.0
        self._why: Turn = "again"
        #: How often spot was tried again in vain, one time after the other; and whether it is tried again now.
        self._vain = 0
        self._trying = False
        #: Whether it was told that there is time to wait.
        self._is_told = False
        #: Workers on spot nodes when it was tried last, as far as they are still there.
        self._before = 0
        self.on_demand = False
        #: Whether those that work on spot nodes are to go, too, when they have ended what they do.
        self.is_unsafe = False
        #: When spot is tried again, as far as that is a matter of time.
        self.again: Seconds | None = None

    def resume(self, now: Seconds, passed: Seconds, why: Turn) -> None:
        """Go on after an earlier scheduler, whose workers had been made on demand for so long."""
        self.on_demand, self._why, self._since, self._there = True, why, now - passed, now - passed

    def look(self, now: Seconds, waited: Seconds, coming: bool, on_spot: int, due: Due | None) -> Turn | None:
        """What changes now, if anything does.

        Parameters
        ----------
        waited : seconds that a worker has waited for a spot node; 0 where none does.
        coming : whether workers on demand are still on their way.
        on_spot : workers that have a spot node.
        due : the map of the group that has least time; None where none has a deadline.
        """
        pressed = due is not None and due.is_pressed
        self.is_unsafe = due is not None and pressed and due.is_unsafe
        self.again = None
        self._before = min(self._before, on_spot)
        if not self.on_demand:
            if on_spot > self._before:
                self._vain, self._trying = 0, False
            if pressed and (waited or self.is_unsafe):
                return self._turn(now, "due", on_spot)
            is_long, was_told, self._is_told = waited > self._terms.patience, self._is_told, False
            if is_long and (due is None or not due.has_time):
                return self._turn(now, "none came", on_spot)
            self._is_told = is_long
            return "waits" if is_long and not was_told else None
        if coming and now - self._since < AGAIN:  # what boots is paid for: to go back before it works would be a waste
            self._there = now
            return None
        wait = self.wait
        if self._why == "due" and due is None:
            wait = 0.0  # the map is over that its workers were made on demand for
        if wait is None or pressed:
            return None
        self.again = self._there + wait
        return self._turn(now, "again", on_spot) if now >= self.again else None

    @property
    def wait(self) -> Seconds | None:
        """Seconds on demand until spot is tried again; None for never."""
        return None if self._terms.again is None else self._terms.again * 2.0**self._vain

    def replaced(self, on_demand: int, on_spot: int, waiting: int, leaving: int = 0) -> int:
        """How many workers on demand are to go, for spot ones to take their places: one first, then as many as have
        come since spot is tried again.

        Parameters
        ----------
        on_demand, on_spot : workers that there are.
        waiting : those that wait for a spot node.
        leaving : those that go for others to take their places, and are still there.
        """
        if self.on_demand or waiting:
            return 0
        return min(on_demand, max(0, max(1, on_spot - self._before) - leaving))

    def _turn(self, now: Seconds, why: Turn, on_spot: int) -> Turn:
        self._is_told = False
        if self._trying and why != "again":
            self._vain = min(DOUBLED, self._vain + 1)
        self.on_demand, self._why, self._since, self._there = why != "again", why, now, now
        self._trying, self._before, self.again = why == "again", on_spot, None
        return why

"""Spot groups: which of their workers are made on demand, and which go, for others to take their places."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from ...core import words
from ...core.base import Seconds, Time
from ...core.profile import Group
from ...core.spot import AGAIN, FOR_EVER, Due, SpotBreak, SpotMode, SpotTerms, Turn
from .entry import WorkerEntry
from .registry import WorkerRegistry

#: Gets the group whose workers are made on other nodes from now on, why, and the same as a sentence.
TellOfTurn = Callable[[str, Turn, str], None]


class SpotGroups:
    """Looks at the spot groups of a cluster.

    Parameters
    ----------
    terms : how long to wait for spot; None where the place has none.
    told : as `TellOfTurn`.
    clock : seconds since the epoch, to tell people since when a group is on demand.
    """

    def __init__(
        self,
        groups: Sequence[Group],
        terms: SpotTerms | None,
        workers: WorkerRegistry,
        told: TellOfTurn,
        clock: Callable[[], Time] = time.time,
    ) -> None:
        self._groups = {group.name: group for group in groups if group.spot}
        self._terms, self._workers, self._told, self._clock = terms or FOR_EVER, workers, told, clock
        is_bounded = self._terms.patience < math.inf
        self._modes = {name: SpotMode(self._terms) for name in self._groups if is_bounded}
        self._breaks: dict[str, SpotBreak] = {}
        #: Since when workers wait for a spot node, by name.
        self._waiting: dict[str, Seconds] = {}
        #: Idle workers: what each had done, and since when it has done nothing.
        self._idle: dict[str, tuple[int, Seconds]] = {}
        #: Workers that were to be replaced, and went on for too long with what they ran: when that was.
        self._spared: dict[str, Seconds] = {}
        self._now: Seconds = 0.0
        #: The map of a group that has least time until it is to be done.
        self.due: Callable[[str], Due | None] = lambda group: None

    def restore(self, group: str, earlier: SpotBreak | None) -> None:
        """Go on with a group that an earlier scheduler made workers of on demand."""
        if earlier is not None and group in self._modes:
            self._modes[group].resume(time.monotonic(), max(0.0, self._clock() - earlier.since), earlier.why)
            self._breaks[group] = earlier

    def break_of(self, group: str) -> SpotBreak | None:
        """Why, since when and until when workers of a group are made on demand; None where they aren't."""
        return self._breaks.get(group)

    def on_demand(self, group: str, count: int) -> int:
        """How many of the next `count` workers of a group are made on demand."""
        if group not in self._groups:
            return 0
        mode = self._modes.get(group)
        if mode is not None and mode.on_demand:
            return count
        there = sum(entry.on_demand is True for entry in self._there(group))
        return min(count, max(0, self._groups[group].base - there))

    def look(self, now: Seconds) -> None:
        """See on which nodes the next workers are made. `now` is of a clock that nobody sets."""
        self._now = now
        self._see_idle()
        for name, mode in self._modes.items():
            due, there = self.due(name), self._there(name)
            coming = any(entry.on_demand is True and entry.dask is None for entry in there)
            on_spot = sum(_has_spot(entry) for entry in there)
            if (turn := mode.look(now, self._waited(name, now), coming, on_spot, due)) is not None:
                self._told(name, turn, _sentence(name, turn, self._terms, mode.wait, due))
            self._note(name, mode, turn, now)

    def going(self, group: str, unneeded: int) -> list[WorkerEntry]:
        """The workers that are to go, and to be replaced. Of those that work, no more than gangs leave `unneeded`."""
        mode = self._modes.get(group)
        if mode is None:
            return []
        there, most = self._there(group), max(0, unneeded)
        on_spot = [entry for entry in there if _has_spot(entry)]
        if mode.on_demand:
            unsafe = [entry for entry in on_spot if not self._is_kept(entry)] if mode.is_unsafe else []
            return [*(entry for entry in there if _waits(entry)), *unsafe[:most]]
        dear = sorted((entry for entry in there if entry.on_demand), key=lambda entry: entry.processing)
        dear = [entry for entry in dear[: max(0, len(dear) - self._groups[group].base)] if not self._is_kept(entry)]
        if len(there) == 1 and dear and not self._is_unused(dear[0]):
            return []  # the only one is there for the next cell
        waiting = sum(entry.on_demand is not True for entry in there) - len(on_spot)
        leaving = sum(entry.replaced for entry in self._workers.of(group))
        dear = [entry for entry in dear if entry.name not in self._spared]
        return dear[: min(mode.replaced(len(dear), len(on_spot), waiting, leaving), most)]

    def staying(self, group: str) -> list[WorkerEntry]:
        """The workers on demand that were to be replaced, and go on after all: they are needed, or what they run takes
        so long that the rest of them would be paid for in vain."""
        mode = self._modes.get(group)
        if mode is None:
            return []
        replaced = [entry for entry in self._workers.of(group) if entry.replaced and entry.on_demand]
        if mode.on_demand:
            return replaced
        long = [entry for entry in replaced if self._clock() - entry.since > AGAIN]
        self._spared = {name: at for name, at in self._spared.items() if self._now - at < AGAIN}
        self._spared |= {entry.name: self._now for entry in long}
        return long

    def _see_idle(self) -> None:
        before, self._idle = self._idle, {}
        for name in self._modes:
            for entry in self._there(name):
                if entry.phase == "idle":
                    done, since = before.get(entry.name, (-1, self._now))
                    self._idle[entry.name] = (entry.done, since if done == entry.done else self._now)

    def _is_unused(self, entry: WorkerEntry) -> bool:
        """Whether nobody has used it for as long as the next one would be waited for."""
        _, since = self._idle.get(entry.name, (0, self._now))
        return entry.dask is None or self._now - since > self._terms.patience

    def _waited(self, group: str, now: Seconds) -> Seconds:
        """How long one of its workers has waited for a spot node."""
        since = {entry.name: self._waiting.get(entry.name, now) for entry in self._there(group) if _waits(entry)}
        self._waiting = {other: at for other, at in self._waiting.items() if self._of_another(other, group)} | since
        return now - min(since.values(), default=now)

    def _note(self, group: str, mode: SpotMode, turn: Turn | None, now: Seconds) -> None:
        """Keep, for people and for a next scheduler, that a group is on demand, and until when."""
        if not mode.on_demand:
            self._breaks.pop(group, None)
            return
        known = self._breaks.get(group)
        if known is None or turn is not None:
            why = "due" if turn == "due" else "none came"
            known = self._breaks[group] = SpotBreak(why=why, since=self._clock())
        if (known.until is None) != (mode.again is None):
            until = None if mode.again is None else self._clock() + mode.again - now
            self._breaks[group] = known.model_copy(update={"until": until})

    def _is_kept(self, entry: WorkerEntry) -> bool:
        """Whether it stays for data that nobody else has room for, as far as is known: a new worker may have it."""
        holds = entry.dask is not None and bool(entry.dask.has_what)
        return holds and entry.stayed == self._workers.arrivals

    def _there(self, group: str) -> list[WorkerEntry]:
        return [entry for entry in self._workers.of(group) if not entry.expected]

    def _of_another(self, worker: str, group: str) -> bool:
        entry = self._workers.entries.get(worker)
        return entry is not None and entry.group != group


def _waits(entry: WorkerEntry) -> bool:
    return entry.phase == "pending" and entry.on_demand is False


def _has_spot(entry: WorkerEntry) -> bool:
    return entry.on_demand is not True and entry.phase not in ("requested", "pending")


def _sentence(group: str, turn: Turn, terms: SpotTerms, wait: Seconds | None, due: Due | None) -> str:
    if turn == "again":
        return f"Spot is tried again for group {group}: its workers on demand are replaced, one first"
    if due is not None and turn != "none came":
        needs = f" and needs {words.span(due.needed)} more" if due.known else ""
        far = f"{due.name} is due in {words.span(due.left)}{needs}" if due.left > 0 else f"{due.name} is late"
        if turn == "waits":
            return f"{far}: there is time, and group {group} waits for spot nodes"
        return f"{far}: workers of group {group} are made on demand"
    told = f"No spot node came for group {group} in {words.span(terms.patience)}: its workers are made on demand"
    return told if wait is None else f"{told} for {words.span(wait)}"

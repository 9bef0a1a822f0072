"""Spot groups: which of their workers are made on demand, and which go, for others to take their places."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence

from ...core import words
from ...core.base import Seconds
from ...core.profile import Group
from ...core.spot import FOR_EVER, Due, SpotMode, SpotTerms, Turn
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
    """

    def __init__(
        self, groups: Sequence[Group], terms: SpotTerms | None, workers: WorkerRegistry, told: TellOfTurn
    ) -> None:
        self._groups = {group.name: group for group in groups if group.spot}
        self._terms, self._workers, self._told = terms or FOR_EVER, workers, told
        is_bounded = self._terms.patience < math.inf
        self._modes = {name: SpotMode(self._terms) for name in self._groups if is_bounded}
        #: Since when workers wait for a spot node, by name.
        self._waiting: dict[str, Seconds] = {}
        #: The map of a group that has least time until it is to be done.
        self.due: Callable[[str], Due | None] = lambda group: None

    def on_demand(self, group: str, count: int) -> int:
        """How many of the next `count` workers of a group are made on demand."""
        if group not in self._groups:
            return 0
        mode = self._modes.get(group)
        if mode is not None and mode.on_demand:
            return count
        there = sum(entry.on_demand is True for entry in self._there(group))
        return min(count, max(0, self._groups[group].base - there))

    def going(self, now: Seconds, kept: Collection[str]) -> dict[str, list[WorkerEntry]]:
        """By group the workers that are to go, and to be replaced, without those that are `kept` for their data. `now`
        is of a clock that nobody sets."""
        found = {name: self._going(name, mode, now, kept) for name, mode in self._modes.items()}
        return {name: entries for name, entries in found.items() if entries}

    def _going(self, name: str, mode: SpotMode, now: Seconds, kept: Collection[str]) -> list[WorkerEntry]:
        there = self._there(name)
        waiting = [entry for entry in there if entry.phase == "pending" and entry.on_demand is False]
        since = {entry.name: self._waiting.get(entry.name, now) for entry in waiting}
        self._waiting = {other: at for other, at in self._waiting.items() if self._of_another(other, name)} | since
        waited = now - min(since.values(), default=now)
        due = self.due(name)
        if (turn := mode.look(now, waited, due)) is not None:
            self._told(name, turn, _sentence(name, turn, self._terms.patience, due))
        if mode.on_demand:
            return waiting
        return self._replaced(name, mode, [entry for entry in there if entry.name not in kept])

    def _replaced(self, name: str, mode: SpotMode, there: Sequence[WorkerEntry]) -> list[WorkerEntry]:
        """Workers on demand that make room for spot ones, those that have nothing to do first. A group's only worker
        goes on with what it has to do."""
        dear = sorted((entry for entry in there if entry.on_demand), key=lambda entry: entry.processing)
        dear = dear[: max(0, len(dear) - self._groups[name].base)]
        if len(there) == 1 and dear and dear[0].processing and not mode.has_time:
            return []
        on_spot = [entry for entry in there if entry.on_demand is not True]
        waiting = sum(entry.phase in ("requested", "pending") for entry in on_spot)
        return dear[: mode.replaced(len(dear), len(on_spot) - waiting, waiting)]

    def _there(self, group: str) -> list[WorkerEntry]:
        return [entry for entry in self._workers.of(group) if not entry.expected]

    def _of_another(self, worker: str, group: str) -> bool:
        entry = self._workers.entries.get(worker)
        return entry is not None and entry.group != group


def _sentence(group: str, turn: Turn, waited: Seconds, due: Due | None) -> str:
    if turn == "again":
        return f"Spot is tried again for group {group}: its workers on demand are replaced, one first"
    if due is None:
        return f"No spot node came for group {group} in {words.span(waited)}: its workers are made on demand"
    far = f"{words.percent(due.part)} of {due.name} is done, {words.percent(due.passed / due.whole)} of its time passed"
    if turn == "ahead":
        return f"{far}: there is time, and group {group} waits for spot nodes"
    return f"{far}: so that it isn’t late, workers of group {group} are made on demand"

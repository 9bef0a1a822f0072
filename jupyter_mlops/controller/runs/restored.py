"""What an earlier scheduler of the same cluster left: what was wanted, and the runs that went down with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ...core.cluster import GroupState, Problem, Work
from ...core.lines import read_lines
from ...core.run import RunState
from .liverun import LiveRun

#: Why its runs are lost.
LOST = "RunLost: The cluster's scheduler was started again."


@dataclass(frozen=True)
class Restored:
    """As watchers were told last: the runs that were not over, the groups, and the tasks that were done.

    `cause` is why that scheduler ended, where it is known.
    """

    runs: Sequence[RunState] = ()
    groups: Sequence[GroupState] = ()
    work: Work = field(default_factory=Work)
    cause: Problem | None = None


class PastRun(LiveRun):
    """A run of an earlier scheduler, whose cost and progress are what was told last."""

    def snapshot(self, now: float | None = None) -> RunState:
        """The run as it ended."""
        cost = self.state.cost
        cost = cost if cost.per_hour is None else cost.model_copy(update={"per_hour": 0.0})
        return self.state.model_copy(update={"left": None, "cost": cost})


def runs_in(text: str, newer: Sequence[RunState]) -> list[RunState]:
    """The runs in the text of `runs.jsonl`, oldest first, as they were told last; half a line is left out."""
    found = {state.id: state for state in read_lines(RunState, text)}
    for state in newer:
        if state.id in found and found[state.id].ended is None:
            found[state.id] = state
    return list(found.values())

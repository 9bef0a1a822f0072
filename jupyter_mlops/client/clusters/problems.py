"""What is wrong with a cluster, whoever asks: all of it, the same for every window."""

from __future__ import annotations

from ...core.cluster import ClusterState, Problem
from ...core.errors import MlopsError


def problems_of(state: ClusterState) -> list[tuple[str, Problem]]:
    """Everything that is wrong with a cluster: its own problem under the empty name, each group's under its name.

    A controller also shows a group's problem as the cluster's own: it is here once.
    """
    groups = [(group.name, group.problem) for group in state.groups if group.problem is not None]
    own = state.problem
    return groups if own is None or any(own == problem for _, problem in groups) else [("", own), *groups]


def problem_sentence(name: str, problem: Problem) -> str:
    """A problem of the group `name` (empty: of the cluster itself) in one line: what, why, and what to do."""
    sentence = str(MlopsError(problem.what, problem.why, problem.todo))
    return f"{name}: {sentence}" if name and repr(name) not in problem.what else sentence


class ProblemsSaid:
    """The problems that somebody who waits for a cluster has been told: each is said at once, and once."""

    def __init__(self) -> None:
        self._said: set[tuple[str, str]] = set()

    def new(self, state: ClusterState) -> list[str]:
        """A sentence for each problem of the cluster that hasn't been said yet; it counts as said from here on."""
        fresh = [(name, problem) for name, problem in problems_of(state) if (name, problem.what) not in self._said]
        self._said |= {(name, problem.what) for name, problem in fresh}
        return [problem_sentence(name, problem) for name, problem in fresh]


def unreachable(state: ClusterState, problem: Problem) -> ClusterState:
    """What to show of a cluster that doesn't answer: what is known of it, and why that is all.

    A cluster that starts isn't expected to answer yet, and its record may know better what keeps it.
    """
    if state.phase == "starting":
        return state if state.problem is not None else state.model_copy(update={"problem": problem})
    return state.model_copy(update={"phase": "unreachable", "problem": problem})

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


def unreachable(state: ClusterState, problem: Problem) -> ClusterState:
    """What to show of a cluster that doesn't answer: what is known of it, and why that is all.

    A cluster that starts isn't expected to answer yet, and its record may know better what keeps it.
    """
    if state.phase == "starting":
        return state if state.problem is not None else state.model_copy(update={"problem": problem})
    return state.model_copy(update={"phase": "unreachable", "problem": problem})

"""Waits for what a command is to bring about, and says how far it is."""

from __future__ import annotations

import time

from ...core import words
from ...core.base import Seconds
from ...core.cluster import ClusterState, GroupState
from ...core.errors import ClusterEnded, MlopsError, StartFailed, UnknownCluster
from ..operations.manager import Progress
from .watcher import Watcher

#: Seconds after which an operation ends although its workers aren't there; the cluster goes on trying.
PATIENCE: Seconds = 900.0

_LOOK: Seconds = 2.0


async def until_workers(
    watcher: Watcher, name: str, group: str | None, progress: Progress, wanted: int | None = None
) -> None:
    """Return when `group`, or all groups, have the workers they want.

    Raises
    ------
    StartFailed : it ended before, or took too long.
    """
    deadline = time.monotonic() + PATIENCE
    seen = False
    while True:
        state = watcher.states.get(name)
        if state is None or state.phase in ("stopping", "ended"):
            raise _ended(name, state)
        groups = [each for each in state.groups if group is None or each.name == group]
        # The state may be older than the command: wait until it wants what was asked for.
        seen = seen or wanted is None or any(each.wanted == wanted for each in groups)
        if seen and state.phase == "running" and _tell(groups, progress):
            return
        if time.monotonic() > deadline:
            raise _late(name, groups)
        await watcher.changed(_LOOK)


async def until_ended(watcher: Watcher, name: str, progress: Progress) -> None:
    """Return when the cluster has ended."""
    deadline = time.monotonic() + PATIENCE
    at_first = 0
    while True:
        try:
            state = watcher.get(name)
        except UnknownCluster:
            return
        if state.phase == "ended":
            return
        left = _held(state.groups)
        at_first = max(at_first, left)
        progress.tell(text=f"{words.count(left, 'worker')} left", progress=1 - left / at_first if at_first else None)
        if time.monotonic() > deadline:
            raise ClusterEnded(f"The cluster {name!r} hasn't stopped yet", "", "Stop it by force.")
        watcher.hurry()
        await watcher.changed(_LOOK)


def _tell(groups: list[GroupState], progress: Progress) -> bool:
    """Say how many workers there are; whether that is as many as wanted."""
    wanted = sum(group.wanted for group in groups)
    ready = sum(min(group.wanted, group.counts.idle + group.counts.busy) for group in groups)
    leaving = _held(groups) - sum(group.counts.idle + group.counts.busy for group in groups)
    over = sum(max(0, group.counts.idle + group.counts.busy - group.wanted) for group in groups)
    why = next((f"; {group.problem.what}" for group in groups if group.problem), "")
    progress.tell(
        progress=ready / wanted if wanted else 1.0,
        text=f"{ready} of {words.count(wanted, 'worker')}{f', {over} too many' if over else ''}{why}",
    )
    return ready == wanted and not over and not (leaving and wanted == 0)


def _held(groups: list[GroupState]) -> int:
    return sum(
        group.counts.starting + group.counts.idle + group.counts.busy + group.counts.retiring for group in groups
    )


def _ended(name: str, state: ClusterState | None) -> MlopsError:
    problem = state.problem if state is not None else None
    if problem is not None:
        return StartFailed(problem.what, problem.why, problem.todo)
    cause = state.cause if state is not None and state.cause else "stopped"
    return ClusterEnded(f"The cluster {name!r} ended before it had its workers", cause)


def _late(name: str, groups: list[GroupState]) -> MlopsError:
    problem = next((group.problem for group in groups if group.problem), None)
    return StartFailed(
        f"The cluster {name!r} doesn't have all of its workers after {words.span(PATIENCE)}",
        problem.what if problem else "",
        (problem.todo if problem else "") or "It goes on trying; its events say more.",
    )

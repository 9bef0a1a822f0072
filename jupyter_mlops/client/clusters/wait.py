"""Waits for what was asked of a cluster, and says meanwhile what is in the way. The same for every window.

- Each problem is said at once, and once.
- A wait ends early when what is waited for can't come any more: `ClusterEnded`, or `StartFailed` where it went wrong.
- Otherwise it ends after `PATIENCE`, with `NotReady`; the cluster goes on trying.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ...core.base import Seconds
from ...core.cluster import ClusterState, GroupState, Problem
from ...core.errors import ClusterEnded, MlopsError, NotReady, StartFailed
from ...core.words import count, span
from .problems import ProblemsSaid, problems_of

#: Seconds after which a wait ends. A node of a cloud takes five minutes, and its image a few more.
PATIENCE: Seconds = 900.0

#: Seconds after which more workers than anybody asked for are given up: the state may be older than the request.
_GRACE: Seconds = 5.0

_LOOK: Seconds = 2.0


class Followed(Protocol):
    """A cluster whose newest state is known."""

    @property
    def state(self) -> ClusterState | None:
        """The newest state; None when it is not on record any more."""

    async def changed(self, timeout: Seconds) -> None:
        """Return when there is a new state, or after `timeout` seconds."""


class Reachable(Followed, Protocol):
    """The same, with whether its controller answers."""

    @property
    def connected(self) -> bool:
        """Whether the controller answers."""


@dataclass(frozen=True)
class Readiness:
    """How many workers are there, of how many."""

    ready: int
    wanted: int
    #: More than wanted, and those that leave.
    over: int = 0
    leaving: int = 0

    @property
    def part(self) -> float:
        """0 to 1."""
        return min(1.0, self.ready / self.wanted) if self.wanted else 1.0

    def __str__(self) -> str:
        over = f", {self.over} too many" if self.over else ""
        return f"{self.ready} of {count(self.wanted, 'worker')}{over}"


async def wait_for_workers(
    cluster: Followed,
    name: str,
    at_least: int | None = None,
    say: Callable[[str], None] = lambda sentence: None,
    patience: Seconds = PATIENCE,
    tell: Callable[[ClusterState], None] = lambda state: None,
) -> ClusterState:
    """The cluster's state once it runs and has `at_least` workers ready; all that are wanted, when that is None. `tell`
    hears how far it is.

    Raises
    ------
    ClusterEnded, StartFailed : they can't come any more.
    NotReady : they aren't there after `patience` seconds.
    """

    def reached(state: ClusterState) -> bool:
        tell(state)
        there = readiness(state.groups, at_least)
        return state.phase == "running" and there.ready >= there.wanted

    hopeless = _Hopeless(at_least)
    return await _wait(cluster, name, at_least, reached, hopeless, say, patience)


async def wait_for_answer(
    cluster: Reachable,
    name: str,
    say: Callable[[str], None] = lambda sentence: None,
    patience: Seconds = PATIENCE,
) -> ClusterState:
    """The cluster's state once its controller answers, with workers or without. Raises as `wait_for_workers`."""
    return await _wait(cluster, name, None, lambda state: cluster.connected, lambda state: None, say, patience)


async def wait_for_scale(
    cluster: Followed,
    name: str,
    group: str | None,
    tell: Callable[[Readiness, ClusterState], None],
    say: Callable[[str], None] = lambda sentence: None,
    patience: Seconds = PATIENCE,
) -> ClusterState:
    """The cluster's state once `group` (None: all groups) has exactly the workers that it wants. `tell` hears how far
    it is. Raises as `wait_for_workers`.

    What it wants need not be what it was asked to: the state has to be newer than the request
    (`ClusterFollower.ask_state`).
    """

    def reached(state: ClusterState) -> bool:
        groups = [each for each in state.groups if group is None or each.name == group]
        there = readiness(groups)
        tell(there, state)
        left = there.over or (there.leaving and not there.wanted)
        return state.phase == "running" and there.ready == there.wanted and not left

    return await _wait(cluster, name, None, reached, lambda state: None, say, patience)


async def wait_for_end(
    cluster: Followed,
    name: str,
    tell: Callable[[int, float | None], None] = lambda left, part: None,
    patience: Seconds = PATIENCE,
) -> ClusterState | None:
    """The cluster's state once it has ended; None when nothing of it is left. `tell` hears how many workers are left,
    and which part of them is gone.

    Raises
    ------
    NotReady : it hasn't ended after `patience` seconds.
    """
    deadline = time.monotonic() + patience
    at_first = 0
    while (state := cluster.state) is not None and state.phase != "ended":
        left = _held(state.groups)
        at_first = max(at_first, left)
        tell(left, 1 - left / at_first if at_first else None)
        if time.monotonic() > deadline:
            raise NotReady(f"The cluster {name!r} hasn't stopped yet", "", "Stop it by force.")
        await cluster.changed(_LOOK)
    return state


def readiness(groups: list[GroupState], at_least: int | None = None) -> Readiness:
    """How many workers these groups have ready, of those that they want; or of `at_least`."""
    ready = [group.counts.idle + group.counts.busy for group in groups]
    if at_least is not None:
        return Readiness(sum(ready), at_least)
    pairs = [(there, group.wanted) for there, group in zip(ready, groups, strict=True)]
    return Readiness(
        ready=sum(min(pair) for pair in pairs),
        wanted=sum(wanted for _, wanted in pairs),
        over=sum(max(0, there - wanted) for there, wanted in pairs),
        leaving=_held(groups) - sum(ready),
    )


async def _wait(
    cluster: Followed,
    name: str,
    wanted: int | None,
    reached: Callable[[ClusterState], bool],
    hopeless: Callable[[ClusterState], MlopsError | None],
    say: Callable[[str], None],
    patience: Seconds,
) -> ClusterState:
    deadline = time.monotonic() + patience
    said = ProblemsSaid()
    while True:
        state = cluster.state
        if state is None or state.phase in ("stopping", "ended"):
            raise _ended(name, state)
        if reached(state):
            return state
        for sentence in said.new(state):
            say(sentence)
        if (never := hopeless(state)) is not None:
            raise never
        if time.monotonic() > deadline:
            raise _late(name, state, readiness(state.groups, wanted), patience)
        await cluster.changed(min(_LOOK, max(0.05, deadline - time.monotonic())))


class _Hopeless:
    """Notices that more workers are waited for than there will be."""

    def __init__(self, at_least: int | None) -> None:
        self._at_least = at_least
        self._since: float | None = None

    def __call__(self, state: ClusterState) -> MlopsError | None:
        most = sum(group.maximum if group.adaptive else group.wanted for group in state.groups)
        if self._at_least is None or state.phase != "running" or most >= self._at_least:
            self._since = None
            return None
        self._since = self._since or time.monotonic()
        if time.monotonic() - self._since < _GRACE:
            return None
        return StartFailed(
            f"{state.name!r} will not have {count(self._at_least, 'worker')}",
            f"it is to have {most} at most",
            f"Scale it to {self._at_least} first.",
        )


def _held(groups: list[GroupState]) -> int:
    return sum(
        group.counts.starting + group.counts.idle + group.counts.busy + group.counts.retiring for group in groups
    )


def _ended(name: str, state: ClusterState | None) -> MlopsError:
    what = f"The cluster {name!r} ended before its workers were ready"
    if state is None:
        return ClusterEnded(what, "nothing of it is on record any more")
    problem = state.problem
    if problem is not None and state.phase == "ended":
        return StartFailed(what, ": ".join(filter(None, [problem.what, problem.why])), problem.todo)
    return ClusterEnded(what, state.cause or "it was stopped", "Start another one.")


def _late(name: str, state: ClusterState, there: Readiness, patience: Seconds) -> MlopsError:
    found = problems_of(state)
    _, problem = found[0] if found else ("", Problem(what=""))
    return NotReady(
        f"{there} of {name!r} are ready after {span(patience)}",
        ": ".join(filter(None, [problem.what, problem.why])),
        problem.todo or "The cluster goes on trying; its events say more.",
    )

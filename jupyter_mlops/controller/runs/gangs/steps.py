"""How far the ranks of one gang are, and whether all of them hang."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from ....core.base import Seconds, Time, read_record
from ....core.errors import Unreadable
from ....core.steps import RankPhase, RankState, RankSteps, lags, silent_for, time_to_finish, who_hangs
from ....core.whereabouts import GangWhereabouts, RankWhereabouts, together

#: Ranks that are shown.
MOST = 256


class StepWatch:
    """Knows what seats tell of their ranks in this attempt.

    Parameters
    ----------
    hang : seconds without a step that are a hang; 0: nothing is; None: see `core.steps`.
    """

    def __init__(self, hang: Seconds | None) -> None:
        self._hang = hang
        self._steps: dict[int, RankSteps] = {}
        #: When each told of itself, on the monotonic clock.
        self._at: dict[int, Time] = {}
        self._states: dict[int, RankState] = {}
        #: Of this attempt, and of the one before it that has most to tell: each may have other ranks.
        self._whereabouts: dict[int, RankWhereabouts] = {}
        self._earlier: GangWhereabouts | None = None

    @property
    def watches(self) -> bool:
        """Whether there are ranks that may hang."""
        return self._hang != 0 and bool(self._steps)

    @property
    def states(self) -> list[RankState]:
        """All ranks, in their order."""
        behind = lags(self._steps, self._at)
        shown = [self._states[rank] for rank in sorted(self._states)[:MOST]]
        return [state.model_copy(update={"lag": behind.get(state.rank, 0)}) for state in shown]

    @property
    def left(self) -> Seconds | None:
        """Seconds until all steps are made; None where nobody can say."""
        return time_to_finish(list(self._steps.values()))

    @property
    def whereabouts(self) -> GangWhereabouts | None:
        """Where its ranks were, in the attempt in which they were looked at most; None where nobody knows."""
        found = [each for each in (self._earlier, together(self._whereabouts)) if each is not None]
        return max(found, key=lambda each: each.looks, default=None)

    def begin(self, ranks: Iterable[int], worker: str) -> None:
        """These ranks start on a worker."""
        self._states |= {rank: RankState(rank=rank, worker=worker) for rank in ranks}

    def clear(self) -> None:
        """The attempt is over."""
        self._steps, self._at, self._states = {}, {}, {}
        self._earlier, self._whereabouts = self.whereabouts, {}

    def take(self, told: Any, now: Time) -> None:
        """What a seat tells of its ranks, as `GangSeat` does. What can't be read is left out."""
        for each in told if isinstance(told, (list, tuple)) else ():
            try:
                steps, state = read_record(RankSteps, each), read_record(RankState, each)
                whereabouts = read_record(RankWhereabouts, each)
            except Unreadable:
                continue
            if (known := self._states.get(state.rank)) is None:
                continue
            self._steps[state.rank], self._at[state.rank] = steps, now
            self._whereabouts[state.rank] = whereabouts
            phase: RankPhase = "saving" if steps.saving else "running"
            seen = None if steps.step is None else time.time() - steps.age
            self._states[state.rank] = state.model_copy(update={"worker": known.worker, "phase": phase, "seen": seen})

    def ended(self, rank: int, phase: RankPhase) -> None:
        """A rank has ended."""
        self._steps.pop(rank, None)
        self._at.pop(rank, None)
        if known := self._states.get(rank):
            self._states[rank] = known.model_copy(update={"phase": phase})

    def silent(self, now: Time) -> Seconds | None:
        """For how long it has hung; None where it doesn't."""
        return silent_for(list(self._aged(now).values()), self._hang)

    def who(self, stopped: Sequence[int], silent: Seconds, now: Time) -> tuple[int | None, str]:
        """Which rank it waits for, as `core.steps.who_hangs` says; `stopped` are those whose process is stopped."""
        return who_hangs(self._aged(now), stopped, silent)

    def _aged(self, now: Time) -> dict[int, RankSteps]:
        return {
            rank: steps.model_copy(update={"age": steps.age + now - self._at[rank]})
            for rank, steps in self._steps.items()
        }

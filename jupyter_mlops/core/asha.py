"""Which trials of a sweep go on, by what they reported so far: asynchronous successive halving (ASHA).

A trial that has reported 1, 3, 9, 27, … values has come to a rung. There it is compared with those that came to the
same rung before, and goes on if it is among the best third. Nobody waits for others.

Liam Li et al., A System for Massively Parallel Hyperparameter Tuning, MLSys 2020.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Iterator
from typing import Literal

Goal = Literal["max", "min"]

#: Of those that come to a rung one in so many goes on; and each rung is so many times as far as the one before.
FACTOR = 3

#: Trials that come to a rung before any of them is compared.
FEWEST = 3


class Asha:
    """The rungs of a sweep.

    Parameters
    ----------
    goal : which values are good ones.
    """

    def __init__(self, goal: Goal) -> None:
        self._sign = -1.0 if goal == "max" else 1.0
        #: Values reported → those of the trials that came so far, the best one first; small is good.
        self._rungs: dict[int, list[float]] = {}
        self._passed: dict[int, int] = {}

    def prunes(self, trial: int, count: int, value: float) -> bool:
        """Whether a trial ends here, whose report of that number is `value`. A trial that began again, and reports the
        same once more, is not asked twice."""
        pruned = False
        for rung in self._new_rungs(trial, count):
            values = self._rungs.setdefault(rung, [])
            score = math.inf if math.isnan(value) else self._sign * value
            insort(values, score)
            if len(values) >= FEWEST:
                pruned |= score > values[max(1, len(values) // FACTOR) - 1]
        return pruned

    def _new_rungs(self, trial: int, count: int) -> Iterator[int]:
        rung = self._passed.get(trial, 0) * FACTOR or 1
        while rung <= count:
            self._passed[trial] = rung
            yield rung
            rung *= FACTOR

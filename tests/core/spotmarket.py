"""A spot market and a map on it, simulated: a clock that jumps, machines that boot and are taken, the real policy."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import NamedTuple

from jupyter_mlops.core.spot import BOOT, Due, SpotMode, SpotTerms

HOUR = 3600.0

#: The map: hours of work for so many machines. What a spot machine costs of one on demand, and hours until one of them
#: is taken by itself.
WORK, MACHINES = 2 * HOUR, 50
PRICE, SINGLE = 0.3, 8 * HOUR

#: Seconds between two looks.
STEP = 30.0


class SpotMarket(NamedTuple):
    """A market that has spot machines for `up` seconds and none for `down`, on average."""

    up: float
    down: float

    def moments(self, chance: random.Random) -> Iterator[bool]:
        """Whether there are spot machines, step by step."""
        is_up = chance.random() < self.up / (self.up + self.down)
        while True:
            lasts = chance.expovariate(1 / (self.up if is_up else self.down))
            for _ in range(max(1, round(lasts / STEP))):
                yield is_up
            is_up = not is_up


class Score(NamedTuple):
    """Of several maps: what they cost on average, of what they cost on demand, and which part of them was late."""

    cost: float
    late: float


def score(market: SpotMarket, terms: SpotTerms, within: float, wish: bool, maps: int = 150) -> Score:
    """`within` times the work is when a map is late, and what the policy is told if `wish`."""
    done = [_map(random.Random(seed), market, SpotMode(terms), within * WORK, wish) for seed in range(maps)]
    return Score(math.fsum(cost for cost, _ in done) / maps, sum(took > within * WORK for _, took in done) / maps)


def _map(chance: random.Random, market: SpotMarket, mode: SpotMode, whole: float, wish: bool) -> tuple[float, float]:
    """What a map cost, of what it costs on demand, and how long it took."""
    now, done, cost = 0.0, 0.0, 0.0
    #: When each of the machines works, and since when each worker waits for one.
    on_spot, on_demand, waiting = list[float](), list[float](), list[float]()
    for is_up in market.moments(chance):
        if is_up:
            on_spot = [ready for ready in on_spot if chance.random() > STEP / SINGLE]
            on_spot += [now + BOOT for _ in waiting]
            waiting = []
        else:
            on_spot = []
        part = done / (WORK * MACHINES)
        due = Due("map", part, now, whole, (1 - part) * WORK) if wish else None
        coming = any(ready > now for ready in on_demand)
        mode.look(now, now - min(waiting) if waiting else 0.0, coming, due)
        if mode.on_demand:
            waiting = []
        on_demand = sorted(on_demand)[mode.replaced(len(on_demand), len(on_spot), len(waiting)) :]
        for _ in range(MACHINES - len(on_spot) - len(on_demand) - len(waiting)):
            if mode.on_demand:
                on_demand.append(now + BOOT)
            else:
                waiting.append(now)
        cost += (PRICE * len(on_spot) + len(on_demand)) * STEP
        done += sum(ready <= now for ready in (*on_spot, *on_demand)) * STEP
        now += STEP
        if done >= WORK * MACHINES:
            break
    return cost / (WORK * MACHINES), now

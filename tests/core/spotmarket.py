"""A spot market and a map on it, simulated: a clock that jumps, machines that boot, are taken, and are kept a while
when they are empty, items that begin anew when they are lost, and the real policy."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from jupyter_mlops.core.estimate import KEPT
from jupyter_mlops.core.spot import BOOT, Due, SpotMode, SpotTerms

HOUR = 3600.0

#: Hours of a map's work for its machines. What a spot machine costs of one on demand, and hours until one of them is
#: taken by itself.
WORK = 2 * HOUR
PRICE, SINGLE = 0.3, 8 * HOUR

#: Seconds between two looks, and the most by which an item takes longer or shorter than the others.
STEP, SPREAD = 30.0, 0.2


class SpotMarket(NamedTuple):
    """A market that has spot machines for `up` seconds and none for `down`, on average."""

    up: float
    down: float

    def moments(self, chance: random.Random) -> Iterator[bool]:
        """Whether there are spot machines, step by step."""
        is_up = chance.random() < self.up / (self.up + self.down)
        while True:
            lasts = chance.expovariate(1 / (self.up if is_up else self.down)) if self.up else math.inf
            for _ in range(max(1, round(min(lasts, 1e6) / STEP))):
                yield is_up
            is_up = not is_up


class Score(NamedTuple):
    """Of several maps: what they cost on average, of what they cost on demand, and which part of them was late."""

    cost: float
    late: float


@dataclass(eq=False)
class Machine:
    """A machine with a worker, which is `ready` some time; `item` is what its item takes, of which `done` is done. A
    worker that is `leaving` begins no other item."""

    ready: float
    item: float = 0.0
    done: float = 0.0
    leaving: bool = False


class SimulatedMap:
    """A map of `items` on `machines`, with what it has of them. `within` seconds it isn't late."""

    def __init__(self, chance: random.Random, machines: int, items: int, within: float) -> None:
        self.chance, self.machines, self.items, self.within = chance, machines, items, within
        self.unstarted, self.over, self.of_over, self.longest, self.cost = items, 0, 0.0, 0.0, 0.0
        self.on_spot, self.on_demand = list[Machine](), list[Machine]()
        #: Since when each worker waits for a spot machine, and until when each empty machine on demand is kept.
        self.waiting, self.kept = list[float](), list[float]()

    def lose(self, machines: list[Machine]) -> None:
        """These are taken: their items begin anew."""
        self.unstarted += sum(machine.item > 0 for machine in machines)
        self.on_spot = [machine for machine in self.on_spot if machine not in machines]

    def go_on_demand(self, now: float) -> None:
        """A machine on demand comes: an empty one that was kept, or another."""
        ready = now + (STEP if self.kept else BOOT)
        self.kept = self.kept[1:]
        self.on_demand.append(Machine(ready))

    def let_go_of_spot(self) -> None:
        """Workers on spot machines go when they have ended what they do."""
        for machine in self.on_spot:
            machine.leaving = True

    def let_go(self, count: int) -> None:
        """So many workers on demand go when they have ended what they do; the only one that there is doesn't."""
        staying = [machine for machine in self.on_demand if not machine.leaving]
        if len(self.on_demand) + len(self.on_spot) == 1:
            return
        for machine in sorted(staying, key=lambda machine: machine.item > 0)[:count]:
            machine.leaving = True

    def due(self, now: float) -> Due:
        """What its scheduler would tell."""
        begun = [machine.done for machine in (*self.on_spot, *self.on_demand) if machine.item]
        self.longest = max([self.longest, *begun])
        each = self.of_over / self.over if self.over else None
        return Due.of_items("map", now, self.within, self.items, self.over, each, begun, self.longest, self.machines)

    def step(self, now: float) -> None:
        """Work for a while, and pay for it."""
        self.kept = [until for until in self.kept if until > now]
        self.cost += (PRICE * len(self.on_spot) + len(self.on_demand) + len(self.kept)) * STEP
        for machine in (*self.on_spot, *self.on_demand):
            rest = STEP if machine.ready <= now else 0.0
            while rest > 0 and (machine.item or (self.unstarted and not machine.leaving)):
                if not machine.item:
                    self.unstarted -= 1
                    each = WORK * self.machines / self.items
                    machine.item, machine.done = each * self.chance.uniform(1 - SPREAD, 1 + SPREAD), 0.0
                does = min(rest, machine.item - machine.done)
                machine.done, rest = machine.done + does, rest - does
                if machine.item - machine.done < 1e-6:
                    self.over, self.of_over = self.over + 1, self.of_over + machine.item
                    machine.item = 0.0
        self.kept += [now + KEPT for machine in self.on_demand if machine.leaving and not machine.item]
        self.on_demand = [machine for machine in self.on_demand if machine.item or not machine.leaving]
        self.on_spot = [machine for machine in self.on_spot if machine.item or not machine.leaving]


def score(
    market: SpotMarket,
    terms: SpotTerms,
    within: float,
    wish: bool,
    items: int = 5000,
    machines: int = 50,
    maps: int = 60,
) -> Score:
    """`within` times the work is when a map is late, and what the policy is told if `wish`. Machines are kept for a
    while when it is over, as they are when it was on demand all the time."""
    done = [
        _run(SimulatedMap(random.Random(seed), machines, items, within * WORK), market, SpotMode(terms), wish)
        for seed in range(maps)
    ]
    on_demand = (BOOT + WORK + KEPT) * machines
    return Score(
        math.fsum(cost for cost, _ in done) / maps / on_demand, sum(took > within * WORK for _, took in done) / maps
    )


def _run(of: SimulatedMap, market: SpotMarket, mode: SpotMode, wish: bool) -> tuple[float, float]:
    """What a map cost, and how long it took."""
    now = 0.0
    for is_up in market.moments(of.chance):
        if is_up:
            of.lose([machine for machine in of.on_spot if of.chance.random() < STEP / SINGLE])
            of.on_spot += [Machine(now + BOOT) for _ in of.waiting]
            of.waiting = []
        else:
            of.lose(of.on_spot)
        coming = any(machine.ready > now for machine in of.on_demand)
        waited = now - min(of.waiting) if of.waiting else 0.0
        mode.look(now, waited, coming, len(of.on_spot), of.due(now) if wish else None)
        if mode.on_demand:
            of.waiting = []
            if mode.is_unsafe:
                of.let_go_of_spot()
        leaving = sum(machine.leaving for machine in of.on_demand)
        of.let_go(mode.replaced(len(of.on_demand) - leaving, len(of.on_spot), len(of.waiting), leaving))
        for _ in range(of.machines - len(of.on_spot) - len(of.on_demand) - len(of.waiting)):
            if mode.on_demand:
                of.go_on_demand(now)
            else:
                of.waiting.append(now)
        of.step(now)
        now += STEP
        if of.over == of.items:
            break
    tail = (PRICE * len(of.on_spot) + len(of.on_demand)) * KEPT + math.fsum(until - now for until in of.kept)
    return of.cost + tail, now

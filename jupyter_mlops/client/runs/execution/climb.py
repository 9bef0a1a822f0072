"""Climbs the pilot ladder of a map while the map goes on: other numbers of workers, one after the other; then the one
that is chosen by what they did."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from ....core.base import Seconds
from ....core.choice import Outlook, concluded, fit_of, tells
from ....core.cluster import ClusterState, GroupState
from ....core.dip import with_dip
from ....core.errors import MlopsError, OutOfRange, Refused
from ....core.ladder import PART, Ladder, Rung, affordable, rungs_of
from ....core.scalability import Fit
from ....core.words import count, fine_money
from ...clusters.session import Session
from ..options import Wish
from .meter import SpeedMeter

#: Seconds that the workers of a rung may take to come, and what computes at its end to be done.
PATIENCE: Seconds = 300.0

#: Seconds between two looks at a rung.
TICK: Seconds = 0.1

#: The part of all items that has to be left for another rung.
_LEFT = 0.3


class Climbed(Protocol):
    """The map, as its climb sees it."""

    @property
    def items(self) -> int:
        """How many it has."""

    @property
    def left(self) -> int:
        """How many are not done."""

    @property
    def spent(self) -> float:
        """What it cost so far."""

    def measure(self, meter: SpeedMeter | None) -> None:
        """Tell `meter` of what comes from now on."""

    async def look(self) -> int:
        """Look at once how many threads there are, and send as much; returns how many."""


class Climb:
    """Tries sizes.

    Parameters
    ----------
    session, group : the cluster, and its group; None is its only one.
    run : the map.
    run_id : its id.
    wish : what the size is chosen for.
    tell : gets the ladder each time that it has changed.
    """

    def __init__(
        self,
        session: Session,
        group: str | None,
        run: Climbed,
        run_id: str,
        wish: Wish,
        tell: Callable[[Ladder], Awaitable[None]],
    ) -> None:
        self._session, self._run, self._run_id = session, run, run_id
        self._asked, self._wish, self._tell = group, wish, tell
        self.ladder = Ladder(by=wish.by, money=wish.money)
        #: The group as it was before.
        self._before: GroupState | None = None
        self._present = 0

    async def climb(self) -> None:
        """Try one size after the other, choose, and go on with what was chosen. A cluster that refuses a size ends the
        ladder there, and never the map."""
        try:
            await self._begin()
            for size in list(self.ladder.sizes):
                if not await self._try(size):
                    break
            await self._conclude()
        except (MlopsError, OSError) as error:  # the latter, while the cluster is silent
            await self._go_back()
            await self._change(phase="done", why=str(error), choices=[], chosen=None)

    async def close(self) -> None:
        """The map is over. A group that followed its work does so again; one that was in the middle of the ladder has
        as many workers as before."""
        if self.ladder.phase != "done":
            await self._go_back()
            await self._change(phase="done", why=self.ladder.why or "its map was over before all sizes were tried")
        with contextlib.suppress(MlopsError, OSError):  # the latter, while the cluster is silent
            if self._before is not None and self._before.adaptive:
                await self._session.link.adapt(self._before.minimum, self._before.maximum, self._before.name)

    async def _begin(self) -> None:
        state = await self._state()
        group = self._group_of(state)
        others = [run for run in state.runs if run != self._run_id]
        sizes = rungs_of(group.minimum, group.maximum)
        why = ""
        if self._asked is None and len(state.groups) > 1:
            sizes, why = [], "its cluster has several groups, and it was started without --group"
        elif others:
            sizes, why = [], f"{count(len(others), 'other run')} on this cluster would be measured, too"
        per_hour = _per_worker(group)
        money = [each for each in (self._money_left(), state.budget.left if state.budget else None) if each is not None]
        paid = affordable(sizes, per_hour, min(money, default=None))
        if len(paid) < len(sizes):
            sum_left = fine_money(min(money), group.cost.currency)
            why = f"a rung of {count(sizes[len(paid)], 'worker')} would cost too large a part of the {sum_left} left"
        self._before, self._present = group, group.counts.idle + group.counts.busy
        currency = group.cost.currency
        await self._change(sizes=paid, before=group.wanted, group=group.name, currency=currency, why=why)

    def _group_of(self, state: ClusterState) -> GroupState:
        return next(group for group in state.groups if self._asked in (None, group.name))

    async def _try(self, size: int) -> bool:
        """Climb a rung. Returns whether to go on."""
        if self._run.left < _LEFT * self._run.items:
            await self._change(why="too few items were left for more sizes")
            return False
        began = time.monotonic()
        try:
            await self._session.link.scale(size, self.ladder.group)
        except (OutOfRange, Refused) as refusal:  # its limits are others by now, or its money
            await self._change(why=str(refusal))
            return False
        present = await self._come(size, began)
        boot = time.monotonic() - began if present > self._present else 0.0
        self._present = present
        if not present:
            await self._change(why=f"none of {count(size, 'worker')} came in time")
            return False
        rung = await self._measure(size, present, boot)
        if rung is None:
            await self._change(why="too few items were left to measure more sizes")
            return False
        rungs = [*self.ladder.rungs, with_dip(rung, self.ladder.rungs[-1] if self.ladder.rungs else None)]
        await self._change(rungs=rungs)
        if present < size:
            await self._change(why=f"{count(size, 'worker')} didn't come in time")
            return False
        if len(rungs) > 1 and rungs[-1].slower_than(rungs[-2]):
            await self._change(why=f"{count(size, 'worker')} were slower than {rungs[-2].workers:,}")
            return False
        return True

    async def _come(self, size: int, began: Seconds) -> int:
        """Wait until there are `size` workers, and no more. Returns how many there are when it is no use to wait."""
        while True:
            group = self._group_of(await self._state())
            present = group.counts.idle + group.counts.busy
            threads = await self._run.look()
            late = time.monotonic() - began > PATIENCE or self._run.left < _LEFT * self._run.items
            if late or (present == size and not group.counts.retiring and threads >= present):
                return present
            await asyncio.sleep(2 * TICK)

    async def _measure(self, size: int, present: int, boot: Seconds) -> Rung | None:
        assert self._before is not None
        threads = present * max(1, round(self._before.cpus))
        meter = SpeedMeter(threads, max(1, int(PART * self._run.items)))
        self._run.measure(meter)
        try:
            while not meter.over(time.monotonic()):
                if not self._run.left:
                    return None
                await asyncio.sleep(TICK)
            group = self._group_of(await self._state())
            await asyncio.sleep(min(PATIENCE, meter.end(time.monotonic())))
        finally:
            self._run.measure(None)
        per_worker = _per_worker(group)
        return meter.rung(size, present, boot, None if per_worker is None else present * per_worker)

    async def _conclude(self) -> None:
        found = await asyncio.to_thread(fit_of, self.ladder.rungs)
        why = tells(found, self.ladder.why)
        if found is None or why:
            await self._go_back()
            await self._change(phase="done", why=why)
            return
        if self._wish.money is not None and self.ladder.rungs[-1].per_hour is None:
            await self._go_back()
            await self._change(phase="done", why="nobody knows what its workers cost, so that no sum can be kept")
            return
        seconds = None if self._wish.by is None else self._wish.by - time.time()
        on_spot = self._session.backend.has_spot and self._before is not None and self._before.spot
        self.ladder = await asyncio.to_thread(
            concluded, self.ladder, self._outlook(found), self._wish.aim, seconds, self._money_left(), on_spot
        )
        if self.ladder.chosen is not None:
            await self._session.link.scale(self.ladder.chosen.workers, self.ladder.group)
        await self._change(phase="done")
        await self._run.look()

    def _outlook(self, fit: Fit) -> Outlook:
        assert self._before is not None
        last = self.ladder.rungs[-1]
        return Outlook(
            fit=fit,
            items=self._run.left,
            present=self._present,
            boot=max(rung.boot for rung in self.ladder.rungs),
            least=self._before.minimum,
            most=self._before.maximum,
            per_hour=None if last.per_hour is None else last.per_hour / last.present,
        )

    def _money_left(self) -> float | None:
        return None if self._wish.money is None else max(0.0, self._wish.money - self._run.spent)

    async def _go_back(self) -> None:
        """As many workers as before, or a group that follows its work again."""
        if self._before is None:
            return
        with contextlib.suppress(MlopsError, OSError):  # the latter, while the cluster is silent
            if self._before.adaptive:
                await self._session.link.adapt(self._before.minimum, self._before.maximum, self._before.name)
            else:
                await self._session.link.scale(self._before.wanted, self._before.name)

    async def _state(self) -> ClusterState:
        return (await self._session.link.view(workers=False)).state

    async def _change(self, **changed: object) -> None:
        self.ladder = self.ladder.model_copy(update=changed)
        await self._tell(self.ladder)


def _per_worker(group: GroupState) -> float | None:
    """Money for an hour of a worker; None while nobody knows."""
    counts = group.counts
    held = counts.starting + counts.idle + counts.busy + counts.retiring
    if group.cost.per_hour is None or group.cost.unpriced or not held:
        return None
    return group.cost.per_hour / held

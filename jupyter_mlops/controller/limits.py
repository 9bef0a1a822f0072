"""When the cluster ends by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..core.base import Seconds, Time
from ..core.budget import Budget, budget_of, check_priced, reference_in
from ..core.cluster import Stop
from ..core.extend import LimitChange, LimitsEntry, changed
from ..core.lines import read_lines
from ..core.policy import next_stop
from ..core.price import Cost, Price
from ..core.profile import Limits
from ..core.rules import HeldRules
from ..core.words import span
from ..home.clusters import LIMITS
from . import dask
from .disk import Disk

if TYPE_CHECKING:
    from distributed import Scheduler


#: Seconds by which the clock may differ from one that nobody sets before it is said to have been set.
_SET: Seconds = 5.0


class Deadline:
    """Watches idleness, lifetime and budget, which may be changed while the cluster lives.

    Times are told by the clock, since they are shown to people and outlive this process. When that is set, or the
    machine has slept, what seems to have passed has not: idleness begins anew, and the lifetime goes on from where it
    was. Money is counted by the clock alone, as bills are.

    Idle is what Dask calls idle: nothing queued, without a worker, or processing. A live run keeps the cluster, and so
    does a command of a person; clients that are merely connected don't.

    Parameters
    ----------
    limits : as the cluster was made with them.
    rules : what they may be changed to.
    reference : about what resources cost, for a budget that meets workers without a price.
    disk : keeps what was changed of the limits.
    started : when the cluster began, in seconds since the epoch.
    live : the ids of runs that are not over.
    work : seconds until their maps are done; None where that isn't known.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        limits: Limits,
        rules: HeldRules,
        reference: Price,
        disk: Disk,
        started: Time,
        live: Callable[[], list[str]],
        clock: Callable[[], Time],
        work: Callable[[], Seconds | None],
    ) -> None:
        self.started = started
        later = read_lines(LimitsEntry, disk.read(LIMITS))
        self.limits = later[-1].limits if later else limits
        self._rules, self._reference, self._disk = rules, reference, disk
        self._scheduler, self._live, self._clock = scheduler, live, clock
        self._work = work
        self._touched = clock()
        self._ahead = clock() - time.monotonic()

    def heed_clock(self) -> None:
        """Notice that the clock was set."""
        ahead = self._clock() - time.monotonic()
        if abs(ahead - self._ahead) > _SET:
            self.started += ahead - self._ahead
            self.touch()
        self._ahead = ahead

    def touch(self) -> None:
        """Somebody used the cluster just now."""
        self._touched = self._clock()

    def idle_since(self) -> Time | None:
        """Since when there has been nothing to do; None while there is something."""
        if self._live():
            self.touch()
            return None
        since = dask.idle_since(self._scheduler)
        if since is None:
            return None
        return self._touched if since > self._clock() else max(since, self._touched)  # before the clock was set back

    def budget(self, cost: Cost) -> Budget | None:
        """What its budget has left; None where it has none."""
        reference = reference_in(cost.currency, self._reference)
        return budget_of(self.limits, cost, reference, self._clock(), self._work())

    def budget_of_run(self, most: float, cost: Cost) -> Budget:
        """What a run has left that may cost `most`; workers without a price count as for the cluster's budget."""
        limits = self.limits.model_copy(update={"budget": most})
        budget = budget_of(limits, cost, reference_in(cost.currency, self._reference), self._clock())
        assert budget is not None
        return budget

    def taken(self, cost: Cost) -> Budget:
        """What it has cost and costs an hour, with what is assumed of it, whether it has a budget or not."""
        return self.budget_of_run(self.limits.budget or 1.0, cost)

    def life(self) -> Seconds | None:
        """Seconds that it may still live; None where that isn't bounded."""
        return None if self.limits.lifetime is None else self.started + self.limits.lifetime - self._clock()

    def next(self, idle_since: Time | None, budget: Budget | None) -> Stop | None:
        """When and why the cluster will end, if nothing changes."""
        return next_stop(self.limits, self._clock(), self.started, idle_since, budget)

    def change(self, change: LimitChange, cost: Cost) -> str:
        """Other limits count from now on, also for a scheduler that comes after this one; what changed, in words.

        Raises `OutOfRange`, `InvalidSpec`, `Refused`.
        """
        now, budget = self._clock(), self.budget(cost)
        spent, assumed = (cost.amount or 0.0, 0.0) if budget is None else (budget.spent, budget.assumed)
        limits, words = changed(self.limits, change, spent, assumed, now - self.started, cost.currency)
        self._rules.check_limits(limits)
        if self.limits.budget is None and cost.unknown_now.worker_hours:
            check_priced(limits, Price(currency=cost.currency), self._reference)
        self.limits = limits
        self._disk.append(LIMITS, LimitsEntry(time=now, limits=self.limits).model_dump_json())
        self.touch()
        return words

    def reason(self, stop: Stop, budget: Budget | None) -> str:
        """Why it ended, in words."""
        if stop.cause == "idle":
            return f"it had nothing to do for {span(self.limits.idle_timeout or 0)}"
        if stop.cause == "budget" and budget is not None:
            return budget.why_over
        return f"it was allowed to live for {span(self.limits.lifetime or 0)}"

"""When the cluster ends by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..core.base import Seconds, Time
from ..core.cluster import Stop
from ..core.policy import next_stop
from ..core.price import Cost
from ..core.profile import Limits
from ..core.words import exact_money, money, span
from . import dask

if TYPE_CHECKING:
    from distributed import Scheduler


#: Seconds by which the clock may differ from one that nobody sets before it is said to have been set.
_SET: Seconds = 5.0


class Deadline:
    """Watches idleness, lifetime and budget.

    Times are told by the clock, since they are shown to people and outlive this process. When that is set, or the
    machine has slept, what seems to have passed has not: idleness begins anew, and the lifetime goes on from where it
    was. Money is counted by the clock alone, as bills are.

    Idle is what Dask calls idle: nothing queued, without a worker, or processing. A live run keeps the cluster, and so
    does a command of a person; clients that are merely connected don't.

    Parameters
    ----------
    started : when the cluster began, in seconds since the epoch.
    live : the ids of runs that are not over.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        limits: Limits,
        started: Time,
        live: Callable[[], list[str]],
        clock: Callable[[], Time],
    ) -> None:
        self.started = started
        self.limits = limits
        self._scheduler, self._live, self._clock = scheduler, live, clock
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

    def next(self, idle_since: Time | None, cost: Cost) -> Stop | None:
        """When and why the cluster will end, if nothing changes."""
        return next_stop(self.limits, self._clock(), self.started, idle_since, cost.amount, cost.per_hour)

    def reason(self, stop: Stop, cost: Cost) -> str:
        """Why it ended, in words."""
        if stop.cause == "idle":
            return f"it had nothing to do for {span(self.limits.idle_timeout or 0)}"
        if stop.cause == "lifetime":
            return f"it was allowed to live for {span(self.limits.lifetime or 0)}"
        spent = money(cost.amount, cost.currency)
        return f"it cost {spent} of a budget of {exact_money(self.limits.budget or 0, cost.currency)}"

"""When the cluster ends by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..core.base import Time
from ..core.cluster import Stop
from ..core.policy import next_stop
from ..core.price import Cost
from ..core.profile import Limits
from ..core.words import exact_money, money, span
from . import dask

if TYPE_CHECKING:
    from distributed import Scheduler


class Deadline:
    """Watches idleness, lifetime and budget.

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

    def touch(self) -> None:
        """Somebody used the cluster just now."""
        self._touched = self._clock()

    def idle_since(self) -> Time | None:
        """Since when there has been nothing to do; None while there is something."""
        if self._live():
            self.touch()
            return None
        since = dask.idle_since(self._scheduler)
        return None if since is None else max(since, self._touched)

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

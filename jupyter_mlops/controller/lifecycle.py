"""The life of a cluster: the phase that it is in, what is wrong with it, when it will end, and its end.

The end comes once: refuse new work, close the books, end the workers, then the scheduler.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from ..core.account import AccountState
from ..core.base import Seconds, Time
from ..core.budget import STEPS, Budget, BudgetStep
from ..core.cluster import ClusterPhase, ClusterSpec, EndCause, EventKind, Problem, Receipt, Stop
from ..core.errors import ClusterEnded
from ..core.extend import LimitChange
from ..core.price import Cost
from ..core.profile import Limits
from .changes import ChangeTracker
from .disk import Disk
from .events import Events
from .limits import Deadline
from .pool import Pool

if TYPE_CHECKING:
    from distributed import Scheduler

#: Seconds that a cluster without tasks stays while it is drained: the last results are on their way home.
HOMEWARD: Seconds = 10.0

#: Seconds before a cluster's end at which gangs are told of it, to save what they have.
NOTICE: Seconds = 120.0

logger = logging.getLogger("distributed.scheduler.mlops")


class Lifecycle:
    """Owns what is known of a cluster's life. Others read these attributes; only the methods here write them.

    Parameters
    ----------
    scheduler : is closed at the end.
    pool : ends its workers at the end; names what keeps the place from answering.
    events : get the beginning, the end, and problems of the place.
    disk : is written out at the end.
    live_runs : gives the ids of runs that are not over.
    work : gives the seconds until their maps are done; None where that isn't known.
    account : gives what it has of its accounts; None where it has none.
    close_books : stops what is under way and closes the ledger: cause, why → the receipt, written but not yet on disk.
    clock : seconds since the epoch.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        spec: ClusterSpec,
        pool: Pool,
        events: Events,
        disk: Disk,
        changes: ChangeTracker,
        *,
        live_runs: Callable[[], list[str]],
        work: Callable[[], Seconds | None],
        account: Callable[[], AccountState | None],
        close_books: Callable[[EndCause, str], Awaitable[Receipt]],
        clock: Callable[[], Time],
    ) -> None:
        self.phase: ClusterPhase = "starting"
        #: When it began to work, and when and why it ended, once it did.
        self.started: Time | None = None
        self.ended: Time | None = None
        self.cause: EndCause | None = None
        #: Since when there has been nothing to do, and the end that the limits will bring, if nothing changes.
        self.idle_since: Time | None = None
        self.stop: Stop | None = None
        #: What its budget has left, where it has one.
        self.budget: Budget | None = None
        #: What it has of the account that it may use up first, where it has one.
        self.account: AccountState | None = None
        #: A fault of the controller itself, and what keeps the place from answering.
        self.fault: Problem | None = None
        self.place_problem: Problem | None = None
        #: Whether an earlier scheduler of the same cluster began it.
        self.restarted = events.began is not None
        self._scheduler, self._name, self._pool = scheduler, spec.name, pool
        self._events, self._disk, self._changes = events, disk, changes
        self._close_books, self._clock, self._account = close_books, clock, account
        began = clock() if events.began is None else events.began
        limits = spec.profile.limits
        self._deadline = Deadline(scheduler, limits, spec.rules, spec.reference, disk, began, live_runs, clock, work)
        #: The last step of the budget that was told of; None after a restart, which tells of none again.
        self._told: BudgetStep | None = None if self.restarted else "fine"
        #: The last step of its account that was told of.
        self._account_told: BudgetStep = "fine"
        #: Since when no task has run while it is drained, by a clock that nobody sets.
        self._quiet: Seconds | None = None
        self._task: asyncio.Task[None] | None = None
        self._over = asyncio.Event()

    def start(self, cause: Problem | None) -> None:
        """The cluster begins to work, or goes on after its scheduler was started again, for that `cause`."""
        self.started = self._deadline.started
        if self.restarted:
            self._events.add("cluster", "The scheduler started again", problem=cause)
        else:
            self._events.add("cluster", "The cluster started")

    def run(self) -> None:
        """The first worker is there, or none is wanted: the cluster runs, unless it has come further."""
        if self.phase == "starting":
            self.phase = "running"

    def touch(self) -> None:
        """Somebody used the cluster just now: it isn't idle."""
        self._deadline.touch()

    def report_fault(self, error: Exception) -> None:
        """The controller's own code failed."""
        what, todo = "The cluster's controller has a fault", "Look at the scheduler's log."
        self.fault = Problem(what=what, why=repr(error), todo=todo)

    def check_place(self) -> None:
        """See whether the place still answers, and note it as an event when that changed."""
        before, now = self.place_problem, self._pool.problem
        self.place_problem = now
        if now is not None and (before is None or before.what != now.what):
            self._events.add("problem", now.what, problem=now)
        elif now is None and before is not None:
            self._events.add("cluster", f"Over: {before.what}")

    @property
    def limits(self) -> Limits:
        """When it ends by itself."""
        return self._deadline.limits

    @property
    def draining(self) -> bool:
        """Whether what is left pays for its last minutes only: no task begins any more."""
        return any(each is not None and each.step == "drain" for each in (self.budget, self.account))

    def budget_of_run(self, most: float, cost: Cost) -> Budget:
        """See `BudgetOfRun`."""
        return self._deadline.budget_of_run(most, cost)

    def taken(self, cost: Cost) -> Budget:
        """What it has cost and costs an hour, with what is assumed of it."""
        return self._deadline.taken(cost)

    def life(self) -> Seconds | None:
        """Seconds that it may still live; None where that isn't bounded."""
        return self._deadline.life()

    @property
    def ends_soon(self) -> bool:
        """Whether its lifetime or its budget is about to end it, whatever runs."""
        if self.draining:
            return True
        return self.stop is not None and self.stop.cause != "idle" and self.stop.at - self._clock() <= NOTICE

    def change_limits(self, change: LimitChange, cost: Cost) -> None:
        """Other limits count from now on. Raises `ClusterEnded`, `OutOfRange`, `InvalidSpec`, `Refused`."""
        self.check_alive()
        words = self._deadline.change(change, cost)
        self._events.add("limit", f"By hand: {words}")
        self._told = None  # the steps that are behind it are not news
        self._look_at_limits(cost)

    def check_limits(self, cost: Cost, runs_tasks: bool) -> None:
        """Work out when the limits end the cluster, which has cost `cost`; begin its end when that moment has come, or
        when it was drained."""
        self._deadline.heed_clock()
        self._look_at_limits(cost)
        if self.stop is not None and self.stop.at <= self._clock():
            self.begin_end(self.stop.cause, self._why_over(self.stop))
        elif self.draining and not runs_tasks:
            self._quiet = time.monotonic() if self._quiet is None else self._quiet
            if time.monotonic() - self._quiet >= HOMEWARD:
                self.begin_end("budget", self._why_over(None))
        else:
            self._quiet = None

    def _why_over(self, stop: Stop | None) -> str:
        """Why a limit ends it, or the end of its money."""
        by_account = self.account is not None and self.account.step == ("drain" if stop is None else "stop")
        if self.account is not None and by_account and (stop is None or stop.cause == "budget"):
            return self.account.sentence
        if stop is not None:
            return self._deadline.reason(stop, self.budget)
        return "" if self.budget is None else self.budget.why_over

    def _look_at_limits(self, cost: Cost) -> None:
        self.idle_since = self._deadline.idle_since()
        self.budget = self._deadline.budget(cost)
        self.stop = self._deadline.next(self.idle_since, self.budget)
        self._look_at_account()
        if self.budget is None:
            return
        step = self.budget.step
        if self._told is None:
            self._told = step
        elif STEPS.index(step) > STEPS.index(self._told):
            self._told = step
            if step != "stop":  # the end says so itself
                self._events.add("limit", self.budget.sentence)

    def _look_at_account(self) -> None:
        account = self.account = self._account()
        if account is None:
            return
        if account.step == "stop":
            self.stop = Stop(at=self._clock(), cause="budget")
        elif STEPS.index(account.step) > STEPS.index(self._account_told):
            self._events.add("limit", account.sentence)
        self._account_told = account.step

    # The end

    @property
    def ending(self) -> bool:
        """Whether the end has begun."""
        return self._task is not None

    def check_alive(self) -> None:
        """Raise `ClusterEnded` when the cluster is ending."""
        if self.ending:
            raise ClusterEnded(
                f"Cluster {self._name!r} is stopping",
                f"its end was caused by: {self.cause}",
                "Start another one.",
            )

    def begin_end(self, cause: EndCause, why: str = "", *, close_scheduler: bool = True) -> None:
        """Begin to end the cluster. A no-op when it is ending."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._end(cause, why, close_scheduler))

    async def wait_ended(self) -> None:
        """Return when the workers are gone and the records are written."""
        await self._over.wait()

    async def end_with_scheduler(self) -> None:
        """Somebody closes the scheduler, through Dask or we ourselves: it waits until the cluster has ended."""
        self.begin_end("user", "its scheduler was asked to close", close_scheduler=False)
        await self.wait_ended()

    async def _end(self, cause: EndCause, why: str, close_scheduler: bool) -> None:
        self.phase, self.cause = "stopping", cause
        try:
            kind: EventKind = "limit" if cause in ("idle", "lifetime", "budget") else "cluster"
            self._events.add(kind, f"The cluster stops ({cause}){': ' + why if why else ''}")
            receipt = await self._close_books(cause, why)
            self.stop, self.ended = None, receipt.ended
            await self._end_workers(receipt)
        except Exception:  # a fault of ours, which must not keep the cluster alive: it would cost on
            logger.exception("The cluster could not be ended in order")
        self._over.set()
        if close_scheduler:
            await self._scheduler.close(reason=f"mlops: {cause}")

    async def _end_workers(self, receipt: Receipt) -> None:
        written = await self._disk.flush()
        if not written:
            logger.error("The receipt could not be written: %s", receipt.model_dump_json())
        try:
            await self._pool.close()
        except (OSError, RuntimeError):
            logger.exception("The workers could not all be ended")
        self.phase = "ended"
        self._changes.wake()
        await self._disk.close(5.0 if written else 0.2)

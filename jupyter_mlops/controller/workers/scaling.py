"""Keeps each group at the number of workers that is wanted: by hand, or following the work."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from ...core import words
from ...core.base import Seconds, Time
from ...core.cluster import GroupState, Problem, WorkerPhase
from ...core.errors import MlopsError, OutOfRange, Refused, UnknownGroup
from ...core.idle import NAMED
from ...core.policy import adaptive_target, backoff, patient_target
from ...core.profile import Group, Limits
from ...core.spot import SpotBreak
from ..background import Background
from ..pool import Pool
from .entry import WorkerEntry, present
from .groupscale import GroupScale
from .leaving import Leaving
from .load import loads, waiting
from .pausing import Pausing
from .registry import WorkerRegistry
from .spot import SpotGroups

if TYPE_CHECKING:
    from distributed import Scheduler

#: Seconds for a worker to connect after its process or pod has started.
JOIN_TIMEOUT: Seconds = 300.0

#: Seconds between two looks at the work of adaptive groups.
FOLLOW: Seconds = 1.0

#: Phases of workers that have not joined yet: what keeps them may be known.
_COMING: tuple[WorkerPhase, ...] = ("pending", "requested", "starting")


class Scaling:
    """The groups, and the work of keeping them at what is wanted.

    Parameters
    ----------
    scheduler, pool, workers : what is looked at, and who makes and ends workers.
    announce : gets, in words, each change of what is wanted, and problems.
    spot : says which workers of spot groups are made on demand; None where there is no spot.
    clock : seconds since the epoch, to compare with what workers and Dask tell. What is only waited for here is
        measured by a clock that nobody sets: one that is set back would keep dead workers from being replaced, and idle
        ones from being let go, for as long.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        pool: Pool,
        workers: WorkerRegistry,
        groups: Sequence[Group],
        limits: Limits,
        announce: Callable[[str, Problem | None], None],
        clock: Callable[[], Time] = time.time,
        spot: SpotGroups | None = None,
    ) -> None:
        self.groups = {group.name: GroupScale(group) for group in groups}
        self._scheduler, self._pool, self._workers = scheduler, pool, workers
        self._limits, self._announce, self._clock = limits, announce, clock
        self._background = Background()
        self._leaving = Leaving(scheduler, pool, workers, self.groups, announce, self._background)
        self._pausing = Pausing(scheduler, workers)
        self._spot = spot
        #: Why no worker may be added, in words; empty where one may. Those that died are replaced.
        self.no_growth = ""
        #: How many of so many workers of a group can be paid for, and are allowed.
        self.payable: Callable[[str, int], int] = lambda group, workers: workers
        #: Whether the money ends: no task begins any more, and no worker is made.
        self._draining = False
        self._followed: Seconds = 0.0
        self._unheard: Time = 0.0
        self._waiting: dict[str | None, tuple[int, Seconds]] = {}
        #: Workers of a group that gangs need, together or one after the other, however little they have to do.
        self.needed: Callable[[str, bool], int] = lambda group, together: 0

    def group(self, name: str | None) -> GroupScale:
        """The group of that name, or the first. Raises `UnknownGroup`."""
        if name is None:
            return next(iter(self.groups.values()))
        if name not in self.groups:
            raise UnknownGroup.named(name, self.groups)
        return self.groups[name]

    def scale(self, workers: int, group: str | None = None, now: bool = False) -> None:
        """Want `workers` workers by hand. Raises `UnknownGroup`, `OutOfRange`, `Refused`."""
        scale = self.group(group)
        scale.group.check(workers)
        self._check_growth(scale, workers)
        before, scale.wanted, scale.now = scale.wanted, workers, now
        scale.adaptive, scale.lower_since = False, None
        scale.minimum, scale.maximum = scale.group.minimum, scale.group.maximum
        scale.forgive()
        self._announce(f"{_workers(workers, scale.group)} wanted by hand instead of {before}", None)
        self.reconcile()

    def adapt(self, minimum: int, maximum: int, group: str | None = None) -> None:
        """Follow the work between these bounds. Raises `UnknownGroup`, `OutOfRange`, `Refused`."""
        scale = self.group(group)
        for bound in (minimum, maximum):
            scale.group.check(bound)
        if minimum > maximum:
            raise OutOfRange(
                f"Group {scale.group.name!r} can't have between {minimum} and {maximum} workers",
                "the minimum is above the maximum",
                "Swap them.",
            )
        self._check_growth(scale, minimum)
        scale.adaptive, scale.now, scale.lower_since = True, False, None
        scale.minimum, scale.maximum = minimum, maximum
        scale.forgive()
        self._announce(f"{minimum} to {_workers(maximum, scale.group)} wanted, as the work needs", None)
        self.reconcile()

    def spare(self, group: str) -> int:
        """Workers of a group that may go, for all that is asked of it: its minimum, and what gangs need."""
        scale = self.groups[group]
        return max(0, min(scale.wanted, present(self._workers.counts[group])) - max(scale.minimum, self._need(scale)))

    def let_go(self, group: str, entries: Sequence[WorkerEntry]) -> None:
        """Let go of exactly these workers, which nothing is to take the place of."""
        scale = self.groups[group]
        before, scale.wanted = scale.wanted, max(scale.minimum, scale.wanted - len(entries))
        scale.lower_since = None
        names = words.first_of([entry.name for entry in entries], NAMED)
        text = f"{_workers(scale.wanted, scale.group)} wanted by hand instead of {before}: {names}, idle, let go"
        self._announce(text, None)
        self._leaving.let_go_of(scale, entries)

    def drain(self, draining: bool) -> None:
        """Let no task begin any more, or go on."""
        self._draining = draining
        self._pausing.pause(draining)

    def restore(self, names: Iterable[str], groups: Sequence[GroupState] | None) -> None:
        """Go on after an earlier scheduler, or begin.

        Parameters
        ----------
        names : workers of the earlier scheduler; their names are not given again.
        groups : the groups of the earlier scheduler, as far as they are known: their workers are wanted again. Of the
            other groups those workers are wanted that the place still has. None is a new cluster, where the profile's
            numbers are wanted.
        """
        for scale in self.groups.values():
            entries = self._workers.of(scale.group.name)
            for name in [*names, *(entry.name for entry in entries)]:
                scale.reserve(name)
            if groups is not None:
                scale.wanted = max(scale.minimum, min(scale.maximum, len(entries)))
        for group in groups or ():
            if group.name in self.groups:
                self.groups[group.name].restore(group)
                if self._spot is not None:
                    self._spot.restore(group.name, group.spot_break)

    def died(self, entry: WorkerEntry) -> None:
        """A worker is gone that should not be. One on a spot machine counts when its place says that it died of itself:
        a market that ends takes all of them at once, and is no fault."""
        if not entry.may_be_taken:
            self.groups[entry.group].deaths.append(time.monotonic())

    def explained(self, entry: WorkerEntry) -> None:
        """Why a worker died is known now."""
        scale = self.groups[entry.group]
        if entry.may_be_taken:
            if entry.taken or entry.unheard:
                return
            scale.deaths.append(time.monotonic())
        scale.cause = entry.problem or scale.cause
        if scale.problem is not None:
            scale.problem = scale.dying()

    def reconcile(self) -> None:
        """Ask for workers that are missing, let go of those that are too many. Never waits."""
        now = time.monotonic()
        self._follow_work(now)
        self._end_stragglers()
        self._replace(now)
        for scale in self.groups.values():
            self._let_go_released(scale)
            counts = self._workers.counts[scale.group.name]
            actual, leaving = present(counts), self._being_replaced(scale)
            if actual + leaving < scale.wanted:
                self._leaving.stay(scale, scale.wanted - actual - leaving)
                counts = self._workers.counts[scale.group.name]
                self._create(scale, scale.wanted - present(counts) - leaving, now)
            elif (left := actual - max(scale.wanted, self._need(scale))) > 0:
                self._leaving.let_go(scale, left, self._clock())
        self._leaving.finish()

    def spot_break(self, scale: GroupScale) -> SpotBreak | None:
        """Why the workers of a spot group are made on demand, if they are."""
        return None if self._spot is None else self._spot.break_of(scale.group.name)

    def complete(self, group: str) -> bool:
        """Whether all workers that are wanted of a group are up."""
        counts = self._workers.counts[group]
        return counts["idle"] + counts["busy"] >= self.groups[group].wanted

    @property
    def wanted(self) -> int:
        """Workers that are wanted in all."""
        return sum(scale.wanted for scale in self.groups.values())

    def pending_problem(self, scale: GroupScale) -> Problem | None:
        """Why workers of a group don't come, as the place says of one of them; or that work waits for none."""
        counts = self._workers.counts[scale.group.name]
        if not scale.wanted and not scale.adaptive:
            return self._waiting_for_nobody(scale)
        if not any(counts[phase] for phase in _COMING):
            return None
        entries = self._workers.of(scale.group.name)
        return next((m.problem for m in entries if m.phase in _COMING and m.problem), None)

    def _waiting_for_nobody(self, scale: GroupScale) -> Problem | None:
        tasks = self._waiting.get(scale.group.name, (0, 0.0))[0]
        if not self.wanted and scale is self.group(None):
            tasks += self._waiting.get(None, (0, 0.0))[0]
        if not tasks:
            return None
        return Problem(
            what=f"{tasks} task{'s wait' if tasks > 1 else ' waits'} for a worker of group {scale.group.name!r}",
            why="it has none, and none is wanted",
            todo="Scale the group up.",
        )

    async def close(self) -> None:
        """Stop what is under way."""
        await self._background.close()

    def _follow_work(self, now: Seconds) -> None:
        if now - self._followed < FOLLOW:
            return
        self._followed = now
        # without workers Dask queues tasks; with some, queued ones have only to wait for their turn
        stuck = self._scheduler.unrunnable or (self._scheduler.queued and not self._scheduler.workers)
        self._waiting = waiting(self._scheduler) if stuck else {}
        for scale in self.groups.values():
            self._meet_need(scale)
        adaptive = [scale for scale in self.groups.values() if scale.adaptive]
        if not adaptive:
            return
        capacities = {scale.group.name: scale.maximum * scale.group.threads for scale in adaptive}
        found = loads(self._scheduler, self._workers, capacities)
        for scale in adaptive:
            counts = self._workers.counts[scale.group.name]
            workers = present(counts)
            load = found[scale.group.name]
            target = adaptive_target(load, scale.group.threads, workers, scale.minimum, scale.maximum)
            target, scale.lower_since = patient_target(target, scale.wanted, scale.lower_since, now)
            target = self._afforded(scale, max(scale.minimum, min(scale.maximum, target), self._need(scale)))
            if target != scale.wanted:
                why = f"{load.tasks} tasks to do" if load.tasks else "nothing to do"
                self._announce(f"{_workers(target, scale.group)} wanted instead of {scale.wanted}: {why}", None)
                scale.wanted = target

    def _need(self, scale: GroupScale) -> int:
        return self._afforded(scale, min(self.needed(scale.group.name, scale.adaptive), scale.group.maximum))

    def _afforded(self, scale: GroupScale, target: int) -> int:
        """`target`; no more workers than now where none may be added, but for one to finish what is begun; and no more
        than can be paid for."""
        if self.no_growth:
            target = min(target, max(scale.wanted, 1))
        return target if target <= scale.wanted else max(scale.wanted, self.payable(scale.group.name, target))

    def _check_growth(self, scale: GroupScale, workers: int) -> None:
        if self.no_growth and workers > max(scale.wanted, 1):
            raise Refused(
                f"{_workers(workers, scale.group)} can't be had instead of {scale.wanted}",
                self.no_growth,
                "Raise the budget, then scale again.",
            )

    def _meet_need(self, scale: GroupScale) -> None:
        """More workers are wanted, if more are needed at once. Those that are there are enough, whatever was wanted."""
        if max(scale.wanted, present(self._workers.counts[scale.group.name])) < (need := self._need(scale)):
            why = "a gang starts on all of them at once"
            self._announce(f"{_workers(need, scale.group)} wanted instead of {scale.wanted}: {why}", None)
            scale.wanted = need

    def _let_go_released(self, scale: GroupScale) -> None:
        if (fewer := scale.released()) is not None and fewer < scale.wanted:
            why = "the data that kept more is released"
            self._announce(f"{_workers(fewer, scale.group)} wanted, as asked for: {why}", None)
            scale.wanted = fewer

    def _replace(self, now: Seconds) -> None:
        """Let workers of spot groups go that others take the place of, unless no others would be made."""
        if self._spot is None or self._draining:
            return
        self._spot.look(now)
        for name, scale in self.groups.items():
            if not scale.group.spot or scale.problem is not None:
                continue
            self._leaving.keep_replaced(self._spot.staying(name))
            unneeded = present(self._workers.counts[name]) - self.needed(name, scale.adaptive)
            if entries := self._spot.going(name, unneeded):
                self._leaving.replace(scale, entries, self._clock())

    def _being_replaced(self, scale: GroupScale) -> int:
        """Workers on their way out that keep their places until they are gone."""
        return sum(entry.replaced for entry in self._workers.of(scale.group.name)) if scale.group.spot else 0

    def _create(self, scale: GroupScale, count: int, now: Seconds) -> None:
        if count <= 0 or self._draining:
            return
        deaths = scale.recent_deaths(now)
        if deaths > self._limits.restarts:
            if scale.problem is None:
                scale.problem = scale.dying()
                self._announce(f"Group {scale.group.name} waits: {deaths} workers died in ten minutes", scale.problem)
            return
        if scale.problem is not None:
            scale.problem = None  # ten minutes have passed
        if deaths and now - scale.deaths[-1] < backoff(deaths):
            return
        if deaths:
            count = min(count, self._limits.restarts - deaths + 1) if self._limits.restarts else count
        names = scale.names(count)
        dear = 0 if self._spot is None else self._spot.on_demand(scale.group.name, count)
        if names[dear:]:
            self._order(scale.group, names[dear:], None)
        if names[:dear]:
            self._order(scale.group.model_copy(update={"spot": False}), names[:dear], True)

    def _order(self, group: Group, names: list[str], on_demand: bool | None) -> None:
        self._workers.request(group.name, names, on_demand)
        self._background.spawn(self._ask(group, names))

    async def _ask(self, group: Group, names: list[str]) -> None:
        try:
            await self._pool.create(group, names)
        except (MlopsError, OSError) as error:
            what = "Workers could not be asked for"
            problem = Problem(what=what, why=str(error), todo="Look at the scheduler's log.")
            if isinstance(error, MlopsError):
                problem = Problem.of(error)
            for name in names:
                self._workers.give_up(self._workers.entries[name], problem)

    def _end_stragglers(self) -> None:
        """End workers that lost their connection long ago, or never got one."""
        if self._pool.problem is not None:
            self._unheard = self._clock()
        silent, waiting = self._workers.silent(self._unheard), []
        if any(counts["starting"] for counts in self._workers.counts.values()):
            waiting = self._workers.waiting(JOIN_TIMEOUT)
        for entry in silent:
            entry.unheard = True
            self._workers.give_up(
                entry,
                Problem(
                    what=f"Worker {entry.name} lost its connection to the scheduler",
                    why="it may hang, or its machine may be out of reach",
                    todo="Look at its log.",
                ),
            )
        for entry in waiting:
            self._workers.give_up(
                entry,
                Problem(
                    what=f"Worker {entry.name} did not reach the scheduler",
                    why=f"it started {JOIN_TIMEOUT:.0f} s ago and has not connected",
                    todo="Look at its log; check that it can reach the scheduler's address.",
                ),
            )
        if silent or waiting:
            self._background.spawn(self._pool.remove([entry.name for entry in silent + waiting]))


def _workers(count: int, group: Group) -> str:
    return f"{words.count(count, 'worker')} of group {group.name}"

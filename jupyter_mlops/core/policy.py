"""Decisions, as pure functions: when a cluster ends, how many workers it should have, how long to wait."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .base import Seconds, Time
from .budget import Budget
from .cluster import Stop
from .profile import Limits

#: Seconds that a group's work should take with the workers it gets: Dask's own default for `target_duration`.
TARGET_DURATION: Seconds = 5.0

#: Workers that adaptive scaling would drop are kept for this long, so that a gap between two cells costs nothing.
PATIENCE: Seconds = 30.0


def next_stop(
    limits: Limits,
    now: Time,
    started: Time,
    idle_since: Time | None,
    budget: Budget | None = None,
) -> Stop | None:
    """The soonest moment at which a limit ends the cluster, if nothing changes; None when no limit applies."""
    stops = []
    if limits.idle_timeout is not None and idle_since is not None:
        stops.append(Stop(at=idle_since + limits.idle_timeout, cause="idle"))
    if limits.lifetime is not None:
        stops.append(Stop(at=started + limits.lifetime, cause="lifetime"))
    if budget is not None and budget.until is not None:
        stops.append(Stop(at=budget.until, cause="budget"))
    return min(stops, key=lambda stop: stop.at, default=None)


@dataclass(frozen=True)
class Load:
    """The work of a group: `tasks` that are ready or running, `occupancy` seconds they are expected to take on one
    thread, `memory` as the used fraction of the group's memory."""

    tasks: int
    occupancy: Seconds
    memory: float = 0.0


def adaptive_target(load: Load, threads: int, workers: int, minimum: int, maximum: int) -> int:
    """Workers that would finish the load in `TARGET_DURATION`, never more than there are tasks for.

    As in Dask's `Scheduler.adaptive_target`: by CPU, the occupancy over the target duration, at most one thread a
    task; by memory, twice as many when more than 60 % is in use, and never so few that the data of those that go would
    fill more than half of the others. `threads` is threads of one worker, `workers` how many there are now.
    """
    by_tasks = math.ceil(load.tasks / threads)
    target = min(by_tasks, math.ceil(load.occupancy / TARGET_DURATION / threads))
    if load.tasks:
        target = max(1, target)
    if load.memory > 0.6:
        target = max(target, 2 * workers)
    target = max(target, min(workers, math.ceil(2 * load.memory * workers)))
    return max(minimum, min(maximum, target))


def patient_target(target: int, workers: int, lower_since: Seconds | None, now: Seconds) -> tuple[int, Seconds | None]:
    """`target`, but going down only once it has been lower than `workers` for `PATIENCE` seconds.

    Returns the target to use and since when it has been lower, by the clock of `now`, to be handed in again the next
    time.
    """
    if target >= workers:
        return target, None
    since = now if lower_since is None else lower_since
    return (target, since) if now - since >= PATIENCE else (workers, since)


def backoff(deaths: int) -> Seconds:
    """Seconds to wait before replacing a worker, after `deaths` of its group in the last ten minutes: 0, then
    0.5 s, doubling to at most 30 s."""
    return 0.0 if deaths <= 1 else min(30.0, 0.5 * 2.0 ** min(deaths - 2, 6))

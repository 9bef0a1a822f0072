"""How much work each group has: what its workers run, and what waits for one."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from itertools import chain, islice
from typing import TYPE_CHECKING

from ...core.policy import TARGET_DURATION, Load
from ...core.resources import group_in
from .. import dask
from .registry import WorkerRegistry

if TYPE_CHECKING:
    from distributed import Scheduler
    from distributed.scheduler import TaskState

#: Waiting tasks that are looked at; the others are taken to be like them.
SAMPLE = 500

#: The same of one worker's tasks.
SAMPLE_PER_WORKER = 10


def waiting(scheduler: Scheduler) -> dict[str | None, tuple[int, float]]:
    """Tasks that wait for a worker, and the seconds that they will take, by the group that they ask for (or None)."""
    total = len(scheduler.queued) + len(scheduler.unrunnable)
    counts: Counter[str | None] = Counter()
    seconds: defaultdict[str | None, float] = defaultdict(float)
    tasks: Iterable[TaskState] = chain(scheduler.unrunnable, scheduler.queued)
    seen = 0
    for task in islice(tasks, SAMPLE):
        group = group_in(task.resource_restrictions or ())
        counts[group] += 1
        seconds[group] += dask.expected_duration(scheduler, task)
        seen += 1
    factor = total / seen if seen else 1.0
    return {group: (round(count * factor), seconds[group] * factor) for group, count in counts.items()}


def loads(scheduler: Scheduler, workers: WorkerRegistry, capacities: Mapping[str, int]) -> dict[str, Load]:
    """The load of each group in `capacities` (group → the threads that it can have at most).

    Work that asks for no group, queued or piled up on workers of other groups, goes to the first of these groups; what
    is more than that can do in Dask's target duration goes to the next.
    """
    running = _running(scheduler, workers, capacities)
    asked = waiting(scheduler)
    free_tasks, free_seconds = asked.get(None, (0, 0.0))
    more_tasks, more_seconds = _piled_up(scheduler, workers, capacities)
    free_tasks, free_seconds = free_tasks + more_tasks, free_seconds + more_seconds
    found = {}
    last = list(capacities)[-1:]
    for name, threads in capacities.items():
        tasks, seconds, memory = running[name]
        own_tasks, own_seconds = asked.get(name, (0, 0.0))
        tasks, seconds = tasks + own_tasks, seconds + own_seconds
        room = max(0.0, threads * TARGET_DURATION - seconds)
        taken = 1.0 if [name] == last or free_seconds <= room else room / free_seconds
        share = round(free_tasks * taken)
        found[name] = Load(tasks + share, seconds + free_seconds * taken, memory)
        free_tasks, free_seconds = free_tasks - share, free_seconds * (1 - taken)
    return found


def _piled_up(scheduler: Scheduler, workers: WorkerRegistry, others: Collection[str]) -> tuple[int, float]:
    """Tasks that could run anywhere, but wait on workers of groups that are not in `others`; and their seconds.

    Only what those workers would not have done in Dask's target duration counts. Dask moves such tasks to new workers.
    """
    total_tasks, total_seconds = 0.0, 0.0
    for entry in workers.entries.values():
        ws = entry.dask
        if ws is None or entry.group in others or len(ws.processing) <= ws.nthreads:
            continue
        occupancy = dask.occupancy(scheduler, ws)
        looked_at = list(islice(ws.processing, SAMPLE_PER_WORKER))
        free = sum(map(_can_run_anywhere, looked_at)) / len(looked_at)
        seconds = free * max(0.0, occupancy - ws.nthreads * TARGET_DURATION)
        total_tasks += len(ws.processing) * seconds / occupancy if seconds else 0.0
        total_seconds += seconds
    return round(total_tasks), total_seconds


def _can_run_anywhere(task: TaskState) -> bool:
    return not (task.resource_restrictions or task.worker_restrictions or task.host_restrictions)


def _running(
    scheduler: Scheduler, workers: WorkerRegistry, groups: Mapping[str, int]
) -> dict[str, tuple[int, float, float]]:
    """Of each group: the tasks on its workers, the seconds that they will take, the used fraction of its memory."""
    tasks: Counter[str] = Counter()
    occupancies = {name: dask.Occupancy() for name in groups}
    stored: Counter[str] = Counter()
    limit: Counter[str] = Counter()
    for entry in workers.entries.values():
        ws = entry.dask
        if ws is None or entry.group not in occupancies:
            continue
        tasks[entry.group] += len(ws.processing)
        stored[entry.group] += ws.nbytes
        limit[entry.group] += ws.memory_limit
        if ws.processing:
            occupancies[entry.group].add(ws)
    return {
        name: (
            tasks[name],
            occupancies[name].seconds(scheduler),
            stored[name] / limit[name] if limit[name] else 0.0,
        )
        for name in groups
    }

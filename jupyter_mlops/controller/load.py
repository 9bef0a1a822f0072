"""How much work each group has: what its workers run, and what waits for one."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import chain, islice
from typing import TYPE_CHECKING

from ..core.policy import TARGET_DURATION, Load
from .roster import Roster

if TYPE_CHECKING:
    from distributed import Scheduler
    from distributed.scheduler import TaskState

#: Waiting tasks that are looked at; the others are taken to be like them.
SAMPLE = 500

_PREFIX = "group:"


def group_asked_for(task: TaskState) -> str | None:
    """The group that a task is restricted to by its Dask resources."""
    for resource in task.resource_restrictions or ():
        if resource.startswith(_PREFIX):
            return str(resource[len(_PREFIX) :])
    return None


def waiting(scheduler: Scheduler) -> dict[str | None, tuple[int, float]]:
    """Tasks that wait for a worker, and the seconds that they will take, by the group that they ask for (or None)."""
    total = len(scheduler.queued) + len(scheduler.unrunnable)
    counts: Counter[str | None] = Counter()
    seconds: defaultdict[str | None, float] = defaultdict(float)
    tasks: Iterable[TaskState] = chain(scheduler.unrunnable, scheduler.queued)
    seen = 0
    for task in islice(tasks, SAMPLE):
        group = group_asked_for(task)
        counts[group] += 1
        seconds[group] += scheduler._get_prefix_duration(task.prefix)
        seen += 1
    factor = total / seen if seen else 1.0
    return {group: (round(count * factor), seconds[group] * factor) for group, count in counts.items()}


def loads(scheduler: Scheduler, roster: Roster, capacities: Mapping[str, int]) -> dict[str, Load]:
    """The load of each group in `capacities` (group → the threads that it can have at most).

    Work that asks for no group goes to the first of these groups; what is more than that can do in Dask's target
    duration goes to the next.
    """
    running = _running(scheduler, roster, capacities)
    asked = waiting(scheduler)
    free_tasks, free_seconds = asked.get(None, (0, 0.0))
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


def _running(scheduler: Scheduler, roster: Roster, groups: Mapping[str, int]) -> dict[str, tuple[int, float, float]]:
    """Of each group: the tasks on its workers, the seconds that they will take, the used fraction of its memory."""
    tasks: Counter[str] = Counter()
    prefixes: dict[str, Counter[str]] = {name: Counter() for name in groups}
    network: Counter[str] = Counter()
    stored: Counter[str] = Counter()
    limit: Counter[str] = Counter()
    for member in roster.members.values():
        ws = member.dask
        if ws is None or member.group not in prefixes:
            continue
        tasks[member.group] += len(ws.processing)
        stored[member.group] += ws.nbytes
        limit[member.group] += ws.memory_limit
        if ws.processing:
            prefixes[member.group].update(ws.task_prefix_count)
            network[member.group] += ws._network_occ
    return {
        name: (
            tasks[name],
            scheduler._calc_occupancy(prefixes[name], network[name]),
            stored[name] / limit[name] if limit[name] else 0.0,
        )
        for name in groups
    }

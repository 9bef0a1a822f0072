"""Letting go of workers without losing data or work."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ...home import variables
from .. import dask
from ..pool import Pool
from .entry import WorkerEntry

if TYPE_CHECKING:
    from distributed import Scheduler


def releasable(entries: Iterable[WorkerEntry]) -> tuple[list[WorkerEntry], list[WorkerEntry]]:
    """Workers that may be let go, in the order of what their leaving costs: first those without a task, then those with
    one.

    Among the workers without a task, those come first that have not even started, then those with the least data.
    """
    entries = [entry for entry in entries if not entry.expected]
    order = {"requested": 0, "pending": 1, "starting": 2}
    free = [entry for entry in entries if entry.dask is None or not entry.dask.processing]
    busy = [entry for entry in entries if entry.dask is not None and entry.dask.processing]
    free.sort(key=lambda m: (order.get(m.phase, 3), m.dask.nbytes if m.dask else 0, -m.since))
    busy.sort(key=lambda m: (len(m.dask.processing), m.dask.nbytes) if m.dask else (0, 0))
    return free, busy


async def release(scheduler: Scheduler, pool: Pool, entries: list[WorkerEntry]) -> list[WorkerEntry]:
    """Move the data of these workers to others, then end them. Returns those that had to stay for their data."""
    connected = [entry for entry in entries if entry.dask is not None]
    if connected:
        if {entry.dask for entry in connected}.issuperset(scheduler.workers.values()):
            # Nobody is left to take a variable, and who runs something again puts it there again.
            dask.forget(scheduler, variables.PREFIX, "its last worker has gone", waited_for=False)
        names = [entry.name for entry in connected]
        await scheduler.retire_workers(names=names, close_workers=True, remove=True)
    stayed = [entry for entry in connected if entry.dask is not None]
    leaving = [entry.name for entry in entries if entry not in stayed]
    if leaving:
        await pool.remove(leaving)
    return stayed

"""Letting go of workers without losing data or work."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..pool import Pool
from .member import Member

if TYPE_CHECKING:
    from distributed import Scheduler
    from distributed.scheduler import WorkerState as DaskWorker


def releasable(members: Iterable[Member]) -> tuple[list[Member], list[Member]]:
    """Workers that may be let go, in the order of what their leaving costs: first those without a task, then those with
    one.

    Among the workers without a task, those come first that have not even started, then those with the least data.
    """
    members = [member for member in members if not member.expected]
    order = {"requested": 0, "pending": 1, "starting": 2}
    free = [member for member in members if member.dask is None or not member.dask.processing]
    busy = [member for member in members if member.dask is not None and member.dask.processing]
    free.sort(key=lambda m: (order.get(m.phase, 3), m.dask.nbytes if m.dask else 0, -m.since))
    busy.sort(key=lambda m: (len(m.dask.processing), m.dask.nbytes) if m.dask else (0, 0))
    return free, busy


def drain(scheduler: Scheduler, member: Member, going: bool = True) -> None:
    """Let a worker end what it runs, without giving it more; or, with `going=False`, take it back."""
    from distributed.core import Status

    ws = member.dask
    if ws is None:
        return
    status = Status.closing_gracefully if going else Status.running
    stimulus = f"mlops-drain-{time.time()}"
    scheduler.handle_worker_status_change(status, ws, stimulus)
    scheduler.stream_comms[ws.address].send(
        {"op": "worker-status-change", "status": status.name, "stimulus_id": stimulus}
    )


def move_waiting_tasks(scheduler: Scheduler, ws: DaskWorker) -> None:
    """Let tasks that a draining worker has not begun run elsewhere. Its last heartbeat must be of after its drain."""
    reschedule = scheduler.stream_handlers["reschedule"]
    for task in [task for task in ws.processing if task not in ws.executing and task not in ws.long_running]:
        reschedule(key=task.key, worker=ws.address, stimulus_id=f"mlops-drain-{time.time()}")


async def release(scheduler: Scheduler, pool: Pool, members: list[Member]) -> list[Member]:
    """Move the data of these workers to others, then end them. Returns those that had to stay for their data."""
    connected = [member for member in members if member.dask is not None]
    if connected:
        names = [member.name for member in connected]
        await scheduler.retire_workers(names=names, close_workers=True, remove=True)
    stayed = [member for member in connected if member.dask is not None]
    leaving = [member.name for member in members if member not in stayed]
    if leaving:
        await pool.remove(leaving)
    return stayed

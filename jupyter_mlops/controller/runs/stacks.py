"""Asks a run's workers where its code is."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from itertools import islice
from typing import TYPE_CHECKING, Any

from ...core.stack import NONE, STOPPED, PythonStack
from ...core.waiting import wait_for

if TYPE_CHECKING:
    from distributed import Scheduler
    from distributed.scheduler import WorkerState as DaskWorker

#: Workers that are asked, at most, and seconds that one may take.
MOST, PATIENCE = 64, 5.0


async def stacks_of(scheduler: Scheduler, run: str, among: Collection[str] | None = None) -> list[PythonStack]:
    """The stacks of a run's processes, in the order of their ranks; those of its first workers where it has many.

    Parameters
    ----------
    among : the addresses of the workers that are asked; all of the run's when not given.
    """
    prefix = f"mlrun-{run}-"
    workers = [
        worker
        for worker in scheduler.workers.values()
        if (among is None or worker.address in among)
        and any(str(task.key).startswith(prefix) for task in worker.processing)
    ]
    found = await asyncio.gather(*(_ask(scheduler, worker, run) for worker in islice(workers, MOST)))
    return sorted((each for stacks in found for each in stacks), key=lambda each: (each.rank or 0, each.worker))


async def _ask(scheduler: Scheduler, worker: DaskWorker, run: str) -> list[PythonStack]:
    name = str(worker.name)
    try:
        told = await wait_for(
            scheduler.broadcast(msg={"op": "mlops_stacks", "run": run}, workers=[worker.address], on_error="raise"),
            PATIENCE,
        )
    except asyncio.TimeoutError:
        return [PythonStack(worker=name, why=f"the worker didn't answer within {PATIENCE:.0f} s")]
    except Exception as error:  # noqa: BLE001 - of any kind: it went, or is of a version that has no stacks
        return [PythonStack(worker=name, why=f"the worker can't be asked: {type(error).__name__}")]
    return [
        PythonStack(worker=name, rank=each["rank"], text=each["text"], why=_why(each)) for each in told[worker.address]
    ]


def _why(told: dict[str, Any]) -> str:
    """Why a process has told no stack; empty where it has."""
    if told["text"]:
        return ""
    return STOPPED if told.get("stopped") else NONE

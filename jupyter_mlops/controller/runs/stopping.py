"""What workers are told when a run has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .liverun import LiveRun

if TYPE_CHECKING:
    from distributed import Scheduler


def stop(scheduler: Scheduler, run: LiveRun) -> None:
    """Its code has to stop. All workers are told: one may just be starting a task of it."""
    _tell(scheduler, "mlops-stop", run)


def over(scheduler: Scheduler, run: LiveRun) -> None:
    """It needs no runners any more."""
    _tell(scheduler, "mlops-over", run)


def _tell(scheduler: Scheduler, what: str, run: LiveRun) -> None:
    for address in list(scheduler.workers):
        scheduler.worker_send(address, {"op": what, "run": run.state.id})

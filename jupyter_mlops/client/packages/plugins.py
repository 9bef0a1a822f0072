"""Dask plugins that bring a bundle of packages: to each worker that joins, and to the scheduler."""

from __future__ import annotations

from typing import Any


def for_workers(bundle: dict[str, Any]) -> bytes:
    """The pickled worker plugin that brings `bundle`."""
    from distributed import WorkerPlugin
    from distributed.protocol.pickle import dumps

    class Bring(WorkerPlugin):
        """Runs in each worker when it joins, before it gets tasks."""

        def __init__(self) -> None:
            self.bundle = bundle

        async def setup(self, worker: Any) -> None:
            """Called by Dask."""
            import asyncio
            import sys
            from pathlib import Path

            packages: Any = sys.modules["jupyter_mlops_agent.packages"]
            try:
                await asyncio.to_thread(packages.bring, self.bundle, Path(worker.local_directory))
            except packages.CantBring as error:  # a class that the kernel doesn't have
                raise RuntimeError(str(error)) from None

    _by_value(Bring)
    return bytes(dumps(Bring()))


def for_scheduler(bundle: dict[str, Any]) -> bytes:
    """The pickled scheduler plugin that adds `bundle`, and replaces nothing."""
    from distributed import SchedulerPlugin
    from distributed.protocol.pickle import dumps

    class Bring(SchedulerPlugin):
        """Runs in the scheduler, which has this package."""

        def __init__(self) -> None:
            self.bundle = bundle

        async def start(self, scheduler: Any) -> None:
            """Called by Dask."""
            import asyncio
            import logging
            from pathlib import Path

            try:
                from jupyter_mlops.agent.packages import CantBring, bring
            except ImportError:  # a scheduler that others made; runs don't need it there
                return
            try:
                await asyncio.to_thread(bring, self.bundle, Path(scheduler.local_directory), first=False)
            except CantBring as error:
                logging.getLogger("distributed.scheduler.mlops").warning("The scheduler lacks packages: %s", error)

    _by_value(Bring)
    return bytes(dumps(Bring()))


def _by_value(cls: type) -> None:
    """Let `cls` travel with its code: there may be no copy of this package."""
    for method in (value for value in vars(cls).values() if hasattr(value, "__qualname__")):
        method.__module__ = "__main__"
    cls.__module__, cls.__qualname__ = "__main__", cls.__name__

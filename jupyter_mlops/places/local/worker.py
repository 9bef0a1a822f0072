"""What a worker's process runs, from the moment that the fork server has forked it."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
import sys
import types
from pathlib import Path
from typing import Any

import dask

from ...agent import forking
from ...agent.surroundings import GIVEN
from ...controller.roles import CLIENT, WORKER
from ...core.resources import declared
from ...home.clusters import ClusterFolder
from ..dask_nodes import Worker
from .orders import Order
from .tls import security


def become_worker(order: Order, folder: Path, parent: int) -> None:
    """Turn this newly forked process into a worker. Does not return."""
    code = 1
    try:
        _leave_parent(order, folder, parent)
        code = asyncio.run(_work(order, folder))
    except BaseException:  # noqa: BLE001 - whatever it is belongs into the log; the fork server's stack ends here
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # the fork server's own exit handlers aren't this process's


def _leave_parent(order: Order, folder: Path, parent: int) -> None:
    os.setpgid(0, 0)  # a group of its own, so that what the user's code starts ends with it
    forking.die_with(parent)
    log = os.open(ClusterFolder(folder).log_file(order["name"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # both are text streams here
    sys.modules["__main__"] = types.ModuleType("__main__")  # not our program: user code may look there
    sys.argv = ["dask-worker"]
    gc.enable()
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()  # else all workers would draw the same numbers
    _limit_native_threads(order)


def _limit_native_threads(order: Order) -> None:
    """One native thread per Dask thread; libraries that are loaded already are told through threadpoolctl."""
    limits = {name: str(order["threads"]) for name in forking.NATIVE} | order["environment"]
    os.environ.update(limits | {GIVEN: " ".join(order["environment"])})
    if order["threads"] > 1 and limits["OMP_NUM_THREADS"].isdigit():
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it has no types

        threadpool_limits(int(limits["OMP_NUM_THREADS"]))


async def _work(order: Order, folder: Path) -> int:
    dask.config.set({"distributed.worker.http.routes": []})  # there is no server for them
    worker = Worker(
        order["scheduler"],
        name=order["name"],
        nthreads=order["threads"],
        memory_limit=order["memory"],
        resources=declared(order["group"]),
        security=security(folder, WORKER, CLIENT),
        host="127.0.0.1",
        local_directory=str(ClusterFolder(folder).work),
        death_timeout=60,
    )
    loop = asyncio.get_running_loop()
    closing: set[asyncio.Task[Any]] = set()
    loop.add_signal_handler(
        signal.SIGTERM,
        lambda: closing.add(loop.create_task(worker.close(timeout=2, executor_wait=False, reason="asked to end"))),
    )
    await worker
    await worker.finished()  # type: ignore[no-untyped-call]  # Dask's
    return 0

"""What we use of Dask's undocumented parts is there in the release that is installed."""

from __future__ import annotations

import ast
import inspect
import threading

import distributed
from distributed import Scheduler, Worker

from jupyter_mlops.controller import dask

from .cluster import PATIENCE, until

HELP = "jupyter_mlops/controller/dask.py uses it, and has to do without it in this release"


async def test_the_installed_release_has_what_we_need() -> None:
    async with (
        Scheduler(host="127.0.0.1", port=0, dashboard=False, dashboard_address="127.0.0.1:0") as scheduler,
        Worker(scheduler.address, dashboard=False, dashboard_address="127.0.0.1:0") as worker,
        distributed.Client(scheduler.address, asynchronous=True) as client,
    ):
        future = client.submit(abs, -1, key="task")
        assert await future == 1
        found = {
            "Scheduler": scheduler,
            "Worker": worker,
            "WorkerState": next(iter(scheduler.workers.values())),
            "TaskState": scheduler.tasks["task"],
            "ClientState": next(iter(scheduler.clients.values())),
        }
        for name, attributes in dask.NEEDED.items():
            for attribute in attributes:
                what = f"distributed {distributed.__version__} has no {name}.{attribute}: {HELP}"
                assert hasattr(found[name], attribute), what
        assert "reschedule" in scheduler.stream_handlers, HELP


async def test_a_seat_that_has_begun_stays_whatever_a_late_heartbeat_says() -> None:
    async with (
        Scheduler(host="127.0.0.1", port=0, dashboard=False, dashboard_address="127.0.0.1:0") as scheduler,
        Worker(scheduler.address, nthreads=2, dashboard=False, dashboard_address="127.0.0.1:0"),
        distributed.Client(scheduler.address, asynchronous=True) as client,
    ):
        moved = list[str]()
        futures = [client.submit(_wait, key=key) for key in ("seat", "other")]
        worker = next(iter(scheduler.workers.values()))
        await until(lambda: len(worker.processing) == len(futures))
        scheduler.stream_handlers["reschedule"] = lambda key, **_: moved.append(key)
        worker.executing.clear()  # as a heartbeat has it that is late, or of after their end
        dask.seated(scheduler, "seat")
        dask.move_waiting_tasks(scheduler, worker)
        assert moved == ["other"]
        dask.take_seat(scheduler, "seat", worker.address)
        dask.move_waiting_tasks(scheduler, worker)
        assert sorted(moved) == ["other", "other", "seat"]
        _over.set()
        await client.gather(futures)


#: The worker is of this process.
_over = threading.Event()


def _wait() -> bool:
    return _over.wait(PATIENCE)


def test_each_private_name_that_is_used_is_in_the_list() -> None:
    used = {node.attr for node in ast.walk(ast.parse(inspect.getsource(dask))) if isinstance(node, ast.Attribute)}
    private = {name for name in used if name.startswith("_")} - {"_prefixes", "_network"}  # our own
    assert private <= {name for names in dask.NEEDED.values() for name in names}

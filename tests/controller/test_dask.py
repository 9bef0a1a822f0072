"""What we use of Dask's undocumented parts is there in the release that is installed."""

from __future__ import annotations

import ast
import inspect

import distributed
from distributed import Scheduler, Worker

from jupyter_mlops.controller import dask

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


def test_each_private_name_that_is_used_is_in_the_list() -> None:
    used = {node.attr for node in ast.walk(ast.parse(inspect.getsource(dask))) if isinstance(node, ast.Attribute)}
    private = {name for name in used if name.startswith("_")} - {"_prefixes", "_network"}  # our own
    assert private <= {name for names in dask.NEEDED.values() for name in names}

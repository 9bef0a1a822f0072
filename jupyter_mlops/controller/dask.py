"""What we use of Dask that has a private name or that Dask doesn't document. Private names are used nowhere else.

`NEEDED` lists it, and a test looks whether the installed distributed has it, so that a release without it is noticed by
us and not in somebody's cluster. This module imports Dask: only what runs beside a scheduler imports it.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import dask
from distributed.comm.registry import backends
from distributed.comm.tcp import (
    TCP,
    TLS,
    TCPBackend,
    TCPConnector,
    TLSBackend,
    TLSConnector,
    TLSListener,
    convert_stream_closed_error,
    read_bytes_rw,
)
from distributed.core import Status, error_message
from distributed.http.routing import RoutingApplication
from distributed.http.utils import get_handlers
from distributed.protocol.serialize import Pickled, Serialized, msgpack_decode_default

from ..agent.memory import METRICS

if TYPE_CHECKING:
    from distributed import Scheduler
    from distributed.scheduler import TaskState
    from distributed.scheduler import WorkerState as DaskWorker

    from ..core.base import Seconds, Time  # types only: workers import this module, and do without pydantic

#: Seconds after which a heartbeat of a draining worker surely tells what it runs at last.
CERTAIN: Seconds = 1.0

#: Marks a seat's task that has begun.
_SEATED = "mlops-seated"

#: The attributes that are used here, by the class of distributed that has them.
NEEDED = {
    "Scheduler": (
        "_calc_occupancy",
        "_get_prefix_duration",
        "_idle_transition_counter",
        "client_desires_keys",
        "client_releases_keys",
        "clients",
        "handle_worker_status_change",
        "http_application",
        "http_server",
        "idle_since",
        "queued",
        "remove_worker",
        "report",
        "services",
        "start_http_server",
        "stream_comms",
        "set_restrictions",
        "stream_handlers",
        "transition_counter",
        "transitions",
        "unrunnable",
        "worker_send",
    ),
    "WorkerState": (
        "_network_occ",
        "executing",
        "has_what",
        "last_seen",
        "long_running",
        "nbytes",
        "processing",
        "task_prefix_count",
    ),
    "TaskState": (
        "annotations",
        "exception_text",
        "host_restrictions",
        "prefix",
        "resource_restrictions",
        "suspicious",
        "worker_restrictions",
    ),
    "ClientState": ("wants_what",),
    "Worker": ("_get_client", "active_keys", "digest_metric"),  # `places/dask_nodes.py` has its own
}

__all__ = [
    "NEEDED",
    "TCP",
    "TLS",
    "Pickled",
    "RoutingApplication",
    "Serialized",
    "TCPBackend",
    "TCPConnector",
    "TLSBackend",
    "TLSConnector",
    "TLSListener",
    "backends",
    "convert_stream_closed_error",
    "error_message",
    "msgpack_decode_default",
    "read_bytes_rw",
]


# How much there is to do


def memory_of(worker: DaskWorker) -> float:
    """Bytes that a worker used when it was last heard of, with all that its runners use."""
    return float(worker.metrics.get("memory", 0)) + float(worker.metrics.get(METRICS, {}).get("memory", 0))


def cpu_of(worker: DaskWorker) -> float:
    """CPUs that a worker was using then, with its runners."""
    return (float(worker.metrics.get("cpu", 0)) + float(worker.metrics.get(METRICS, {}).get("cpu", 0))) / 100


#: CPUs that a worker needs for itself, about: heartbeats, and the clock of its event loop.
_OWN_CPU = 0.05


def cpu_of_tasks(worker: DaskWorker) -> float:
    """CPUs that the tasks of a worker were using then, about."""
    return max(0.0, _number(worker.metrics.get("cpu")) / 100 - _OWN_CPU) + _number(_told(worker).get("cpu")) / 100


def moved_by(worker: DaskWorker) -> float | None:
    """Bytes that a worker and its runners have read, written, sent and received until then, beside what stays on its
    machine; None where that can't be told."""
    moved = _told(worker).get("bytes")
    return None if moved is None else _number(moved)


def spent_by(worker: DaskWorker, names: Sequence[str]) -> list[Seconds] | None:
    """What its threads have done since it joined, in the order of `names`; None where it doesn't tell."""
    told = _told(worker).get("spent")
    return [max(0.0, _number(told.get(name))) for name in names] if isinstance(told, dict) else None


def unheard_for(worker: DaskWorker) -> Seconds:
    """Seconds since a worker was heard of. Of a clock that was set back, less than nothing."""
    return time.time() - float(worker.last_seen)


def _told(worker: DaskWorker) -> dict[str, Any]:
    """What a worker's agent tells of its runners."""
    told = worker.metrics.get(METRICS)
    return told if isinstance(told, dict) else {}


def _number(value: object) -> float:
    """A number that a worker told; 0 where it is none."""
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else 0.0


def expected_duration(scheduler: Scheduler, task: TaskState) -> Seconds:
    """How long tasks like this one took, or what Dask assumes while it doesn't know."""
    return float(scheduler._get_prefix_duration(task.prefix))


def occupancy(scheduler: Scheduler, worker: DaskWorker) -> Seconds:
    """How long one thread would take for all that a worker has been given."""
    return float(scheduler._calc_occupancy(worker.task_prefix_count, worker._network_occ))


class Occupancy:
    """The same of several workers together, which costs less than the sum of each."""

    def __init__(self) -> None:
        self._prefixes: Counter[str] = Counter()
        self._network: int = 0

    def add(self, worker: DaskWorker) -> None:
        """Count this worker, too."""
        self._prefixes.update(worker.task_prefix_count)
        self._network += worker._network_occ

    def seconds(self, scheduler: Scheduler) -> Seconds:
        """How long one thread would take for all of it."""
        return float(scheduler._calc_occupancy(self._prefixes, self._network))


def idle_since(scheduler: Scheduler) -> Time | None:
    """Since when Dask has had nothing to do; None while it has, or when tasks changed since it last looked."""
    since = scheduler.idle_since
    if since is None or scheduler.transition_counter != scheduler._idle_transition_counter:
        return None
    return float(since)


# Letting workers end what they do


def drain(scheduler: Scheduler, worker: DaskWorker, going: bool = True) -> None:
    """Let a worker end what it runs, without giving it more; or, with `going=False`, take it back."""
    status = Status.closing_gracefully if going else Status.running
    stimulus = f"mlops-drain-{time.time()}"
    scheduler.handle_worker_status_change(status, worker, stimulus)
    scheduler.stream_comms[worker.address].send(
        {"op": "worker-status-change", "status": status.name, "stimulus_id": stimulus}
    )


def move_waiting_tasks(scheduler: Scheduler, worker: DaskWorker) -> None:
    """Let tasks that a draining worker has not begun run elsewhere. Its last heartbeat must be of after its drain."""
    reschedule = scheduler.stream_handlers["reschedule"]
    for task in [task for task in worker.processing if not _has_begun(task, worker)]:
        reschedule(key=task.key, worker=worker.address, stimulus_id=f"mlops-drain-{time.time()}")


def _has_begun(task: TaskState, worker: DaskWorker) -> bool:
    begun = task in worker.executing or task in worker.long_running
    return begun or _SEATED in (task.annotations or {})


# Seats: tasks that wait for the worker that they are given


def waits(scheduler: Scheduler, key: str) -> bool:
    """Whether a task is there, has its inputs, and waits for a worker that it may run on."""
    task = scheduler.tasks.get(key)
    return task is not None and task.state == "no-worker"


def give_seat(scheduler: Scheduler, key: str, address: str) -> None:
    """Let a task that waits run on this worker, and on no other."""
    scheduler.set_restrictions({key: address})
    scheduler.transitions({key: "processing"}, f"mlops-seat-{time.time()}")


def seated(scheduler: Scheduler, key: str) -> None:
    """A task has begun, as it tells itself. A heartbeat that is late, or as old as its end, may not know of it."""
    if (task := scheduler.tasks.get(key)) is not None:
        task.annotations = {**(task.annotations or {}), _SEATED: True}


def take_seat(scheduler: Scheduler, key: str, nowhere: str) -> None:
    """Let a task whose worker went wait for another; that isn't counted against the task."""
    if (task := scheduler.tasks.get(key)) is not None:
        scheduler.set_restrictions({key: nowhere})
        task.suspicious = 0
        task.annotations = {name: each for name, each in (task.annotations or {}).items() if name != _SEATED}


def heartbeat(scheduler: Scheduler) -> Seconds:
    """Seconds between two heartbeats of a worker: the more there are, the longer."""
    from distributed.scheduler import heartbeat_interval

    return float(heartbeat_interval(len(scheduler.workers)))


async def give_up(scheduler: Scheduler, worker: DaskWorker) -> None:
    """Do without a worker that can't be heard: its tasks are computed elsewhere."""
    await scheduler.remove_worker(worker.address, stimulus_id=f"mlops-silent-{time.time()}")


# Tasks that are wanted, and forgotten


def want(scheduler: Scheduler, keys: Collection[str], client: str) -> None:
    """Keep the results of these tasks in the name of `client`, as if a Dask client of that name held their futures."""
    scheduler.client_desires_keys(keys=list(keys), client=client)


def forget(scheduler: Scheduler, prefix: str, why: str, waited_for: bool = True) -> None:
    """Let all clients let go of the tasks whose keys begin with `prefix`, or only of those that no task waits for;
    their futures fail with `why`."""
    for name, client in list(scheduler.clients.items()):
        tasks = [task for task in client.wants_what if isinstance(task.key, str) and task.key.startswith(prefix)]
        keys = [task.key for task in tasks if waited_for or not task.waiters]
        if keys:
            scheduler.client_releases_keys(keys=keys, client=name)
            scheduler.report({"op": "cancelled-keys", "keys": keys, "reason": "mlops", "msg": why}, client=name)


# HTTP


def stop_http_server(scheduler: Scheduler) -> None:
    """Stop the HTTP server that Dask starts in any case, without a password."""
    server = scheduler.services.pop("dashboard", None)
    if server is not None:
        server.stop()


def plain_routes(scheduler: Any) -> list[Any]:
    """Dask's pages that need no bokeh."""
    return list(get_handlers(server=scheduler, modules=dask.config.get("distributed.scheduler.http.routes")))


def add_dashboard(scheduler: Any, pages: Any, application: RoutingApplication, server: Any) -> None:
    """Add Dask's dashboard to `application`, which `server` serves. `pages` is the module
    `distributed.dashboard.scheduler`, whose import takes long."""
    scheduler.http_application, scheduler.http_server = application, server
    scheduler.services["dashboard"] = server
    pages.connect(application, server, scheduler)

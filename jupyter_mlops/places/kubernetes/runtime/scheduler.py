"""The program of a scheduler's pod: Dask's scheduler, the controller, and the pool of pods.

python start.py scheduler
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import signal
import socket
import sys
from pathlib import Path

import distributed
from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.scheduler import WorkerState

from ....controller import dask
from ....controller.controller import Controller
from ....controller.roles import SCHEDULER
from ....controller.rpc import serve
from ....core.base import read_record
from ....core.cluster import ClusterSpec, Problem
from ....home.clusters import EVENTS
from ....pricing import Catalogue
from ...dask_nodes import Scheduler, make_scheduler
from .. import names
from ..api.client import Answer, Api, Json, Unreachable
from ..options import spot_terms
from ..pods.context import time_of
from ..pods.logs import DEAD, PodLogs
from ..pods.pool import KubernetesPool
from ..records import daskcluster, record
from ..records.accounts import AccountSecrets
from ..records.keeper import RecordKeeper
from ..records.logs import LogsFile, save_logs
from ..tunnel.relay import Relay
from ..why.again import again
from .nodes import Nodes
from .word import WallWord
from .worker import security

logger = logging.getLogger("distributed.scheduler.mlops")

DELETED = "its record was deleted from Kubernetes"
#: Seconds between two looks at how much memory each worker uses.
PEAKS_EVERY = 1.0


class Peaks(SchedulerPlugin):
    """The most memory that each worker was seen to use, for the sentence that says why it died."""

    name = "mlops-peaks"

    def __init__(self, scheduler: distributed.Scheduler) -> None:
        self._scheduler = scheduler
        self._peaks: dict[str, float] = {}
        scheduler.add_plugin(self)

    def of(self, worker: str) -> float | None:
        """Bytes; None when the worker never sent any."""
        return self._peaks.get(worker)

    def add_worker(self, scheduler: distributed.Scheduler, worker: str) -> None:
        """Look at once: its first task may be its last."""
        self._look(scheduler.workers[worker])

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(PEAKS_EVERY)
            for ws in self._scheduler.workers.values():
                self._look(ws)

    def _look(self, ws: WorkerState) -> None:
        used = dask.memory_of(ws)
        self._peaks[str(ws.name)] = max(used, self._peaks.get(str(ws.name), 0.0))


async def run(spec: ClusterSpec) -> None:
    """Be the cluster until it ends."""
    api = await Api.connect(namespace=_namespace())
    ids = record.ids_of(spec, api.namespace)
    folder = Path(names.STATE) / "clusters" / spec.name
    folder.mkdir(parents=True, exist_ok=True)
    held = await _record(api, ids)
    scheduler = await _scheduler()
    peaks = Peaks(scheduler)
    keeper = RecordKeeper(
        api,
        ids,
        folder,
        state=lambda: controller.view.state(),
        runs=lambda: controller.runs.live_states(),
        # that it works, its limits, and the runs that somebody without its kernel may look for in a moment
        news=lambda: (controller.lifecycle.phase, controller.lifecycle.limits, controller.runs.detached),
    )
    earlier = await keeper.restore()
    if (folder / EVENTS).exists():
        earlier = dataclasses.replace(earlier, cause=await _why_again(api, ids))
    kept = LogsFile(folder, DEAD)
    pool = KubernetesPool(
        api,
        spec,
        ids,
        names.owner_of(held),
        peaks.of,
        logs=PodLogs(api, ids, kept.read(), kept.add),
    )
    catalogue = Catalogue.unpacked((Path(names.SPEC) / names.PRICES).read_bytes())
    nodes = Nodes(api, catalogue, lambda host, price: controller.price_host(host, price))
    word = WallWord(api, ids.scheduler)
    word.read(held)
    everywhere = "0.0.0.0"  # noqa: S104 - behind a key, in a pod
    controller = Controller(
        scheduler,
        spec,
        pool,
        folder,
        earlier=earlier,
        dashboard_host=everywhere,
        host_seen=nodes.see,
        accounts=AccountSecrets(api),
        wall=lambda: word.state,
        spot=spot_terms(spec.profile),
    )
    deleted = _end_on_signals(controller, keeper, api, ids, word)
    relay = Relay()
    await relay.open()
    await serve(controller)
    tasks = [asyncio.create_task(work) for work in (keeper.run(), peaks.run(), nodes.run(), word.run())]
    if daskcluster.announces(held):
        tasks.append(asyncio.create_task(_end_with_daskcluster(controller, api, ids)))
    for task in tasks:
        task.add_done_callback(_say_failure)
    await scheduler.finished()  # type: ignore[no-untyped-call]  # Dask's
    for task in tasks:
        task.cancel()
    await relay.close()
    await pool.close()
    await save_logs(api, kept, socket.gethostname(), pool.last_logs)
    await keeper.finish()
    if deleted.is_set():
        return
    _exit_on_signals()
    try:
        await record.remove(api, ids)
    except (Answer, Unreachable) as error:
        print(f"The record could not be removed; whoever lists clusters next will: {error}", file=sys.stderr)
    await asyncio.Event().wait()  # if this ended, Kubernetes would start it again; the record's end ends the pod


def _say_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        logger.error("A part of the cluster failed", exc_info=task.exception())


async def _scheduler() -> Scheduler:
    """Dask's scheduler, listening."""
    tls = security(Path(names.TLS), SCHEDULER)
    scheduler = make_scheduler(protocol="tls" if tls else "tcp", port=names.SCHEDULER_PORT, security=tls)
    await scheduler
    return scheduler


async def _record(api: Api, ids: names.ObjectNames) -> Json:
    """The record; waits while the API doesn't answer."""
    while True:
        try:
            return await api.request("GET", api.path("deployments", ids.scheduler, group=record.APPS))
        except Unreachable as error:
            print(f"Waiting for Kubernetes: {error}", file=sys.stderr)
            await asyncio.sleep(1)


async def _why_again(api: Api, ids: names.ObjectNames) -> Problem | None:
    """Why there is another scheduler than before; None where Kubernetes doesn't tell."""
    name = socket.gethostname()
    label = f"{names.CLUSTER}={ids.cluster},{names.PART}=scheduler"
    try:
        found = await api.request("GET", api.path("pods"), query={"labelSelector": label}, timeout=5.0)
        query = {"fieldSelector": "involvedObject.kind=Pod"}
        told = await api.request("GET", api.path("events"), query=query, timeout=5.0)
        pods = found.get("items") or []
        own = next(pod for pod in pods if pod["metadata"]["name"] == name)
    except (Answer, Unreachable, StopIteration) as error:
        logger.warning("Why the scheduler started again is unknown: %r", error)
        return None
    prefix = f"{ids.scheduler}-"
    events = [each for each in told.get("items") or [] if each["involvedObject"].get("name", "").startswith(prefix)]
    logs = await _previous_log(api, name)
    others = [pod for pod in pods if pod is not own]
    return again(own, others, sorted(events, key=time_of), logs)


async def _previous_log(api: Api, pod: str) -> list[str]:
    """The last lines of what ran in this pod before."""
    query = {"tailLines": 10, "container": "scheduler", "previous": "true"}
    try:
        return (await api.text(api.path("pods", pod) + "/log", query, timeout=5.0)).splitlines()
    except (Answer, Unreachable):
        return []


def _end_on_signals(
    controller: Controller, keeper: RecordKeeper, api: Api, ids: names.ObjectNames, word: WallWord
) -> asyncio.Event:
    """SIGTERM comes when the record was deleted, and when only this pod was: then the cluster lives on in another.

    The event that is returned is set in the first case.
    """
    loop = asyncio.get_running_loop()
    ending: set[asyncio.Task[None]] = set()
    deleted = asyncio.Event()

    async def end() -> None:
        if await _deleted(api, ids):
            deleted.set()
            told, said = await keeper.told_end(), word.state
            if told is not None:
                await controller.stop(told.cause, told.why)
            elif said is not None and said.step == "stop":
                await controller.stop("budget", said.sentence)
            else:
                await controller.stop("deleted", DELETED)
        else:
            await keeper.finish()
            os._exit(0)  # without a word to the workers: they wait for the next scheduler

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: ending.add(loop.create_task(end())))
    return deleted


async def _end_with_daskcluster(controller: Controller, api: Api, ids: names.ObjectNames) -> None:
    """End when the DaskCluster was deleted, though its operator isn't there to let it go."""
    await daskcluster.until_deleted(api, ids)
    controller.stop_soon("deleted", DELETED)


def _exit_on_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, os._exit, 0)


async def _deleted(api: Api, ids: names.ObjectNames) -> bool:
    path = api.path("deployments", ids.scheduler, group=record.APPS)
    try:
        found = await api.request("GET", path, timeout=5.0)
    except Answer as answer:
        return answer.status in (403, 404)  # the rights go with the record
    except Unreachable:
        return False
    return "deletionTimestamp" in found["metadata"]


def _namespace() -> str:
    return Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace").read_text(encoding="utf-8").strip()


def main() -> None:
    """Read the spec, be the cluster."""
    spec = read_record(ClusterSpec, (Path(names.SPEC) / "spec.json").read_bytes(), "spec")
    asyncio.run(run(spec))


if __name__ == "__main__":
    main()

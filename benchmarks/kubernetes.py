"""Pods of a Kubernetes control plane with 500 fake nodes: our pool beside a bare script, in the same run.

Needs the program `kube` beside the repository (see `tests/kubernetes/kube.py`); nothing is measured without it.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from .measure import Result, compared

PODS = 500
ROUNDS = 2


def run() -> Iterator[Result]:
    """0 → 500 and 500 → 0."""
    from tests.kubernetes.kube import PROGRAM, Kube

    if not PROGRAM.exists() or os.geteuid() != 0:
        print("kubernetes: not measured, there is no Kubernetes of our own to start")
        return
    started = subprocess.run([str(PROGRAM), "up", "--no-node"], check=True, capture_output=True, text=True)
    before = os.environ.get("KUBECONFIG")
    os.environ["KUBECONFIG"] = started.stdout.strip()
    try:
        with Kube(started.stdout.strip(), "", own=True).fake_nodes(PODS):
            yield from asyncio.run(_measure())
    finally:
        os.environ.pop("KUBECONFIG")
        if before is not None:
            os.environ["KUBECONFIG"] = before
        subprocess.run([str(PROGRAM), "down"], check=True)


async def _measure() -> list[Result]:
    import statistics

    from jupyter_mlops.backends.kubernetes.api import Api

    api = await Api.connect()
    pairs = []
    try:
        for _ in range(ROUNDS):
            pairs.append((await _ours(api), await _bare(api)))
    finally:
        await api.close()
    (up, down), (bare_up, bare_down) = (
        [statistics.median(pair[side][part] for pair in pairs) for part in (0, 1)] for side in (0, 1)
    )
    note = f"{PODS} fake nodes, default rates"
    return [
        compared(f"0 → {PODS} pods Running", "s", up, bare_up, "a bare script, 50 creations at a time", 1.1, note),
        compared(f"{PODS} → 0 pods", "s", down, bare_down, "one delete-collection", 1.5, note),
    ]


async def _ours(api: Any) -> tuple[float, float]:
    """Our pool: until the last is told of as running, and until the last is told of as ended."""
    from jupyter_mlops.backends.kubernetes.pool import KubernetesPool
    from jupyter_mlops.controller.pool import Notice

    spec, ids, owner = _spec(), _names(), await _owner(api)
    told: dict[str, Notice] = {}
    pool, changed = KubernetesPool(api, spec, ids, owner), asyncio.Event()

    def notify(notice: Notice) -> None:
        told[notice.worker] = notice
        changed.set()

    await pool.start("tls://nowhere:0", notify)
    workers = [f"default-{number}" for number in range(PODS)]
    started = time.perf_counter()
    await pool.create(spec.profile.groups[0], workers)
    await _until(changed, lambda: sum(each.details.get("step") == "running" for each in told.values()) == PODS)
    up, started = time.perf_counter() - started, time.perf_counter()
    removing = asyncio.create_task(pool.remove(workers))
    await _until(changed, lambda: all(each.phase == "ended" for each in told.values()))
    down = time.perf_counter() - started
    await removing
    await pool.close()
    return up, down


async def _bare(api: Any) -> tuple[float, float]:
    """The same pods by a script that does nothing else."""
    from jupyter_mlops.backends.kubernetes.template import worker_pod
    from jupyter_mlops.backends.kubernetes.watch import Watch

    spec, running, there, changed = _spec(), set[str](), set[str](), asyncio.Event()
    gate = asyncio.Semaphore(50)

    def seen(kind: str, pod: dict[str, Any]) -> None:
        name = pod["metadata"]["name"]
        (there.discard if kind == "DELETED" else there.add)(name)
        if pod["status"].get("phase") == "Running":
            running.add(name)
        changed.set()

    async def make(number: int) -> None:
        body = worker_pod(spec, spec.profile.groups[0], f"bare-{number}", _names(), {})
        body["metadata"] |= {"labels": {"app": "bare"}, "ownerReferences": []}
        async with gate:
            await api.request("POST", api.path("pods"), body, parse=False)

    query = {"labelSelector": "app=bare"}
    watch = Watch(api, api.path("pods"), query, lambda pods: None, seen)
    watching = asyncio.create_task(watch.run())
    await watch.ready.wait()
    started = time.perf_counter()
    await asyncio.gather(*(make(number) for number in range(PODS)))
    await _until(changed, lambda: len(running) == PODS)
    up, started = time.perf_counter() - started, time.perf_counter()
    await api.request("DELETE", api.path("pods"), query=query, parse=False, timeout=120.0)
    await _until(changed, lambda: not there)
    watching.cancel()
    return up, time.perf_counter() - started


async def _until(changed: asyncio.Event, is_so: Callable[[], bool]) -> None:
    while not is_so():
        changed.clear()
        await asyncio.wait_for(changed.wait(), 180)


def _spec() -> Any:
    from jupyter_mlops.core.cluster import ClusterSpec
    from jupyter_mlops.core.profile import Group, Profile

    groups = [Group(maximum=2 * PODS, cpus=0.5, memory="256 MiB")]
    profile = Profile(name="bench", place="kubernetes", groups=groups, kubernetes={"image": "none:1"})
    return ClusterSpec(name="bench", owner="bench", profile=profile, created=1)


def _names() -> Any:
    from jupyter_mlops.backends.kubernetes.names import Names

    return Names("bench", "default", 1)


async def _owner(api: Any) -> dict[str, Any]:
    """Something that exists, since Kubernetes removes what has an owner that doesn't."""
    found = await api.request("GET", api.path("configmaps", "kube-root-ca.crt"))
    return {"apiVersion": "v1", "kind": "ConfigMap", "name": "kube-root-ca.crt", "uid": found["metadata"]["uid"]}


if __name__ == "__main__":
    sys.exit("Run it as: python -m benchmarks kubernetes")

"""The journey on a real Kubernetes: real pods with real Dask workers."""

from __future__ import annotations

import asyncio
import json
import socket
import urllib.request

import pytest
from distributed import Client

from jupyter_mlops.core.errors import ClusterEnded, NameTaken
from jupyter_mlops.places.kubernetes.names import ObjectNames

from .clusters import PATIENCE, Namespace, by_value, in_thread, small, until, up


@by_value
def square(x: int) -> int:
    return x * x


async def test_from_start_to_receipt(namespace: Namespace) -> None:
    """Start, compute through the tunnel with TLS, scale, lose a pod, stop; nothing is left but the receipt."""

    backend, spec = namespace.backend, namespace.spec(small(2))
    name = spec.name
    await backend.check(spec.profile)
    state = await backend.start(spec)
    assert state.phase == "starting" and state.place == "kubernetes"
    assert name in [each.name for each in await backend.clusters()]
    with pytest.raises(NameTaken):
        await backend.start(spec)

    link = await backend.link(name, PATIENCE)
    await until(link.view, lambda view: up(view) == 2, "two workers")
    address = await backend.address(name)
    assert address.url.startswith("tls://127.0.0.1:")
    async with Client(address.url, security=address.security, asynchronous=True) as client:
        assert sum(await client.gather(client.map(square, range(20)))) == 2470
        hosts = await client.run(socket.gethostname)
        assert {host.split("-")[0] for host in hosts.values()} == {name}

    await link.scale(3)
    await until(link.view, lambda view: up(view) == 3, "three workers")
    await in_thread(lambda: namespace.kube.kubectl("delete", "pod", f"{name}-default-worker-1", "-n", namespace.name))
    view = await until(link.view, lambda view: up(view) == 3 and _gone(view, "default-1"), "a replacement")
    assert "default-4" in {worker.name for worker in view.workers if worker.phase in ("idle", "busy")}
    await link.scale(1)
    await until(link.view, lambda view: up(view) == 1, "one worker")
    await until(lambda: in_thread(lambda: _pods(namespace)), lambda pods: len(pods) == 1, "one pod")

    drain = ["drain", namespace.kube.node, "--dry-run=client", "--ignore-daemonsets", "--delete-emptydir-data"]
    workers = f"--pod-selector=jupyter-mlops/cluster={name},jupyter-mlops/part=worker"
    assert "worker" in await in_thread(lambda: namespace.kube.kubectl(*drain, workers))

    host, port, key = await link.dashboard()
    request = urllib.request.Request(f"http://{host}:{port}/status", headers={"X-Jupyter-MLOps-Key": key})
    page = await in_thread(lambda: urllib.request.urlopen(request, timeout=PATIENCE).read())
    assert b"Dask" in page
    await link.close()

    await backend.stop(name)
    receipt = await until(lambda: backend.receipt(name), bool, "a receipt")
    assert receipt is not None and receipt.cause == "user"
    assert receipt.most_workers in (3, 4)  # the pod that goes may still be there when its replacement is
    assert receipt.cost.amount is not None and receipt.cost.amount > 0
    assert receipt.cost.amount == pytest.approx(receipt.cost.usage.cpu_hours * 3600)
    left = await until(lambda: in_thread(namespace.left), lambda left: len(left) <= 2, "nothing left")
    assert {each.split()[0] for each in left} == {"Secret"}
    assert (await backend.get(name)).phase == "ended"
    assert any("default-4" in event.text for event in await backend.events(name))
    assert len(await backend.timeline(name)) > 1
    with pytest.raises(ClusterEnded):
        await backend.address(name)
    await backend.forget(name)
    assert await in_thread(namespace.left) == []


async def test_deleting_the_record_removes_everything_and_the_cost_is_kept(namespace: Namespace) -> None:
    spec = namespace.spec(small(1))
    async with namespace.cluster(spec, workers=1) as (name, _):
        await asyncio.sleep(1)  # so that there is a second to pay for
        await in_thread(
            lambda: namespace.kube.kubectl("delete", "deployment", f"{name}-scheduler", "-n", namespace.name)
        )
        receipt = await until(lambda: namespace.backend.receipt(name), bool, "a receipt")
        assert receipt is not None and receipt.cause == "deleted"
        assert receipt.cost.usage.worker_hours * 3600 > 1
        left = await until(lambda: in_thread(namespace.left), lambda left: len(left) <= 2, "nothing left")
        assert {each.split()[0] for each in left} <= {"Secret"}


async def test_what_a_worker_holds_survives_its_eviction(namespace: Namespace) -> None:
    """A drained node's pods get SIGTERM: their data moves to others before they go, nothing is computed again."""

    spec = namespace.spec(small(2), kubernetes={"grace": 60})  # of which a busy machine may take some
    async with namespace.cluster(spec, workers=2) as (name, link):
        address = await namespace.backend.address(name)
        async with Client(address.url, security=address.security, asynchronous=True) as client:
            marks = client.map(_mark, range(8), pure=False)
            before = await client.gather(marks)
            holder = next(iter((await client.who_has(marks[:1])).values()))[0]
            workers = (await client.scheduler.identity(n_workers=-1))["workers"]
            worker = workers[holder]["name"]
            await in_thread(lambda: _evict(namespace, ObjectNames(name, namespace.name).pod(worker)))
            await until(link.view, lambda view: _gone(view, worker), "it is gone")
            assert await client.gather(marks) == before
            assert (await link.view()).state.work.erred == 0


@by_value
def _mark(number: int) -> tuple[int, float]:
    import time

    return number, time.time()  # another value, if it were computed again


def _evict(namespace: Namespace, pod: str) -> None:
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": namespace.name},
    }
    path = f"/api/v1/namespaces/{namespace.name}/pods/{pod}/eviction"
    namespace.kube.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))


def _gone(view, worker: str) -> bool:  # type: ignore[no-untyped-def]
    return all(each.phase in ("ended", "lost") for each in view.workers if each.name == worker)


def _pods(namespace: Namespace) -> list[str]:
    found = namespace.kube.get("pods", namespace.name, "jupyter-mlops/part=worker")
    return [pod["metadata"]["name"] for pod in found]

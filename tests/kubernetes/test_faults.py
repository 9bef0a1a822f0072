"""What dies on a real Kubernetes, and what is left of it: nothing lost, nothing left behind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from distributed import Client

from jupyter_mlops.controller.link import ClusterView, Link
from jupyter_mlops.core.cluster import WorkerState
from jupyter_mlops.core.errors import ClusterUnreachable, MlopsError, Refused

from .clusters import FAKE, Namespace, by_value, in_thread, small, until, up
from .kube import Kube


@by_value
def _slowly(item: int) -> int:
    import time

    time.sleep(0.3)
    return item * 2


def test_the_apiserver_is_killed_while_scaling_and_computing(own_kube: Kube, namespace: Namespace) -> None:
    """The computation goes on without it; the tunnel and the pool heal by themselves when it is back."""

    async def main() -> None:
        async with namespace.cluster(namespace.spec(small(2)), workers=2) as (name, link):
            address = await namespace.backend.address(name)
            async with Client(address.url, security=address.security, asynchronous=True) as client:
                futures = client.map(_slowly, range(60))
                await link.scale(3)
                await in_thread(lambda: own_kube.run("kill", "apiserver"))
                try:
                    await asyncio.sleep(8)
                    assert await _phase(namespace, name) == "unreachable"
                finally:
                    await in_thread(lambda: own_kube.run("start", "apiserver"))
                assert await client.gather(futures) == [2 * item for item in range(60)]
            await until(link.view, lambda view: up(view) == 3, "three workers")
            await until(lambda: _phase(namespace, name), lambda phase: phase == "running", "it is seen again")

    asyncio.run(main())


def test_the_scheduler_is_killed(namespace: Namespace) -> None:
    """Its process, then its pod: workers stay, clients find it again, the ledger has no hole."""

    async def main() -> None:
        async with namespace.cluster(namespace.spec(small(2)), workers=2) as (name, link):
            pods = await in_thread(lambda: _workers(namespace))
            before = (await link.view()).state.cost.usage.worker_hours
            await in_thread(lambda: _kill_process(namespace))
            look = _patient(link)
            await until(look, lambda view: up(view) == 2 and len(_starts(view)) == 2, "both are back")
            await in_thread(lambda: _delete_scheduler(namespace))
            view = await until(look, lambda view: up(view) == 2 and len(_starts(view)) == 3, "both are back again")
            assert await in_thread(lambda: _workers(namespace)) == pods
            held = time.time() - view.state.created
            used = view.state.cost.usage.worker_hours * 3600
            assert before * 3600 < used <= 2 * held
            first = min(_since(namespace))
            assert used == pytest.approx(2 * (time.time() - first), abs=8)
            address = await namespace.backend.address(name)
            async with Client(address.url, security=address.security, asynchronous=True) as client:
                assert await client.gather(client.map(_slowly, range(4))) == [0, 2, 4, 6]

    asyncio.run(main())


def test_a_user_without_rights_reads_a_sentence(
    namespace: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(namespace.kube.login("nobody", namespace.name, tmp_path)))

    async def main() -> None:
        spec = namespace.spec()
        with pytest.raises(Refused) as refused:
            await namespace.backend.check(spec.profile)
        assert "may not create pods" in str(refused.value)
        with pytest.raises(Refused) as refused:
            await namespace.backend.start(spec)
        assert "The service account 'nobody' may not create deployments" in str(refused.value)
        assert spec.name not in [state.name for state in await namespace.backend.clusters()]

    asyncio.run(main())


def test_two_users_in_two_namespaces(
    kube: Kube, namespace: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what `manifests` prints, Ann can make clusters, and Bob in his namespace neither sees nor reaches them."""
    from jupyter_mlops.backends.kubernetes.manifests import as_yaml, manifests

    other = f"{namespace.name}-bob"
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other}})
    ann = kube.login("ann", namespace.name, tmp_path)
    bob = kube.login("bob", other, tmp_path)
    for where, who in ((namespace.name, "ann"), (other, "bob")):
        kube.kubectl("apply", "-f", "-", stdin=as_yaml(manifests(where, service_account=who, nodes=False)))
    monkeypatch.setenv("KUBECONFIG", str(ann))
    spec = namespace.spec(small(1))

    async def main() -> None:
        await namespace.backend.check(spec.profile)
        async with namespace.cluster(spec, workers=1) as (name, _):
            assert name in [state.name for state in await namespace.backend.clusters()]
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("KUBECONFIG", str(bob))
                assert name not in [state.name for state in await namespace.backend.clusters()]
                with pytest.raises(MlopsError):
                    await namespace.backend.link(name, 2)
            for what in ("get pods", "create pods/portforward", "get secrets", "delete deployments.apps"):
                verb, kind = what.split()
                command = ["auth", "can-i", verb, kind, "-n", namespace.name]
                answer = await in_thread(lambda c=command: kube.kubectl(*c, check=False, kubeconfig=str(bob)))  # type: ignore[misc]
                assert answer.strip().splitlines()[-1].startswith("no"), what

    try:
        asyncio.run(main())
    finally:
        kube.kubectl("delete", "namespace", other, "--wait=false")


def test_a_node_is_deleted(namespace: Namespace) -> None:
    """With the right to read nodes, which an administrator may give: also how much is free on them."""
    from jupyter_mlops.backends.kubernetes.manifests import manifests

    wide = [each for each in manifests(namespace.name) if each["kind"].startswith("ClusterRole")]
    namespace.kube.apply(*wide)

    async def main() -> None:
        fakes = {"cpus": 3, "memory": "1 GiB", "pod": FAKE}
        groups = [small(2, **fakes), small(1, "huge", **{**fakes, "cpus": 70})]
        with namespace.kube.fake_nodes(2):
            async with namespace.cluster(namespace.spec(*groups)) as (_, link):
                view = await until(link.view, lambda view: view.state.counts.starting == 2, "two workers")
                huge = await until(link.view, lambda view: _worker(view, "huge-1").problem, "a reason")
                problem = _worker(huge, "huge-1").problem
                assert problem is not None and problem.what == "No node has 70 CPUs free"
                lost = next(worker.name for worker in view.workers if worker.host == "fake-0")
                await in_thread(lambda: _lose_node(namespace, "fake-0"))
                view = await until(link.view, lambda view: _worker(view, lost).phase == "lost", "it is lost")
                problem = _worker(view, lost).problem
                assert problem is not None and problem.what == "The worker's node is gone"

    try:
        asyncio.run(main())
    finally:
        namespace.kube.kubectl("delete", "clusterrole,clusterrolebinding", wide[0]["metadata"]["name"])


async def _phase(namespace: Namespace, name: str) -> str:
    return next(state.phase for state in await namespace.backend.clusters() if state.name == name)


def _worker(view: ClusterView, name: str) -> WorkerState:
    return next(worker for worker in view.workers if worker.name == name)


def _lose_node(namespace: Namespace, node: str) -> None:
    """The node, and its pods as Kubernetes' garbage collector removes them a minute later."""
    namespace.kube.kubectl("delete", "node", node)
    on_it = f"--field-selector=spec.nodeName={node}"
    namespace.kube.kubectl("delete", "pod", "-n", namespace.name, "--force", on_it, check=False)


def _patient(link: Link) -> Callable[[], Awaitable[ClusterView]]:
    """The view of a cluster whose scheduler is away for a while."""

    async def view() -> ClusterView:
        while True:
            try:
                return await link.view()
            except ClusterUnreachable:
                await asyncio.sleep(0.5)

    return view


def _workers(namespace: Namespace) -> set[str]:
    return {pod["metadata"]["uid"] for pod in namespace.kube.get("pods", namespace.name, "jupyter-mlops/part=worker")}


def _since(namespace: Namespace) -> list[float]:
    from jupyter_mlops.backends.kubernetes.surroundings import moment

    found = namespace.kube.get("pods", namespace.name, "jupyter-mlops/part=worker")
    return [moment(pod["metadata"]["creationTimestamp"]) for pod in found]


def _kill_process(namespace: Namespace) -> None:
    (pod,) = namespace.kube.get("pods", namespace.name, "jupyter-mlops/part=scheduler")
    command = ["exec", "-n", namespace.name, pod["metadata"]["name"], "--", "python", "-c", "import os; os.kill(1, 15)"]
    namespace.kube.kubectl(*command, check=False)


def _delete_scheduler(namespace: Namespace) -> None:
    namespace.kube.kubectl("delete", "pod", "-n", namespace.name, "-l", "jupyter-mlops/part=scheduler", "--wait=false")


def _starts(view: ClusterView) -> list[str]:
    return [event.text for event in view.events if "started" in event.text and event.kind == "cluster"]

"""Foreign clusters, on a real Kubernetes: seen, explained, scaled, run on and stopped as ours are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import jupyter_mlops as mlops
from jupyter_mlops.cli.main import main as cli
from jupyter_mlops.client.clusters.kernel import kernel, loop_thread
from jupyter_mlops.controller.link import ClusterView
from jupyter_mlops.core.cluster import ClusterState
from jupyter_mlops.core.errors import ClusterEnded, Refused, UnknownCluster, UnknownGroup
from jupyter_mlops.core.price import Price
from jupyter_mlops.home import settings

from .clusters import MADE, Namespace, by_value, in_thread, until, up
from .dask_operator import crds, has_crds, operator
from .foreign import make_kubecluster, release, worker_group

DASK = "daskclusters,daskworkergroups"


@pytest.fixture(autouse=True)
def _here(namespace: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The test's namespace is the current one, a price is set, and no connection outlives the test."""
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KUBECONFIG", str(namespace.kubeconfig(tmp_path)))
    known = settings.load()
    settings.save(known.model_copy(update={"price": Price(cpu_hour=3600.0, source="the test's price")}))
    yield
    for name in ("theirs", "survey"):
        loop_thread().call(kernel().sessions.close(name))


@by_value
def square(x: int) -> int:
    print("squaring", x)
    return x * x


async def test_a_kubecluster(namespace: Namespace, tmp_path: Path) -> None:
    """Made with dask-kubernetes' own tool and operator: its workers, why a group can't come, a map, its end."""
    pytest.importorskip("dask_kubernetes")

    with crds(namespace.kube), operator(namespace.kube, namespace.name, tmp_path):
        await in_thread(lambda: make_kubecluster(namespace, "theirs", 1))
        await in_thread(lambda: namespace.kube.apply(worker_group(namespace, "theirs", "huge", "900")))
        backend = namespace.backend
        state = await until(lambda: listed(namespace, "theirs"), works, "a worker")
        assert (state.maker, state.phase, state.commands) == ("KubeCluster", "running", ["scale", "stop", "run"])
        assert [group.name for group in state.groups] == ["default", "huge"]
        assert state.cost.amount and "each was placed" in state.cost.source
        assert state.cost.per_hour == pytest.approx(0.05 * 3600)

        link = await backend.link("theirs")
        view = await until(link.view, lambda view: view.state.groups[1].problem and up(view) == 1, "a reason")
        assert view.state.groups[1].problem.what == "No node has 900 CPUs free"
        worker = next(each for each in view.workers if each.group == "default")
        assert worker.name.startswith("default-")
        assert (worker.phase, worker.host, worker.threads) == ("idle", namespace.kube.node, 1)
        assert 0 < worker.memory_used < worker.memory <= 400 * 2**20
        assert any("Start worker" in line or "Registered" in line for line in await link.logs(worker.name))
        assert any("Scheduler at" in line for line in await backend.logs("theirs"))

        total = await in_thread(lambda: mlops.map(square, range(20), cluster="theirs").result())
        assert total == [x * x for x in range(20)]
        run = await in_thread(
            lambda: mlops.map(square, range(4), cluster="theirs", group="default", workers=2, detach=True)
        )
        assert await in_thread(run.result) == [0, 1, 4, 9]
        with pytest.raises(UnknownGroup):
            await in_thread(lambda: mlops.map(square, range(4), cluster="theirs", group="tiny"))
        view = await until(link.view, lambda view: up(view) == 2, "two workers")
        view = await until(link.view, lambda view: len(view.runs) == 2 and not view.state.runs, "its runs are told")
        assert {each.phase for each in view.runs} == {"done"} and {each.cluster for each in view.runs} == {"theirs"}
        assert all(each.cost.amount is not None for each in view.runs)
        assert "Group default shall have 2 workers, no longer 1" in [event.text for event in view.events]
        (group,) = [
            g
            for g in namespace.kube.get("daskworkergroups", namespace.name)
            if g["metadata"]["name"].endswith("default")
        ]
        assert group["spec"]["worker"]["replicas"] == 2
        assert len(await backend.timeline("theirs")) > 0

        await backend.stop("theirs")
        with pytest.raises(ClusterEnded):
            await until(lambda: link.watch(view.seq, 1), lambda _: False, "its end is told")
        await link.close()
        await until(lambda: in_thread(lambda: left(namespace)), lambda left: not left, "nothing left")
        with pytest.raises(UnknownCluster):
            await backend.get("theirs")


async def test_a_release_of_helm(namespace: Namespace, capsys: pytest.CaptureFixture[str]) -> None:
    """Deployments with the chart's labels: scaled, run on, why a worker crashes; ended by Helm, if that made them."""

    backend = namespace.backend
    await in_thread(
        lambda: namespace.kube.apply(*release(namespace, "survey", 1, **{"app.kubernetes.io/managed-by": "Helm"}))
    )
    state = await until(lambda: listed(namespace, "survey"), works, "a worker")
    assert (state.maker, state.phase, state.commands) == ("helm", "running", ["scale", "run"])
    with pytest.raises(Refused) as refused:
        await backend.stop("survey")
    assert f"helm uninstall survey --namespace {namespace.name}" in str(refused.value)

    assert await in_thread(lambda: mlops.map(square, range(3), cluster="survey").result()) == [0, 1, 4]
    link = await backend.link("survey")
    await link.scale(2)
    await until(link.view, lambda view: up(view) == 2, "two workers")
    await in_thread(lambda: break_workers(namespace, "survey"))
    view = await until(link.view, crashing, "a reason")
    assert not view.state.counts.lost  # a Deployment lets old ones go for those that come
    await link.close()
    await in_thread(lambda: loop_thread().call(kernel().sessions.close("survey")))

    await in_thread(
        lambda: namespace.kube.kubectl(
            "label", "deployments", "--all", "-n", namespace.name, "app.kubernetes.io/managed-by-"
        )
    )
    await until(lambda: listed(namespace, "survey"), lambda state: state.maker == "kubectl", "its maker is seen")
    assert await in_thread(lambda: cli(["stop", "survey"])) == 1
    assert "isn't yours: it is made with kubectl, and its maker may be using it" in capsys.readouterr().err
    assert await in_thread(lambda: cli(["stop", "--all"])) == 0
    assert (await listed(namespace, "survey")).phase == "running"
    assert await in_thread(lambda: cli(["stop", "--force", "survey"])) == 0
    await until(lambda: in_thread(lambda: left(namespace)), lambda left: not left, "nothing left")


async def listed(namespace: Namespace, name: str) -> ClusterState:
    """A cluster as it is listed; one that isn't yet has no workers."""
    states = [state for state in await namespace.backend.clusters() if state.name == name]
    none = ClusterState(name=name, place="kubernetes", profile="none", owner="", phase="starting", created=0)
    return states[0] if states else none


def works(state: ClusterState) -> bool:
    return state.phase == "running" and state.counts.idle == 1


def crashing(view: ClusterView) -> bool:
    return any(worker.problem and "No module named nothing" in worker.problem.why for worker in view.workers)


def break_workers(namespace: Namespace, name: str) -> None:
    """Give the release's workers a program that doesn't exist."""
    made = release(namespace, name, 2, **{"app.kubernetes.io/managed-by": "Helm"})[1]
    made["spec"]["template"]["spec"]["containers"][0]["args"] = ["python", "-m", "nothing"]
    namespace.kube.apply(made)


def left(namespace: Namespace) -> list[str]:
    """All that is there, whoever made it."""
    items = namespace.kube.get(MADE, namespace.name)
    if has_crds(namespace.kube):
        with suppress(AssertionError):  # another process takes the kinds away, and all of them with it
            items += namespace.kube.get(DASK, namespace.name)
    found = [f"{item['kind']} {item['metadata']['name']}" for item in items]
    return [each for each in found if each not in ("ConfigMap kube-root-ca.crt", "ServiceAccount default")]

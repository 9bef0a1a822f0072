"""Foreign clusters out of the API's JSON, and the book of runs in a scheduler of somebody else: no Kubernetes."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from distributed import Client

from jupyter_mlops.agent.versions import versions_of
from jupyter_mlops.controller.remote import RemoteLink
from jupyter_mlops.core.errors import Unavailable, VersionMismatch
from jupyter_mlops.core.price import HostPrice, Price
from jupyter_mlops.core.run import RunState
from jupyter_mlops.places.kubernetes.foreign.cost import NO_SHAPE, SINCE, Rates, price_of
from jupyter_mlops.places.kubernetes.foreign.discover import (
    Discovered,
    DiscoveredGroup,
    of_chart,
    of_operator,
)
from jupyter_mlops.places.kubernetes.foreign.install import install, run_news
from jupyter_mlops.places.kubernetes.foreign.scheduler import DaskView, ForeignScheduler, view_of
from jupyter_mlops.places.kubernetes.foreign.state import rows, spec_of, state_of
from jupyter_mlops.places.kubernetes.names import fitting

from .clusters import until

NOW = 1_800_000_000.0
RATES = Rates(Price(cpu_hour=2.0, source="by hand"))
TEMPLATE = {"containers": [{"name": "worker", "resources": {"requests": {"cpu": "2", "memory": "4Gi"}}}]}


def at(moment: float) -> str:
    return datetime.fromtimestamp(moment, tz=timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def item(name: str, labels: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "creationTimestamp": at(NOW - 3600), "labels": labels or {}, **more.pop("metadata", {})}
    return {"metadata": metadata, **more}


def daskcluster(name: str, **metadata: Any) -> dict[str, Any]:
    return item(name, metadata=metadata, spec={"worker": {"replicas": 2, "spec": TEMPLATE}}, status={"phase": "Error"})


def worker_group(cluster: str, name: str, replicas: int) -> dict[str, Any]:
    return item(name, spec={"cluster": cluster, "worker": {"replicas": replicas, "spec": TEMPLATE}})


def pod(name: str, labels: dict[str, str], ip: str = "", **status: Any) -> dict[str, Any]:
    running = {"name": "worker", "state": {"running": {}}, "restartCount": 0}
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": at(NOW - 1800)}
    told = {"phase": "Running", "podIP": ip, "conditions": [scheduled], "containerStatuses": [running], **status}
    return item(name, labels, spec={**TEMPLATE, "nodeName": "node-1"}, status=told)


def of(cluster: str, group: str = "", component: str = "worker") -> dict[str, str]:
    labels = {"dask.org/cluster-name": cluster, "dask.org/component": component}
    return labels | ({"dask.org/workergroup-name": group} if group else {})


def theirs(*workers: dict[str, Any], replicas: int = 2, scheduler: bool = True) -> Discovered:
    pods = [*workers, *([pod("theirs-scheduler-1", of("theirs", component="scheduler"))] if scheduler else [])]
    (found,) = of_operator([daskcluster("theirs")], [worker_group("theirs", "theirs-default", replicas)], [], pods)
    return found


def worker(number: int, **status: Any) -> dict[str, Any]:
    return pod(f"theirs-default-worker-{number}", of("theirs", "theirs-default"), f"10.0.0.{number}", **status)


def test_a_daskcluster_is_judged_by_its_pods() -> None:
    """Not by the phase that the operator wrote, and its groups keep the order in which they were thought of."""
    groups = [worker_group("theirs", "theirs-big", 1), worker_group("theirs", "theirs-default", 2)]
    groups += [worker_group("another", "another-default", 9), worker_group("theirs", "big", 3)]
    pods = [worker(1), pod("theirs-scheduler-1", of("theirs", component="scheduler"))]
    autoscaler = item("theirs", spec={"cluster": "theirs", "minimum": 1, "maximum": 4})
    (found,) = of_operator([daskcluster("theirs")], groups, [autoscaler], pods)
    state = state_of(found, RATES, now=NOW)
    assert (state.phase, state.maker, state.created) == ("running", "KubeCluster", NOW - 3600)
    assert [(group.name, group.wanted, group.adaptive) for group in state.groups] == [
        ("default", 2, True),
        ("big", 3, False),
        ("big-2", 1, False),
    ]
    assert (state.groups[0].minimum, state.groups[0].maximum, state.groups[1].maximum) == (1, 4, 100)
    assert (state.counts.idle, state.counts.requested) == (1, 5)
    assert state.commands == ["scale", "stop", "run"] and not state.ours
    spec = spec_of(found, "ml", RATES.price)
    assert [(group.name, group.workers, group.cpus) for group in spec.profile.groups] == [
        ("default", 2, 2),
        ("big", 3, 2),
        ("big-2", 1, 2),
    ]


@pytest.mark.parametrize(
    ("metadata", "maker"),
    [
        ({}, "KubeCluster"),
        ({"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}}, "kubectl"),
        ({"managedFields": [{"manager": "kubectl-create"}, {"manager": "kopf"}]}, "kubectl"),
        ({"managedFields": [{"manager": "kubectl", "operation": "Apply"}]}, "kubectl"),
        ({"managedFields": [{"manager": "kr8s"}, {"manager": "kubectl-patch"}]}, "KubeCluster"),
        ({"managedFields": [{"manager": "kr8s"}, {"manager": "kubectl", "operation": "Update"}]}, "KubeCluster"),
        ({"annotations": {"meta.helm.sh/release-name": "x"}, "managedFields": [{"manager": "helm"}]}, "helm"),
        ({"ownerReferences": [{"kind": "DaskJob", "name": "theirs"}]}, "DaskJob"),
    ],
)
def test_its_maker_left_a_mark(metadata: dict[str, Any], maker: str) -> None:
    (found,) = of_operator([daskcluster("theirs", **metadata)], [], [], [])
    assert found.maker == maker


def test_an_operator_that_does_nothing() -> None:
    found = theirs(scheduler=False)
    assert state_of(found, RATES, now=NOW - 3590).problem is None
    problem = state_of(found, RATES, now=NOW).problem
    assert problem is not None and "operator" in problem.todo
    early = state_of(theirs(worker(1), scheduler=False), RATES, now=NOW)
    assert (early.phase, early.counts.idle, early.counts.starting) == ("starting", 0, 1)
    (bare,) = of_operator([daskcluster("theirs")], [], [], [])
    assert [(group.name, group.wanted) for group in bare.groups] == [("default", 2)]


def test_the_phase_and_reason_of_each_worker() -> None:
    waiting = {"name": "worker", "image": "acme:1", "state": {"waiting": {"reason": "ImagePullBackOff"}}}
    last = {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": at(time.time() - 5)}}
    found = theirs(
        worker(1),
        worker(2),
        worker(3),
        worker(4, containerStatuses=[waiting]),
        worker(
            5, containerStatuses=[{"name": "worker", "state": {"running": {}}, "restartCount": 1, "lastState": last}]
        ),
        worker(
            6, phase="Failed", containerStatuses=[], reason="Evicted", message="The node was low on resource: memory"
        ),
        replicas=7,
    )
    found.groups[0].pods[2]["metadata"]["deletionTimestamp"] = at(NOW)
    assert state_of(found, RATES, now=NOW).counts.idle == 3  # nobody asked Dask

    told = {
        "nthreads": 2,
        "memory_limit": 2e9,
        "metrics": {"cpu": 150.0, "memory": 1e9, "task_counts": {"executing": 1}},
    }
    identity = {"workers": {"tcp://10.0.0.1:1": told, "tcp://10.0.0.1:2": told, "tcp://10.0.0.5:1": {"nthreads": 1}}}
    dask = view_of(identity, {"inc": {"memory": 5, "erred": 1, "processing": 2, "waiting": 3, "released": 9}})
    state = state_of(found, RATES, dask=dask, now=NOW)
    counts = state.counts
    assert (counts.busy, counts.idle, counts.starting, counts.retiring, counts.lost) == (1, 1, 2, 1, 1)
    assert counts.requested == 3  # the one that goes and the dead one are wanted again
    assert (state.cpu, state.memory_used) == (3.0, 2e9)
    assert (state.work.done, state.work.erred, state.work.processing, state.work.queued) == (5, 1, 2, 3)
    group = state.groups[0]
    assert group.problem is not None and "acme:1" in group.problem.what

    problems = {row.name: row.problem for row in rows(found, dask) if row.problem}
    again = problems["default-5"]
    assert again.what == "Its container was started again" and "out of memory" in again.why
    assert "evicted" in problems["default-6"].what


def test_the_cost_of_pods_since_they_were_placed() -> None:
    """By the ledger's arithmetic; nodes whose price is known are charged by it; what asks for nothing is unknown."""
    ended = [{"name": "worker", "state": {"terminated": {"exitCode": 1, "finishedAt": at(NOW - 900)}}}]
    found = theirs(worker(1), worker(2, phase="Failed", containerStatuses=ended))
    cost = state_of(found, RATES, now=NOW).cost
    assert cost.usage.worker_hours == pytest.approx(0.75)
    assert cost.amount == pytest.approx(0.75 * 2 * 2.0) and cost.per_hour == pytest.approx(4.0)
    assert cost.source == f"by hand; {SINCE}"

    node = HostPrice(rates=Price(cpu_hour=10.0, source="the node's"), per_hour=50.0)
    priced = state_of(found, Rates(Price(), {"node-1": node}), now=NOW)
    assert Rates(Price(), {"node-1": node}).usual == node.rates
    assert priced.cost.per_hour == pytest.approx(20.0) and "the node's" in priced.cost.source
    assert priced.cost.dedicated is not None and priced.cost.dedicated.amount == pytest.approx(25.0)
    assert priced.groups[0].cost.amount == pytest.approx(priced.cost.amount)

    for each in found.groups[0].pods:
        each["spec"] = {"containers": [{"name": "worker"}], "nodeName": "node-1"}
    unknown = state_of(found, RATES, now=NOW).cost
    assert unknown.amount is None and unknown.per_hour is None and unknown.usage.worker_hours == pytest.approx(0.75)
    runs = price_of(found, RATES.price)  # else they would cost a share of nearly nothing
    assert not runs.known and runs.source == NO_SHAPE


def test_releases_of_the_chart() -> None:
    """Two in one namespace; all Deployments of a release share one selector, so ReplicaSets tell groups apart."""

    def deployment(release: str, component: str, name: str, **labels: str) -> dict[str, Any]:
        marks = {"app": "dask", "release": release, "component": component, "chart": "dask-2026.1.0", **labels}
        return item(name, marks, kind="Deployment", spec={"replicas": 1, "template": {"spec": TEMPLATE}})

    def of_set(release: str, component: str, deployment: str, name: str) -> dict[str, Any]:
        marks = {"app": "dask", "release": release, "component": component, "pod-template-hash": "77ab"}
        made = pod(name, marks)
        made["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": f"{deployment}-77ab"}]
        return made

    helm = {"app.kubernetes.io/managed-by": "Helm"}
    deployments = [
        deployment("a", "scheduler", "a-dask-scheduler", **helm),
        deployment("a", "worker", "a-dask-worker", **helm),
        deployment("a", "worker", "a-dask-worker-gpu", **helm),
        deployment("b", "scheduler", "b-dask-scheduler"),
        deployment("orphan", "worker", "orphan-dask-worker"),
    ]
    pods = [
        of_set("a", "scheduler", "a-dask-scheduler", "s"),
        of_set("a", "worker", "a-dask-worker", "w1"),
        of_set("a", "worker", "a-dask-worker-gpu", "w2"),
    ]
    one, two = of_chart(deployments, pods)
    assert (one.name, one.maker, one.commands) == ("a", "helm", ["scale", "run"])
    assert [(g.name, g.object, [p["metadata"]["name"] for p in g.pods]) for g in one.groups] == [
        ("default", "a-dask-worker", ["w1"]),
        ("gpu", "a-dask-worker-gpu", ["w2"]),
    ]
    assert (two.name, two.maker, two.groups) == ("b", "kubectl", [])
    assert state_of(one, RATES, now=NOW).phase == "running" and state_of(two, RATES, now=NOW).phase == "starting"
    assert spec_of(two, "ml", RATES.price).profile.groups[0].workers == 0


@pytest.mark.parametrize(
    ("name", "fits"), [("survey", "survey"), ("Ann.s-2", "ann-s-2"), ("2nd", "c-2nd"), ("x" * 60, "x" * 48)]
)
def test_names_fit(name: str, fits: str) -> None:
    assert fitting(name) == fits


def test_what_dask_says_without_workers() -> None:
    assert view_of({}, {}) == DaskView()


# A scheduler that somebody else started: as processes, with Dask's own programs.


@contextmanager
def dask(*arguments: str, path: str = "") -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, "-m", "dask", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def scheduler(path: str = "") -> Iterator[str]:
    options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    with dask("scheduler", *options, path=path) as process:
        assert process.stderr is not None
        while "Scheduler at:" not in (line := process.stderr.readline()):
            assert line, "the scheduler ended"
        yield line.split()[-1]


def local() -> Discovered:
    """What would be found of it."""
    group = DiscoveredGroup("default", "w", 1, TEMPLATE)
    return Discovered(
        "theirs", "theirs", "DaskCluster", "kubectl", "", "ann", "", NOW, [group], [], "theirs-scheduler", "", ""
    )


@pytest.mark.slow
async def test_the_book_of_runs_is_brought(tmp_path: Path) -> None:
    """Twice is as once; workers get the agent and their group, and the runs are told."""

    async def main(url: str) -> None:
        theirs, found = ForeignScheduler(url), local()
        assert (await until(theirs.look, bool)).workers[0].threads == 1
        assert (await until(lambda: run_news(theirs, 0), bool)).runs == []
        spec = spec_of(found, "ml", RATES.price)
        await install(theirs, found, spec)
        link = RemoteLink(url)
        run = RunState(id="0123456789ab", name="r", kind="map", cluster="?", owner="Ann", created=time.time())
        opened = await link.open_run(run)
        assert (opened.cluster, opened.shape) == ("theirs", {"default": 1})
        await install(theirs, found, spec)
        groups = [*found.groups, DiscoveredGroup("tiny", "w-1", 1, TEMPLATE)]
        found = dataclasses.replace(found, groups=groups)  # as a DaskWorkerGroup that is added while the run goes on
        await install(theirs, found, spec_of(found, "ml", RATES.price))
        async with Client(url, asynchronous=True) as client:
            (worker,) = (await client.scheduler.identity(n_workers=-1))["workers"].values()
            assert worker["resources"] == {"group:default": 1_000_000, "group:tiny": 1_000_000}
            (answer,) = (await client.scheduler.broadcast(msg={"op": "mlops_versions", "packages": ["numpy"]})).values()
            assert answer == versions_of(["numpy"])
        await link.cancel_run(run.id, "enough")
        told = await until(lambda: run_news(theirs, 0), lambda told: told.runs[0].phase == "cancelled", "it is told")
        assert told.events[0].text == "r was cancelled"
        assert (await until(lambda: run_news(theirs, told.seq), bool)).runs == []
        await link.close()
        await theirs.close()

    with scheduler() as url, dask("worker", url, "--name", "w-1-x", "--nthreads", "1", "--no-nanny", "--no-dashboard"):
        await _when_joined(url)
        await main(url)


async def _when_joined(url: str) -> None:
    asked = ForeignScheduler(url)
    await until(asked.look, lambda view: view.workers, "a worker")
    await asked.close()


async def test_a_scheduler_without_pydantic_says_so(tmp_path: Path) -> None:
    """In one sentence, before anything is sent."""
    (tmp_path / "pydantic.py").write_text("raise ModuleNotFoundError(\"No module named 'pydantic'\", name='pydantic')")

    async def main(url: str) -> None:
        theirs = ForeignScheduler(url)
        with pytest.raises(Unavailable) as refused:
            await install(theirs, local(), spec_of(local(), "ml", RATES.price))
        assert "it has no pydantic" in str(refused.value) and "EXTRA_PIP_PACKAGES=pydantic" in str(refused.value)
        await theirs.close()

    with scheduler(str(tmp_path)) as url:
        await main(url)


class Newer(ForeignScheduler):
    """A scheduler with a book of runs of a newer version, one of whose runs and events can't be read."""

    async def ask(self, operation: str, patience: float = 1.0, **request: Any) -> Any:
        if operation == "get_metadata":
            return {"format": 2, "code": "?", "objects": {}}
        run = RunState(id="0123456789ab", name="r", kind="map", cluster="c", owner="Ann", created=1.0).model_dump()
        event = {"text": "r was cancelled", "run": run["id"], "problem": None, "colour": "red"}
        return {"ok": {"seq": 7, "runs": [{**run, "gang": {}}, {"id": 1}], "events": [event, {}], "trials": []}}


async def test_news_of_a_newer_book_of_runs() -> None:
    news = await run_news(Newer("tcp://nowhere"), 0)
    assert (news.seq, [run.name for run in news.runs]) == (7, ["r"])
    assert [event.text for event in news.events] == ["r was cancelled"]


class Answers(ForeignScheduler):
    """A scheduler that only says which versions it has."""

    async def ask(self, operation: str, patience: float = 1.0, **request: Any) -> Any:
        return (
            {"packages": {"python": "3.8.10.final.0", "distributed": "2021.1.0"}} if operation == "versions" else None
        )


async def test_another_python_is_said_before_anything_is_sent() -> None:
    with pytest.raises(VersionMismatch) as refused:
        await install(Answers("tcp://nowhere"), local(), spec_of(local(), "ml", RATES.price))
    assert "3.8.10 there" in str(refused.value) and "the scheduler of 'theirs'" in str(refused.value)

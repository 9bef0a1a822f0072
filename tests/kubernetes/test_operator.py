"""Clusters of ours as DaskClusters, with the real operator on a real Kubernetes: there, gone, of another version."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from distributed import Client

from jupyter_mlops.core.cluster import Receipt
from jupyter_mlops.core.errors import InvalidSpec, NameTaken, Refused, Unavailable
from jupyter_mlops.places.kubernetes.check import report
from jupyter_mlops.places.kubernetes.records.manifests import as_yaml, manifests

from .clusters import MADE, PATIENCE, Namespace, by_value, in_thread, small, until, up
from .dask_operator import Operator, crds, newer_kopf, operator
from .foreign import daskcluster
from .kube import Kube

pytest.importorskip("dask_kubernetes")

#: It has the kinds of the operator meanwhile, which clusters of others would be made of.
ALONE = True
DASK = "daskclusters,daskworkergroups"
#: What users have who say nothing about it.
AUTO = {"record": "auto"}
#: For an operator on a busy machine.
PATIENT = {**AUTO, "operator_timeout": 60}
#: What a namespace has, and its user `ann`.
ALWAYS_THERE = {
    "ConfigMap kube-root-ca.crt", "NetworkPolicy jupyter-mlops", "Role jupyter-mlops-user",
    "RoleBinding jupyter-mlops-user", "ServiceAccount ann", "ServiceAccount default",
}  # fmt: skip
#: Kubernetes takes up to 30 s to learn that objects of a new kind own others.
GARBAGE = 120.0


@pytest.fixture(scope="module", autouse=True)
def _crds(module_kube: Kube) -> Iterator[None]:
    with crds(module_kube):
        yield


@by_value
def square(x: int) -> int:
    return x * x


#: What a user of dask-kubernetes types. In a process of its own: its threads never end.
THEIR_TOOLS = """
import json, sys
from dask.distributed import Client
from dask_kubernetes.operator import KubeCluster
options = {"namespace": sys.argv[2], "port_forward_cluster_ip": True, "quiet": True}
with KubeCluster.from_name(sys.argv[1], **options) as cluster, Client(cluster) as client:
    total = client.submit(sum, range(10)).result(150)
    workers = [worker["name"] for worker in cluster.scheduler_info["workers"].values()]
    logs = {pod: bool(log) for pod, log in cluster.get_logs().items()}
    print(json.dumps([total, workers, logs]))
"""


async def test_a_crd_that_would_drop_fields(namespace: Namespace) -> None:
    """Kubernetes drops what a CRD doesn't know without a word; here "operator" says so, and "auto" does without."""

    backend = namespace.backend
    newer = {"pod": {"spec": {"os": {"name": "linux"}}}}  # Kubernetes 1.25 has it, the CRD doesn't
    with pytest.raises(InvalidSpec) as refused:
        await backend.check(namespace.spec(kubernetes={"record": "operator", **newer}).profile)
    assert 'unknown field "spec.scheduler.spec.os"' in str(refused.value)
    assert "newer dask-kubernetes' CRDs" in str(refused.value)
    spec = namespace.spec(small(0), kubernetes={**AUTO, **newer})
    await backend.start(spec)
    assert _listed(namespace) == []
    (record,) = namespace.kube.get("deployments", namespace.name)
    assert record["spec"]["template"]["spec"]["os"] == {"name": "linux"}
    await backend.stop(spec.name, force=True)
    await _nothing_but_a_receipt(namespace, spec.name)


async def test_a_user_without_rights_to_daskclusters(namespace: Namespace, tmp_path: Path) -> None:
    """ "auto" makes do without, "operator" says what an administrator would apply."""

    with _logged_in(namespace, tmp_path):
        backend, spec = namespace.backend, namespace.spec(small(0), kubernetes=AUTO)
        await backend.check(spec.profile)
        await backend.start(spec)
        assert _listed(namespace) == []
        await backend.stop(spec.name, force=True)
        await _nothing_but_a_receipt(namespace, spec.name)
        with pytest.raises(Refused) as refused:
            await backend.check(namespace.spec(kubernetes={"record": "operator"}).profile)
        assert "The service account 'ann' may not create daskclusters" in str(refused.value)
        assert "manifests --operator" in str(refused.value)
        told = await report()
        assert "Clusters are plain Deployments here" in told.operator[0]
        assert told.missing == [] and any("aren't DaskClusters" in loss for loss in told.without)


async def test_nothing_acts_on_daskclusters(namespace: Namespace) -> None:
    """CRDs are there, the operator isn't: "auto" makes do with a Deployment, "operator" says so and leaves nothing."""

    backend = namespace.backend
    spec = namespace.spec(small(0), kubernetes={**AUTO, "operator_timeout": 1})
    async with namespace.cluster(spec) as (name, _):
        assert _listed(namespace) == []
        (record,) = namespace.kube.get("deployments", namespace.name)
        assert "ownerReferences" not in record["metadata"]
        (service,) = namespace.kube.get("services", namespace.name)
        for held in (record, service):  # an operator that comes later would look for the DaskCluster in vain
            assert "dask.org/cluster-name" not in held["metadata"]["labels"]
    await _nothing_but_a_receipt(namespace, name)
    await backend.forget(name)

    spec = namespace.spec(kubernetes={"operator_timeout": 1, "record": "operator"})
    await backend.check(spec.profile)
    with pytest.raises(Unavailable) as refused:
        await backend.start(spec)
    assert "no dask-kubernetes operator acts" in str(refused.value)
    assert '"record": "auto"' in str(refused.value)
    await until(lambda: in_thread(lambda: _left(namespace)), lambda left: not left, "nothing left")


async def test_the_operator_is_killed_while_a_cluster_is_made(namespace: Namespace, tmp_path: Path) -> None:
    """Wherever it is killed, a cluster comes and goes, and nothing is left that waits for the operator."""

    with operator(namespace.kube, namespace.name, tmp_path) as acting:
        spec = namespace.spec(small(0), kubernetes={**AUTO, "operator_timeout": 2})
        started = threading.Event()
        killed = asyncio.create_task(in_thread(lambda: _kill_at_first_sight(namespace, acting, started)))
        async with namespace.cluster(spec) as (name, _):
            started.set()
            await killed
        await _nothing_but_a_receipt(namespace, name)


async def test_an_operator_with_a_newer_kopf(namespace: Namespace, tmp_path: Path) -> None:
    """It may leave its own clusters Pending, which is told; those of ours come and, by their record, go."""

    with operator(namespace.kube, namespace.name, tmp_path, newer_kopf()) as acting:
        spec = namespace.spec(small(0), kubernetes=PATIENT)
        theirs = daskcluster(namespace, "theirs", 0)
        theirs["metadata"]["namespace"] = namespace.name
        await in_thread(lambda: namespace.kube.apply(theirs))
        async with namespace.cluster(spec) as (name, _):
            await _is_listed_running(namespace, name)
            record = ["deployment", f"{name}-scheduler", "-n", namespace.name]
            await in_thread(lambda: namespace.kube.kubectl("delete", *record))
            await until(lambda: namespace.backend.receipt(name), bool, "a receipt")
            await until(lambda: _listed_after_a_look(namespace), lambda found: len(found) == 1, "only theirs is left")
            acting.kill()  # it may have been lucky with theirs
            pending = ["daskcluster", "theirs", "--type=merge", "-p", '{"status": {"phase": "Pending"}}']
            await in_thread(lambda: namespace.kube.kubectl("patch", "-n", namespace.name, *pending))
            told = await until(lambda: report(namespace=namespace.name), lambda told: len(told.operator) == 2)
            assert "calls theirs Pending" in told.operator[1] and "kopf<1.42" in told.operator[1]


async def test_dask_kubernetes_own_tools_use_it(namespace: Namespace, tmp_path: Path) -> None:
    """Without TLS `KubeCluster.from_name` finds it, and computes on it."""

    with operator(namespace.kube, namespace.name, tmp_path):
        spec = namespace.spec(small(1), kubernetes={**PATIENT, "tls": False, "record": "operator"})
        async with namespace.cluster(spec, workers=1) as (name, _):
            total, workers, logs = await in_thread(lambda: _with_their_tools(namespace, name))
            assert (total, workers) == (45, ["default-1"])
            assert len(logs) == 2 and all(logs.values()) and f"{name}-default-worker-1" in logs
            await namespace.backend.stop(name)
            assert (await _nothing_but_a_receipt(namespace, name)).cause == "user"


async def test_the_operator_is_gone_and_comes_back(namespace: Namespace, tmp_path: Path) -> None:
    """A cluster needs no operator to live, to scale, or to go when its DaskCluster is deleted."""

    with operator(namespace.kube, namespace.name, tmp_path) as acting:
        spec = namespace.spec(small(1), kubernetes=PATIENT)
        async with namespace.cluster(spec, workers=1) as (name, link):
            await _is_listed_running(namespace, name)
            acting.kill()
            await link.scale(2)
            await until(link.view, lambda view: up(view) == 2, "two workers")
            pods = await in_thread(lambda: _pods(namespace))
            await in_thread(acting.start)
            await until(lambda: in_thread(acting.log), lambda log: f"/{name}]" in log, "it looks at the cluster again")
            assert await in_thread(lambda: _pods(namespace)) == pods
            acting.kill()
            command = ["delete", "daskcluster", name, "-n", namespace.name, "--wait=false"]
            await in_thread(lambda: namespace.kube.kubectl(*command))
            receipt = await _nothing_but_a_receipt(namespace, name)
            assert receipt.cause == "deleted"


async def test_the_journey_as_a_daskcluster(namespace: Namespace, tmp_path: Path) -> None:
    """With the rights that `manifests --operator` gives: chosen by itself, listed by kubectl, deleted by kubectl."""

    with operator(namespace.kube, namespace.name, tmp_path), _logged_in(namespace, tmp_path, operator=True):
        backend, spec = namespace.backend, namespace.spec(small(1), kubernetes=PATIENT)
        name = spec.name
        await backend.check(spec.profile)
        await backend.start(spec)
        await _is_listed_running(namespace, name)
        with pytest.raises(NameTaken):
            await backend.start(spec)
        link = await backend.link(name, PATIENCE)
        await link.scale(2)
        await until(link.view, lambda view: up(view) == 2, "two workers")
        address = await backend.address(name)
        async with Client(address.url, security=address.security, asynchronous=True) as client:
            assert sum(await client.gather(client.map(square, range(20)))) == 2470
        labels = f"dask.org/cluster-name={name},dask.org/component=worker,dask.org/workergroup-name={name}-default"
        assert len(await in_thread(lambda: namespace.kube.get("pods", namespace.name, labels))) == 2
        kept = (await backend.get(name)).cost.usage.worker_hours
        ended = time.time()
        used = (await link.view()).state.cost.usage.worker_hours
        await link.close()
        await in_thread(lambda: namespace.kube.kubectl("delete", "daskcluster", name, "-n", namespace.name))
        receipt = await _nothing_but_a_receipt(namespace, name)
        assert receipt.cause == "deleted" and receipt.most_workers == 2
        second = 2 / 3600  # of both workers: the rights of the scheduler's pod may go before it has written the end
        assert kept <= receipt.cost.usage.worker_hours <= used + second * (receipt.ended - ended + 1)
        assert receipt.cost.amount == pytest.approx(receipt.cost.usage.cpu_hours * 3600)


@contextmanager
def _logged_in(namespace: Namespace, folder: Path, **rights: bool) -> Iterator[None]:
    """Be a user with what an administrator gives, and no more."""
    given = as_yaml(manifests(namespace.name, service_account="ann", nodes=False, **rights))
    namespace.kube.kubectl("apply", "-f", "-", stdin=given)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", str(namespace.kube.login("ann", namespace.name, folder)))
        yield
    namespace.kube.kubectl("delete", "-f", "-", stdin=given)


async def _nothing_but_a_receipt(namespace: Namespace, name: str) -> Receipt:
    receipt = await until(lambda: namespace.backend.receipt(name), bool, "a receipt")
    left = await until(lambda: in_thread(lambda: _left(namespace)), _only_receipts, "nothing left", GARBAGE)
    assert len(left) == 2
    assert receipt is not None
    return receipt


def _left(namespace: Namespace) -> list[str]:
    """All that is there, whoever made it."""
    found = [
        f"{item['kind']} {item['metadata']['name']}" for item in namespace.kube.get(f"{MADE},{DASK}", namespace.name)
    ]
    return [each for each in found if each not in ALWAYS_THERE]


def _only_receipts(left: list[str]) -> bool:
    return all(each.startswith("Secret ") and ("-receipt-" in each or "-history-" in each) for each in left)


def _listed(namespace: Namespace) -> list[str]:
    """What `kubectl get daskclusters` shows: name, workers of the operator's own, status."""
    lines = namespace.kube.kubectl("get", "daskclusters", "-n", namespace.name, "--no-headers").splitlines()
    return [" ".join(line.split()[:3]) for line in lines if not line.startswith("No resources")]


async def _is_listed_running(namespace: Namespace, name: str) -> None:
    """The operator calls it so a little after it was started, when it sees its Service."""
    await until(lambda: in_thread(lambda: _listed(namespace)), lambda found: f"{name} 0 Running" in found)


async def _listed_after_a_look(namespace: Namespace) -> list[str]:
    await namespace.backend.clusters()  # whoever lists clusters takes away what is left of deleted ones
    return await in_thread(lambda: _listed(namespace))


def _pods(namespace: Namespace) -> set[str]:
    return {pod["metadata"]["uid"] for pod in namespace.kube.get("pods", namespace.name)}


def _with_their_tools(namespace: Namespace, name: str) -> list[object]:
    command = [sys.executable, "-c", THEIR_TOOLS, name, namespace.name]
    environment = {**os.environ, "KUBECONFIG": namespace.kube.kubeconfig}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    printed: list[object] = json.loads(done.stdout.splitlines()[-1])
    return printed


def _kill_at_first_sight(namespace: Namespace, acting: Operator, started: threading.Event) -> None:
    """Kill the operator as soon as there is something for it to do; after the start at last, since what it is too slow
    for is gone by then."""
    while not _listed(namespace) and not started.is_set():
        time.sleep(0.02)
    acting.kill()

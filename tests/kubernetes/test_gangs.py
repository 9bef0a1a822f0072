"""Gangs on pods that save what they have on a volume: what happens to a pod costs no more than the steps since."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import jupyter_mlops as mlops
from jupyter_mlops.client.runs.checkpoints import PLACE
from jupyter_mlops.places.kubernetes import names

from ..runs.test_functions import workers_of
from .clusters import PATIENCE, by_value
from .kube import Kube
from .running import Running, running

STEPS, EVERY = 60, 5


@pytest.fixture(scope="module")
def volume(module_kube: Kube) -> Iterator[str]:
    """A volume that all pods see: a folder of the only real node."""
    if not module_kube.own:
        pytest.skip("a volume is made of a folder of this machine")
    with tempfile.TemporaryDirectory(prefix="mlops-volume-") as folder:
        Path(folder).chmod(0o777)
        yield folder


def claim(kube: Kube, namespace: str, folder: str) -> str:
    """A claim to that folder in a namespace; its name."""
    modes, size = ["ReadWriteMany"], {"storage": "1Gi"}
    kube.apply(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": namespace},
            "spec": {
                "capacity": size,
                "accessModes": modes,
                "hostPath": {"path": folder},
                "storageClassName": "",
                "claimRef": {"namespace": namespace, "name": "checkpoints"},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "checkpoints", "namespace": namespace},
            "spec": {
                "accessModes": modes,
                "resources": {"requests": size},
                "storageClassName": "",
                "volumeName": namespace,
            },
        },
    )
    return "checkpoints"


@by_value
def train(pause: float) -> tuple[int, int]:
    """Where it began, and where it ended."""
    folder = mlops.resume()
    begin = step = int((folder / f"rank-{mlops.rank()}").read_text()) if folder is not None else 0
    print("from", begin, flush=True)
    while step < STEPS:
        time.sleep(pause)
        step += 1
        mlops.log_metric("at", step, step)
        stop = mlops.stopping()
        if step % EVERY == 0 or stop:
            with mlops.checkpoint(step) as place:
                (place / f"rank-{mlops.rank()}").write_text(str(step))
        if stop:
            break
    return begin, step


def pod_of(made: Running, worker: str) -> str:
    """The pod of a worker."""
    return next(pod["metadata"]["name"] for pod in made.pods() if pod["metadata"]["labels"][names.WORKER] == worker)


def test_an_evicted_pod_costs_no_step_and_one_that_is_forced_those_since_the_last_checkpoint(
    module_kube: Kube, volume: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", module_kube.kubeconfig)
    mount = {"name": "checkpoints", "mountPath": "/checkpoints"}
    source = {"name": "checkpoints", "persistentVolumeClaim": {"claimName": "checkpoints"}}
    pod = {"volumes": [source], "containers": [{"volumeMounts": [mount]}]}
    with running(
        module_kube,
        before=lambda namespace: claim(module_kube, namespace, volume),
        pod=pod,
        environment={PLACE: "/checkpoints"},
    ) as made:
        run = mlops.train(train, 0.2, workers=2, cluster=made.cluster, restarts=0)
        made.until(lambda: run.record.checkpoint)
        assert run.record.checkpoints == f"/checkpoints/{run.id}"
        (victim, *_) = [worker for worker in workers_of(made.cluster) if worker.phase == "busy"]
        made.kube.kubectl("delete", "pod", "-n", made.namespace.name, pod_of(made, victim.name), "--wait=false")
        results = [run.result(PATIENCE), *list(run.results())]
        begin, end = results[0]
        assert results == [(begin, STEPS)] * 3 and end == STEPS
        assert begin > EVERY and run.record.attempt == 2, run.prints()
        assert "All ranks have stopped at the same step" in run.prints()

        killed = mlops.train(train, 0.1, workers=2, cluster=made.cluster, fresh=True)
        made.until(lambda: killed.record.checkpoint and killed.record.checkpoint.step >= 2 * EVERY)
        (victim, *_) = [worker for worker in workers_of(made.cluster) if worker.phase == "busy"]
        grace = ("--grace-period=0", "--force", "--wait=false")
        made.kube.kubectl("delete", "pod", "-n", made.namespace.name, pod_of(made, victim.name), *grace)
        begin, end = killed.result(PATIENCE)
        assert end == STEPS and begin >= 2 * EVERY, killed.prints()  # some kubelets give notice even then
        steps = [curve.steps for curve in killed.curves["at"].ranks.values()]
        assert steps == [list(range(1, STEPS + 1))] * 2, "none is lost on its way here"
    made.kube.kubectl("delete", "pv", made.namespace.name, "--wait=false", "--ignore-not-found")

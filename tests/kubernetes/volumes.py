"""A gang that saves what it has on a volume that all pods see."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import jupyter_mlops as mlops
from jupyter_mlops.client.runs.checkpoints import PLACE

from ..runs.test_functions import workers_of
from .clusters import by_value
from .kube import Kube
from .running import Running, running

#: Steps of a training, after how many it saves, and after which it waits for what happens to it.
STEPS, EVERY, WAITS = 60, 5, 33


@contextmanager
def running_with_volume(kube: Kube, workers: int = 2, **fields: Any) -> Iterator[Running]:
    """As `running`, with a place for checkpoints: a folder of the only real node, which is its `volume`."""
    if not kube.own:
        pytest.skip("a volume is made of a folder of this machine")
    mount = {"name": "checkpoints", "mountPath": "/checkpoints"}
    source = {"name": "checkpoints", "persistentVolumeClaim": {"claimName": "checkpoints"}}
    pod: dict[str, Any] = {"volumes": [source], "containers": [{"volumeMounts": [mount]}]}
    volumes: list[str] = []

    def claim(namespace: str) -> None:
        volumes.append(namespace)
        _claim(kube, namespace, folder)

    # pods that are being killed may still write
    with tempfile.TemporaryDirectory(prefix="mlops-volume-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o777)
        try:
            with running(kube, workers, before=claim, pod=pod, environment={PLACE: "/checkpoints"}, **fields) as made:
                made.volume = Path(folder)
                yield made
        finally:
            kube.kubectl("delete", "pv", *volumes, "--wait=false", "--ignore-not-found")


def _claim(kube: Kube, namespace: str, folder: str) -> None:
    """A claim to that folder in a namespace, and the volume, which has the namespace's name."""
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


@by_value
def train(pause: float) -> tuple[int, int]:
    """Where it began, and where it ended. Until something has happened to it, it gets no further than the middle."""
    folder = mlops.resume()
    begin = step = int((folder / f"rank-{mlops.rank()}").read_text()) if folder is not None else 0
    print("from", begin, flush=True)
    while step < STEPS:
        time.sleep(pause)
        if begin or step < WAITS:
            step += 1
            mlops.log_metric("at", step, step)
        stop = mlops.stopping()
        if step % EVERY == 0 or stop:
            with mlops.checkpoint(step) as place:
                (place / f"rank-{mlops.rank()}").write_text(str(step))
        if stop:
            break
    return begin, step


def one_of(made: Running) -> str:
    """The name of a worker that has a rank."""
    return next(worker.name for worker in workers_of(made.cluster) if worker.phase == "busy")

"""dask-kubernetes' operator as the peer: it runs beside the benchmark, on this Kubernetes, with its defaults."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.kubernetes.dask_operator import crds

from .site import CPUS, FAKE, MEMORY, Site


@contextmanager
def running(site: Site, log: Path) -> Iterator[None]:
    """Its CRDs, and the operator itself, for the site's namespace; nothing of it is left."""
    command = ["kopf", "run", "-m", "dask_kubernetes.operator.controller", "--standalone", "-n", site.namespace]
    with crds(site.kube), log.open("wb") as file:
        process = subprocess.Popen([sys.executable, "-m", *command], stdout=file, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)
            let_go(site)


def let_go(site: Site) -> None:
    """Remove what waits for the operator, which is gone."""
    for kind in ("daskclusters", "daskworkergroups"):
        for held in site.kube.get(kind, site.namespace):
            patch = ("--type=merge", "-p", '{"metadata": {"finalizers": null}}')
            site.kube.kubectl("patch", kind, held["metadata"]["name"], "-n", site.namespace, *patch, check=False)
        site.kube.kubectl("delete", kind, "--all", "-n", site.namespace, "--wait=false")


def cluster(site: Site, name: str, workers: int, fake: bool) -> dict[str, Any]:
    """A DaskCluster as `KubeCluster` makes it, with the commands that today's Dask has, and our workers' requests."""
    from dask_kubernetes.operator import make_cluster_spec

    requests = {"requests": {"cpu": str(CPUS), "memory": MEMORY}}
    made: dict[str, Any] = make_cluster_spec(name=name, image=site.kube.image, n_workers=workers, resources=requests)
    scheduler, worker = made["spec"]["scheduler"]["spec"], made["spec"]["worker"]["spec"]
    scheduler["containers"][0]["args"][0:1] = ["dask", "scheduler"]
    worker["containers"][0]["args"][0:1] = ["dask", "worker"]
    scheduler["nodeSelector"] = site.real
    worker["nodeSelector"] = FAKE["spec"]["nodeSelector"] if fake else site.real
    return made

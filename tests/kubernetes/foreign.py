"""Clusters as others make them: the objects that `kubectl`, Helm's chart of Dask and `KubeCluster` send."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Any

from jupyter_mlops.places.kubernetes.why.facts import moment

from .clusters import Namespace

#: What the namespaces of the tests ask of each container.
_SECURITY = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
#: What a user of dask-kubernetes types, with the programs that Dask has now. In a process of its own: its threads
#: never end.
_KUBECLUSTER = """
import json, sys
from dask_kubernetes.operator import KubeCluster
spec = json.loads(sys.argv[2])
more = {"shutdown_on_close": False, "quiet": True, "resource_timeout": 150}
KubeCluster(custom_cluster_spec=spec, namespace=sys.argv[1], **more).close()
"""


def container(namespace: Namespace, name: str, *program: str, cpu: str = "50m", **more: Any) -> dict[str, Any]:
    """A container of the tests' image."""
    return {
        "name": name,
        "image": namespace.kube.image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["python", "-m", "dask", *program],
        "env": [{"name": "HOME", "value": "/tmp"}],
        "workingDir": "/tmp",
        "resources": {"requests": {"cpu": cpu, "memory": "250Mi"}, "limits": {"memory": "400Mi"}},
        "securityContext": _SECURITY,
        **more,
    }


def pod(namespace: Namespace, *containers: dict[str, Any]) -> dict[str, Any]:
    """A pod's spec, on a node with containers."""
    return {
        "containers": list(containers),
        "nodeSelector": {"kubernetes.io/hostname": namespace.kube.node},
        "terminationGracePeriodSeconds": 1,
    }


def daskcluster(namespace: Namespace, name: str, workers: int) -> dict[str, Any]:
    """A DaskCluster as dask-kubernetes' documentation has it."""
    labels = {"dask.org/cluster-name": name, "dask.org/component": "scheduler"}
    ports = [
        {"name": "tcp-comm", "containerPort": 8786, "protocol": "TCP"},
        {"name": "http-dashboard", "containerPort": 8787, "protocol": "TCP"},
    ]
    scheduler = pod(namespace, container(namespace, "scheduler", "scheduler", ports=ports))
    served = [{"name": port["name"], "port": port["containerPort"], "targetPort": port["name"]} for port in ports]
    service = {"type": "ClusterIP", "selector": labels, "ports": served}
    worker = container(namespace, "worker", "worker", "--name", "$(DASK_WORKER_NAME)", "--nthreads", "1")
    return {
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": "DaskCluster",
        "metadata": {"name": name},
        "spec": {
            "scheduler": {"spec": scheduler, "service": service},
            "worker": {"replicas": workers, "spec": pod(namespace, worker)},
        },
    }


def worker_group(namespace: Namespace, cluster: str, name: str, cpu: str) -> dict[str, Any]:
    """A group of one worker beside the default one, with so many CPUs. On any node: if it is too big, all say so, also
    the fake nodes of another test, which would outvote the real one."""
    worker = container(namespace, "worker", "worker", "--name", "$(DASK_WORKER_NAME)", cpu=cpu)
    spec = {name: part for name, part in pod(namespace, worker).items() if name != "nodeSelector"}
    return {
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": "DaskWorkerGroup",
        "metadata": {"name": f"{cluster}-{name}", "namespace": namespace.name},
        "spec": {"cluster": cluster, "worker": {"replicas": 1, "spec": spec}},
    }


def make_kubecluster(namespace: Namespace, name: str, workers: int) -> None:
    """What `KubeCluster` makes; left alone when its scheduler runs."""
    command = [sys.executable, "-c", _KUBECLUSTER, namespace.name, json.dumps(daskcluster(namespace, name, workers))]
    environment = {**os.environ, "KUBECONFIG": namespace.kube.kubeconfig}
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, env=environment)
        while process.poll() is None:
            time.sleep(1)
            _finish(namespace, name)
        said.seek(0)
        assert process.returncode == 0, said.read()


def _finish(namespace: Namespace, name: str) -> None:
    """Two handlers of the operator write the phase at the same time: Pending when all is made, Running when there is a
    Service. Where Pending comes last it stays, and `KubeCluster` gives up: Running is written again."""
    for group in namespace.kube.get("daskworkergroups", namespace.name, f"dask.org/cluster-name={name}"):
        if time.time() - moment(group["metadata"]["creationTimestamp"]) > 5:
            running = ("--type=merge", "-p", '{"status": {"phase": "Running"}}')
            namespace.kube.kubectl("patch", "daskcluster", name, "-n", namespace.name, *running)


def release(namespace: Namespace, name: str, workers: int, **marks: str) -> list[dict[str, Any]]:
    """What the chart `dask` makes of a release, with these labels besides; without its Jupyter."""
    address = f"{name}-dask-scheduler:8786"
    made = [
        _deployment(namespace, name, "scheduler", 1, marks, "scheduler", "--port", "8786"),
        _deployment(namespace, name, "worker", workers, marks, "worker", address, "--nthreads", "1", "--no-dashboard"),
    ]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": made[0]["metadata"],
        "spec": {
            "selector": _labels(name, "scheduler"),
            "ports": [{"name": "scheduler", "port": 8786, "targetPort": 8786}],
        },
    }
    return [*made, service]


def _deployment(
    namespace: Namespace, name: str, component: str, replicas: int, marks: dict[str, str], *program: str
) -> dict[str, Any]:
    labels = _labels(name, component)
    full = f"{name}-dask-{component}"
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": full,
            "namespace": namespace.name,
            "labels": {**labels, "chart": "dask-2026.1.0", "heritage": "Helm", **marks},
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": pod(namespace, container(namespace, full, *program)),
            },
        },
    }


def _labels(name: str, component: str) -> dict[str, str]:
    return {"app": "dask", "release": name, "component": component}

"""Where it is measured: a namespace of its own on a Kubernetes with fake nodes, which is then the current one."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jupyter_mlops as mlops
from jupyter_mlops.client.clusters.handle import Cluster
from jupyter_mlops.core.profile import Group, Profile
from jupyter_mlops.places import profiles
from tests.kubernetes.kube import Kube

#: Pods of workers that no container is made for go to nodes that don't exist; all others to a real one.
FAKE = {"spec": {"nodeSelector": {"fake": "true"}}}

#: What a real worker asks for, ours and the peer's: a small machine has room for seven of them.
CPUS, MEMORY = 0.05, "300Mi"


class Site:
    """A namespace, and how clusters are made there."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self.kube, self.namespace = kube, namespace
        nodes = json.loads(kube.kubectl("get", "nodes", "-l", "fake!=true", "-o", "json"))["items"]
        self.real = {"kubernetes.io/hostname": str(nodes[0]["metadata"]["labels"]["kubernetes.io/hostname"])}

    def start(self, name: str, workers: int, fake: bool = False) -> Cluster:
        """A cluster of ours whose scheduler is a real pod; returns when it is asked for."""
        self.profile(name, fake)
        return mlops.start(name, name=name, workers=workers, wait=False)

    def profile(self, name: str, fake: bool) -> None:
        """Save the profile of a cluster."""
        real = {"spec": {"nodeSelector": self.real}}
        most = 2000 if fake else 60  # by which the scheduler's pod is sized, whose node is small
        pod = {"pod": FAKE if fake else real}
        group = Group(workers=0, maximum=most, cpus=CPUS, memory=MEMORY, options=pod)
        options: dict[str, Any] = {"image": self.kube.image, "scheduler": real, "namespace": self.namespace}
        profiles.save(Profile(name=name, place="kubernetes", groups=[group], options=options, source="user"))


@contextmanager
def opened(kube: Kube, folder: Path) -> Iterator[Site]:
    """A site in a namespace that is made, and removed with all that is in it."""
    namespace = f"mlops-bench-{secrets.token_hex(3)}"
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    before = os.environ.get("KUBECONFIG")
    try:
        config = json.loads(kube.kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json"))
        config["contexts"][0]["context"]["namespace"] = namespace
        path = folder / "kubeconfig"
        path.write_text(json.dumps(config))
        os.environ["KUBECONFIG"] = str(path)
        yield Site(kube, namespace)
    finally:
        os.environ.pop("KUBECONFIG", None)
        if before is not None:
            os.environ["KUBECONFIG"] = before
        kube.kubectl("delete", "namespace", namespace, "--wait=false")

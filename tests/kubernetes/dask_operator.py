"""dask-kubernetes' CRDs in the tests' Kubernetes, and its operator as a process of the tests, for one namespace."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path

from .clusters import PATIENCE
from .kube import REPOSITORY, Kube

CRDS = "operator/deployment/helm/dask-kubernetes-operator/crds"
OURS = "app.kubernetes.io/managed-by=jupyter-mlops-tests"
#: Held by all test runs of this machine that use the CRDs: Kubernetes has one set of them for everybody.
LOCK = Path(tempfile.gettempdir()) / "jupyter-mlops-tests-crds.lock"
#: What the operator's framework is in its images of today, beside the version that dask-kubernetes 2026.3.0 works with.
NEWER_KOPF = ("kopf==1.45.2", "jsonpatch==1.33", "jsonpointer==3.12")


@contextmanager
def crds(kube: Kube) -> Iterator[None]:
    """The CRDs of the installed dask-kubernetes. Where tests put them, the last one that uses them takes them away."""
    folder = str(files("dask_kubernetes").joinpath(CRDS))
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)  # waits while they are taken away
        if not has_crds(kube):
            kube.kubectl("apply", "--server-side", "-f", folder)
            kube.kubectl("label", "-f", folder, OURS)
            kube.kubectl("wait", "--for=condition=Established", f"--timeout={PATIENCE:.0f}s", "-f", folder)
        try:
            yield
        finally:
            with suppress(BlockingIOError):  # somebody else uses them
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if has_crds(kube, OURS):
                    kube.kubectl("delete", f"--timeout={PATIENCE:.0f}s", "-f", folder)


def has_crds(kube: Kube, which: str = "") -> bool:
    """Whether they are there, with the labels that are asked for."""
    return any("daskclusters" in each["metadata"]["name"] for each in kube.get("customresourcedefinitions", "", which))


class Operator:
    """The operator, for one namespace. `path` is put before what is installed."""

    def __init__(self, kube: Kube, namespace: str, log: Path, path: str = "") -> None:
        self._kube, self._namespace, self._log, self._path = kube, namespace, log, path
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; return when it watches."""
        command = [sys.executable, "-m", "kopf", "run", "-m", "dask_kubernetes.operator.controller", "--standalone"]
        environment = {**os.environ, "KUBECONFIG": self._kube.kubeconfig, "PYTHONPATH": self._path}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--verbose", "--namespace", self._namespace],
                stdout=log, stderr=log, env=environment, cwd=self._log.parent,
            )  # fmt: skip
        deadline = time.monotonic() + PATIENCE
        while "Starting the watch-stream for daskclusters" not in self.log():
            assert self._process.poll() is None and time.monotonic() < deadline, self.log()
            time.sleep(0.1)

    def kill(self) -> None:
        """Kill it, as its node's end would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def log(self) -> str:
        """What it said since it was started."""
        return self._log.read_text()


@contextmanager
def operator(kube: Kube, namespace: str, folder: Path, path: str = "") -> Iterator[Operator]:
    """The operator, running; no DaskCluster that it holds is left in the namespace."""
    made = Operator(kube, namespace, folder / "operator.log", path)
    try:
        made.start()
        yield made
    finally:
        made.kill()
        for held in kube.get("daskclusters", namespace):
            name = held["metadata"]["name"]
            with suppress(AssertionError):  # gone meanwhile
                release = '{"metadata": {"finalizers": null}}'
                kube.kubectl("patch", "daskcluster", name, "-n", namespace, "--type=merge", "-p", release)
                kube.kubectl("delete", "daskcluster", name, "-n", namespace)


def newer_kopf() -> str:
    """A folder with kopf 1.42 or newer, which doesn't go with the constraints."""
    folder = REPOSITORY / ".run" / NEWER_KOPF[0].replace("==", "-")
    if not (folder / "done").exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "--target", str(folder), *NEWER_KOPF], check=True, stderr=subprocess.DEVNULL)
        (folder / "done").touch()
    return str(folder)

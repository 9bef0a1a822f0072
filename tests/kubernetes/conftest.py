from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from .clusters import Namespace
from .kube import Kube, opened, reason_to_skip

#: Counts the namespaces of this run.
_made = iter(range(1, 1000))


@pytest.fixture(scope="session")
def kube() -> Iterator[Kube]:
    """A real Kubernetes; tests that want one are skipped where there is none, with the reason."""
    if reason := reason_to_skip():
        pytest.skip(reason)
    with opened() as kube, pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", kube.kubeconfig)
        yield kube


@pytest.fixture
def own_kube(kube: Kube) -> Kube:
    """One that may be broken."""
    if not kube.own:
        pytest.skip("breaks components of Kubernetes, which only one of our own lets us")
    return kube


@pytest.fixture
def namespace(kube: Kube) -> Iterator[Namespace]:
    """A namespace that enforces Pod Security "restricted", and in which nothing of ours may be left."""
    name = f"mlops-test-{os.getpid()}-{next(_made)}"  # others may use the same Kubernetes
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    yield Namespace(kube, name)
    kube.kubectl("delete", "namespace", name, "--wait=false")

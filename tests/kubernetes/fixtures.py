"""The Kubernetes of a test run: one, for all folders of tests. A plugin of `tests/conftest.py`."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from .clusters import Namespace
from .kube import Kube, opened, reason_to_skip

#: Counts the namespaces of this run.
_made = iter(range(1, 1000))


@pytest.fixture(scope="session")
def session_kube() -> Iterator[Kube]:
    """A real Kubernetes; tests that want one are skipped where there is none, with the reason."""
    if reason := reason_to_skip():
        pytest.skip(reason)
    with opened() as kube:
        yield kube


@pytest.fixture
def kube(session_kube: Kube, monkeypatch: pytest.MonkeyPatch) -> Kube:
    """That one, as the current one of this test alone: the others see none."""
    monkeypatch.setenv("KUBECONFIG", session_kube.kubeconfig)
    return session_kube


@pytest.fixture
def own_kube(kube: Kube) -> Kube:
    """One that may be broken."""
    if not kube.own:
        pytest.skip("breaks components of Kubernetes, which only one of our own lets us")
    return kube


@pytest.fixture
def namespace(kube: Kube) -> Iterator[Namespace]:
    """A namespace of the test's own."""
    name = free_namespace(kube)
    yield Namespace(kube, name)
    kube.kubectl("delete", "namespace", name, "--wait=false")


def free_namespace(kube: Kube) -> str:
    """Make a namespace that enforces Pod Security "restricted". Others may use the same Kubernetes."""
    name = f"mlops-test-{os.getpid()}-{next(_made)}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    return name

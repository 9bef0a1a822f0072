"""The Kubernetes of a test run: one, for all folders of tests. A plugin of `tests/conftest.py`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from .api import StoringApi, storing_api
from .clusters import MADE, OURS, Namespace
from .kube import Kube, opened, reason_to_skip, turn

#: The namespaces of this run, counted.
_PREFIX = f"mlops-test-{os.getpid()}-"
_made = iter(range(1, 1000))
#: Why tests that break a Kubernetes are skipped.
NOT_OWN = "breaks components of Kubernetes, which only one of our own lets us"
#: Seconds for what was ended to be gone.
GRACE = 150.0


@pytest.fixture(scope="session")
def session_kube() -> Iterator[Kube]:
    """A real Kubernetes; tests that want one are skipped where there is none, with the reason."""
    if reason := reason_to_skip():
        pytest.skip(reason)
    with opened() as kube:
        yield kube
        _nothing_is_left(kube)


@pytest.fixture(scope="module")
def module_kube(session_kube: Kube, request: pytest.FixtureRequest) -> Iterator[Kube]:
    """That one, for a file's tests, which have it to themselves where the file says `ALONE = True`."""
    with turn(alone=getattr(request.module, "ALONE", False)):
        yield session_kube


@pytest.fixture
def kube(module_kube: Kube, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kube]:
    """That one, as the current one of this test alone: the others see none."""
    monkeypatch.setenv("KUBECONFIG", module_kube.kubeconfig)
    yield module_kube


@pytest.fixture
def own_kube(kube: Kube, request: pytest.FixtureRequest) -> Kube:
    """One that may be broken, by the tests of a file that has it to itself."""
    assert request.module.ALONE
    if not kube.own:
        pytest.skip(NOT_OWN)
    return kube


@pytest.fixture
def namespace(kube: Kube) -> Iterator[Namespace]:
    """A namespace of the test's own. It stays until the end, when nothing but receipts may be in it."""
    yield Namespace(kube, free_namespace(kube))


def free_namespace(kube: Kube) -> str:
    """Make a namespace that enforces Pod Security "restricted". Others may use the same Kubernetes."""
    name = f"{_PREFIX}{next(_made)}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    return name


def _nothing_is_left(kube: Kube) -> None:
    """What the tests made is gone, but for receipts that nobody forgot. (`tests/conftest` looks at processes.)"""
    deadline = time.monotonic() + GRACE
    while (left := _left(kube)) and time.monotonic() < deadline:
        time.sleep(0.5)
    namespaces = [name for name in _names(kube, "namespaces") if name.startswith(_PREFIX)]
    if namespaces:
        kube.kubectl("delete", "namespaces", *namespaces, "--wait=false", "--ignore-not-found")
    assert not left, "left in Kubernetes:\n" + "\n".join(left)


def _left(kube: Kube) -> list[str]:
    items = kube.get(MADE, "", OURS)
    if "daskclusters.kubernetes.dask.org" in _names(kube, "customresourcedefinitions"):
        with suppress(AssertionError):  # another process takes the kind away, and all of it with it
            items += kube.get("daskclusters", "", OURS)
    found = [
        f"{item['kind']} {item['metadata']['namespace']}/{item['metadata']['name']}"
        for item in items
        if item["metadata"]["namespace"].startswith(_PREFIX)
        and item["metadata"]["labels"].get("jupyter-mlops/part") not in ("receipt", "history")
    ]
    for kind in ("clusterroles", "clusterrolebindings"):
        found += [f"{kind} {name}" for name in _names(kube, kind, OURS) if _PREFIX in name]
    return found


def _names(kube: Kube, kind: str, selector: str = "") -> list[str]:
    return [item["metadata"]["name"] for item in kube.get(kind, "", selector)]


@pytest.fixture
def api_of_ann(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoringApi]:
    """A Kubernetes that only stores, whose current user is Ann, in a home of her own."""
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("JUPYTERHUB_USER", "Ann")
    with storing_api() as api:
        monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path)))
        yield api

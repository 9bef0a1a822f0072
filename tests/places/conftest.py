from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..kubernetes.clusters import Namespace
from .place import SHED, KubernetesPlace, LocalPlace, ShedPlace, opened


@pytest.fixture(params=["local", "shed", pytest.param("kubernetes", marks=pytest.mark.kubernetes)])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalPlace]:
    """Each place in turn; Kubernetes is skipped, with the reason, where there is none."""
    here: LocalPlace = LocalPlace()
    if request.param == "shed":
        monkeypatch.syspath_prepend(str(SHED))
        here = ShedPlace()
    elif request.param == "kubernetes":
        namespace: Namespace = request.getfixturevalue("namespace")
        monkeypatch.setenv("KUBECONFIG", str(namespace.kubeconfig(tmp_path)))
        here = KubernetesPlace(namespace)
    with opened(here, tmp_path / "home", monkeypatch) as place:
        yield place

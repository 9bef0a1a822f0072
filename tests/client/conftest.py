"""A place that can fall silent: another package's, as far as the client knows."""

from __future__ import annotations

from pathlib import Path

import pytest

FAR = """
import os
from jupyter_mlops.core.cluster import ClusterState, Problem
from jupyter_mlops.core.errors import ClusterUnreachable
from jupyter_mlops.places.local.backend import LocalBackend

def away():
    return os.path.exists(os.environ["FAR_IS_AWAY"])

class Far(LocalBackend):
    place = "far"
    title = "far"

    async def clusters(self):
        if away():
            return []
        made = {"place": "far", "profile": "p", "owner": "me", "mine": True, "phase": "running"}
        return [ClusterState(name=name, created=created, **made) for name, created in (("survey", 2), ("flights", 1))]

    def silence(self):
        return Problem(what="Far doesn't answer", todo="Check the network.") if away() else None

    def way(self):
        return "a kubeconfig"

    async def get(self, name):
        raise ClusterUnreachable("Far doesn't answer")

    async def link(self, name, timeout=30.0):
        raise ClusterUnreachable("Far doesn't answer")
"""


class Far:
    """The place `far` with two clusters, until it is away."""

    def __init__(self, folder: Path) -> None:
        self._away = folder / "away"

    def goes_away(self) -> None:
        self._away.touch()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of the test's own."""
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def far(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Far:
    """The place, installed."""
    return installed(tmp_path / "far", monkeypatch)


def installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Far:
    """The place, installed in that folder."""
    info = folder / "far_place-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: far-place\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[jupyter_mlops.places]\nfar = far_place:Far\n")
    (folder / "far_place.py").write_text(FAR)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("FAR_IS_AWAY", str(folder / "away"))
    return Far(folder)

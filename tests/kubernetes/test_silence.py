"""A Kubernetes that doesn't answer: nobody is told that what may be there is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import jupyter_mlops as mlops
from jupyter_mlops.client.clusters.listing import backend_of
from jupyter_mlops.core.errors import ClusterUnreachable


@pytest.fixture
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kubeconfig that leads to a port where nobody listens."""
    pytest.importorskip("kubernetes.aio")
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "far", "cluster": {"server": "http://127.0.0.1:9"}}],
        "users": [{"name": "ann", "user": {}}],
        "contexts": [{"name": "far", "context": {"cluster": "far", "user": "ann", "namespace": "ann"}}],
        "current-context": "far",
    }
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config))
    monkeypatch.setenv("KUBECONFIG", str(path))


async def test_a_cluster_that_may_be_there_is_not_called_unknown(nobody: None) -> None:
    with pytest.raises(ClusterUnreachable, match="no cluster named 'mine' where one could look: Kubernetes doesn't"):
        await backend_of("mine")


def test_a_run_that_may_be_there_is_not_called_unknown(nobody: None) -> None:
    with pytest.raises(ClusterUnreachable, match="no run named 'abcdef123456' where one could look: Kubernetes"):
        mlops.get_run("abcdef123456")

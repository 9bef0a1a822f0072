from __future__ import annotations

from collections.abc import Iterator

import pytest

import jupyter_mlops as mlops

from .cluster import a_cluster


@pytest.fixture(scope="session")
def runs_cluster() -> Iterator[mlops.Cluster]:
    with a_cluster("runs") as made:
        yield made


@pytest.fixture
def cluster(runs_cluster: mlops.Cluster) -> mlops.Cluster:
    """Two workers, whatever the test before did."""
    runs_cluster.scale(2)
    runs_cluster.wait(2)
    return runs_cluster

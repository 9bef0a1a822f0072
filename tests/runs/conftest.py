from __future__ import annotations

from collections.abc import Iterator

import cloudpickle
import pytest

import jupyter_mlops as mlops

from .cluster import a_cluster


@pytest.fixture(scope="module", autouse=True)
def as_in_a_notebook(request: pytest.FixtureRequest) -> Iterator[None]:
    """Functions of a test file travel as a notebook's do, by value. Else each runner would import what tests need."""
    cloudpickle.register_pickle_by_value(request.module)
    yield
    cloudpickle.unregister_pickle_by_value(request.module)


@pytest.fixture(scope="module")
def runs_cluster() -> Iterator[mlops.Cluster]:
    """One for the tests of a file: it takes more of a CPU to wait for the next file than to begin anew there."""
    with a_cluster("runs") as made:
        yield made


@pytest.fixture
def cluster(runs_cluster: mlops.Cluster, request: pytest.FixtureRequest) -> Iterator[mlops.Cluster]:
    """Two workers, whatever the test before did. What one that fails leaves running ends with it: one fault of a gang
    would else be a fault of each test after it, for want of workers."""
    runs_cluster.scale(2)
    runs_cluster.wait(2)
    failed = request.session.testsfailed
    yield runs_cluster
    if request.session.testsfailed > failed:
        for run in mlops.runs():
            run.cancel("its test has failed")

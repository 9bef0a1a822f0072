"""Which cluster a run without a name goes to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from jupyter_mlops.client.clusters import choose as chooser
from jupyter_mlops.client.clusters.choose import choose, go_on
from jupyter_mlops.client.clusters.kernel import Kernel
from jupyter_mlops.client.clusters.listing import Listing
from jupyter_mlops.core.cluster import ClusterState
from jupyter_mlops.core.naming import ClusterName
from jupyter_mlops.core.run import Origin, RunState
from jupyter_mlops.home.runs import run_folder


class Opened(SimpleNamespace):
    """A session of a cluster, in name only."""

    def __init__(self, cluster: str) -> None:
        super().__init__(id=cluster, name=ClusterName.of(cluster).name)


class Clusters:
    """Clusters that exist in name only, and what a notebook is told about them."""

    def __init__(self) -> None:
        self.live: dict[str, ClusterState] = {}
        self.opened_: set[str] = set()
        self.said: list[str] = []

    def begins(self, name: str, created: float, mine: bool = True, **more: str) -> None:
        self.live[name] = ClusterState(
            name=name, place="local", profile="p", owner="me", phase="running", created=created, mine=mine, **more
        )

    def ends(self, name: str) -> None:
        del self.live[name]
        self.opened_ = {cluster for cluster in self.opened_ if ClusterName.of(cluster).name != name}

    async def listing(self) -> Listing:
        return Listing(sorted(self.live.values(), key=lambda state: -state.created))

    def opened(self, cluster: str) -> Opened | None:
        return Opened(cluster) if cluster in self.opened_ else None

    async def open(self, cluster: str) -> Opened:
        self.opened_.add(cluster)
        return Opened(cluster)

    def run(self, name: str | None = None) -> str:
        """Where a run goes."""
        return asyncio.run(choose(name, self.said.append)).name


@pytest.fixture
def clusters(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Clusters]:
    made, kernel = Clusters(), Kernel()
    monkeypatch.setattr(kernel, "_sessions", made)
    monkeypatch.setattr(chooser, "kernel", lambda: kernel)
    monkeypatch.setattr(chooser, "list_clusters", made.listing)
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path))
    monkeypatch.delenv(chooser.NOTEBOOK, raising=False)
    yield made


def test_a_notebook_goes_on_where_its_last_cell_ran(clusters: Clusters) -> None:
    clusters.begins("mine", 1)
    assert clusters.run() == "mine" and not clusters.said
    clusters.begins("dear", 2)
    assert clusters.run() == "mine" and not clusters.said
    assert clusters.run("dear") == "dear"
    assert clusters.run() == "dear" and not clusters.said


def test_another_one_is_not_taken_without_a_word(clusters: Clusters) -> None:
    clusters.begins("mine", 1)
    clusters.run()
    clusters.begins("dear", 2)
    clusters.ends("mine")
    assert clusters.run() == "dear"
    assert clusters.said == [
        "The cluster 'mine', where this notebook's last run was, has stopped.",
        "Using the cluster 'dear'.",
    ]
    assert clusters.run() == "dear" and len(clusters.said) == 2


def test_when_the_last_one_has_stopped_it_is_the_one_before(clusters: Clusters) -> None:
    for number, name in enumerate(("first", "second")):
        clusters.begins(name, number)
        clusters.run(name)
    clusters.begins("newest", 9)
    clusters.ends("second")
    assert clusters.run() == "first"
    assert clusters.said[-1] == "Using the cluster 'first', one of 2; name another with --cluster."


@pytest.mark.parametrize("maker", ["jupyter-mlops", "KubeCluster"])
def test_a_cluster_of_others_is_named_each_time(clusters: Clusters, maker: str) -> None:
    clusters.begins("mine", 1)
    clusters.begins("theirs", 2, mine=False, maker=maker)
    assert clusters.run("theirs") == "theirs"
    assert clusters.run() == "mine"
    assert clusters.run("theirs") == "theirs" and clusters.run() == "mine"


def test_one_that_was_started_since_under_the_same_name_is_another(clusters: Clusters) -> None:
    clusters.begins("mine", 1)
    clusters.begins("dear", 2)
    assert clusters.run("mine") == "mine"
    clusters.ends("mine")
    clusters.begins("mine", 3)
    assert clusters.run() == "mine"
    assert clusters.said == [
        "The cluster 'mine', where this notebook's last run was, has stopped.",
        "Using the cluster 'mine', one of 2; name another with --cluster.",
    ]


def _record(notebook: str, cluster: str, created: float) -> None:
    state = RunState(
        id=f"{int(created):012x}", name="r", kind="cell", cluster=cluster, owner="me", created=created,
        origin=Origin(notebook=notebook),
    )  # fmt: skip
    run_folder(state.id).make()
    run_folder(state.id).write_record(state)


def test_after_a_restart_the_notebook_goes_on_where_it_was(clusters: Clusters, monkeypatch: pytest.MonkeyPatch) -> None:
    clusters.begins("mine", 1)
    clusters.begins("dear", 2)
    _record("a.ipynb", "mine", 10)
    _record("b.ipynb", "dear", 20)
    monkeypatch.setenv(chooser.NOTEBOOK, "a.ipynb")
    assert clusters.run() == "mine"
    assert clusters.said == ["Using the cluster 'mine', one of 2; name another with --cluster."]


def test_a_notebook_that_ran_nowhere_gets_the_newest(clusters: Clusters) -> None:
    clusters.begins("old", 1)
    clusters.begins("new", 2)
    assert go_on(sorted(clusters.live.values(), key=lambda state: -state.created)).name == "new"
    assert clusters.run() == "new" and "one of 2" in clusters.said[0]

"""Clusters of several people under one name, and in one namespace: nobody gets, or ends, another one's by accident.

The API stores and does nothing else; local clusters are real ones.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterator

import pytest

pytest.importorskip("kubernetes.aio")

import jupyter_mlops as mlops
from jupyter_mlops import places
from jupyter_mlops.cli.main import main as cli
from jupyter_mlops.client.clusters.choose import choose
from jupyter_mlops.client.clusters.kernel import kernel
from jupyter_mlops.client.clusters.listing import list_clusters
from jupyter_mlops.core.cluster import ClusterSpec, ClusterState
from jupyter_mlops.core.errors import AmbiguousName, ClusterEnded
from jupyter_mlops.core.profile import Group, Profile

from ..controller.cluster import until
from .api import StoringApi


@pytest.fixture
def api(api_of_ann: StoringApi) -> Iterator[StoringApi]:
    """The namespace that Ann shares with others; it is Ann who looks."""
    yield api_of_ann
    asyncio.run(_end_local())


async def _end_local() -> None:
    for state in await places.get("local").clusters():
        await places.get("local").stop(state.id, force=True)


async def made(name: str, owner: str = "Ann") -> ClusterState:
    """A cluster of pods, made with this tool."""
    return await places.get("kubernetes").start(_spec(name, owner, "kubernetes", Group(workers=1)))


async def local(name: str) -> None:
    """A real cluster of this machine, without workers."""
    await places.get("local").start(_spec(name, "Ann", "local", Group(workers=0)))


def _spec(name: str, owner: str, place: str, group: Group) -> ClusterSpec:
    profile = Profile(name="small", place=place, groups=[group])
    return ClusterSpec(name=name, owner=owner, profile=profile, created=time.time())


def release(api: StoringApi, name: str) -> None:
    """What Helm's chart of Dask makes: a cluster of somebody else."""
    for component in ("scheduler", "worker"):
        labels = {"app": "dask", "release": name, "component": component, "app.kubernetes.io/managed-by": "Helm"}
        pod = {"spec": {"containers": [{"name": component}]}}
        metadata = {"name": f"{name}-{component}", "labels": labels, "creationTimestamp": "2100-01-01T00:00:00Z"}
        body = {"metadata": metadata, "spec": {"template": pod}}
        api.put("deployments", body | {"kind": "Deployment"})


async def test_a_release_that_is_called_like_my_live_cluster_gets_nothing_of_it(
    api: StoringApi, capsys: pytest.CaptureFixture[str]
) -> None:
    await local("v4")
    release(api, "v4")  # the newer one
    listing = await list_clusters()
    assert [(state.path, state.mine) for state in listing.clusters] == [
        ("v4.ann.kubernetes", False),
        ("v4.local", True),
    ]
    assert listing.named("v4").place == "local"
    assert listing.named("v4.kubernetes").maker == "helm"
    assert await asyncio.to_thread(cli, ["list"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert re.match(r"NAME +STATE +PLACE +OWNER", rows[0])
    assert {row.split()[0] for row in rows[1:3]} == {"v4.local", "v4.ann.kubernetes"}
    assert await asyncio.to_thread(cli, ["stop", "v4", "--force"]) == 0
    assert (await places.get("local").get("v4")).phase == "ended"
    assert not api.changes
    with pytest.raises(ClusterEnded, match=r"There is also v4\.ann\.kubernetes \(made with helm\): name it so"):
        await choose("v4", print)


async def test_stop_all_ends_only_my_own(api: StoringApi, capsys: pytest.CaptureFixture[str]) -> None:
    await made("anns")
    await made("bobs", owner="Bob")
    release(api, "helms")
    api.changes.clear()
    assert await asyncio.to_thread(cli, ["stop", "--all"]) == 0
    assert capsys.readouterr().out == "anns has ended.\n"
    assert not [change for change in api.changes if "anns" not in change]
    live = [state for state in (await list_clusters()).clusters if state.phase != "ended"]
    assert {(state.name, state.owner, state.mine) for state in live} == {("bobs", "Bob", False), ("helms", "", False)}


async def test_another_ones_cluster_ends_only_if_it_is_named_exactly(
    api: StoringApi, capsys: pytest.CaptureFixture[str]
) -> None:
    await made("bobs", owner="Bob")
    api.changes.clear()
    assert await asyncio.to_thread(cli, ["stop", "bobs"]) == 1
    assert capsys.readouterr().err == (
        "The cluster 'bobs' isn't yours: it is of Bob, and its maker may be using it. "
        "To stop it all the same, name it exactly: bobs.ann.kubernetes\n"
    )
    assert not api.changes
    assert await asyncio.to_thread(cli, ["stop", "bobs.ann.kubernetes"]) == 0
    assert (await list_clusters()).named("bobs").phase == "ended"


async def test_a_run_without_a_name_never_goes_to_another_ones_cluster(
    api: StoringApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    await made("bobs", owner="Bob")
    monkeypatch.setattr(kernel(), "selected", None)
    monkeypatch.setattr(kernel(), "used", [])
    with pytest.raises(mlops.MlopsError, match="There is no cluster yet"):
        await asyncio.to_thread(mlops.cluster)


async def test_a_name_that_two_of_mine_have_is_asked_about(api: StoringApi) -> None:
    await local("v4")
    await made("v4")
    with pytest.raises(AmbiguousName, match=r"v4\.\w+.* \(yours\) and v4\..* \(yours\)"):
        await asyncio.to_thread(mlops.cluster, "v4")
    for exact, place in (("v4.local", "local"), ("v4.ann.kubernetes", "kubernetes")):
        chosen = await asyncio.to_thread(mlops.cluster, exact)
        assert (await asyncio.to_thread(chosen.state)).place == place


async def test_a_handle_stays_with_its_cluster(api: StoringApi) -> None:
    first = mlops.Cluster((await made("one")).id)
    await asyncio.to_thread(first.stop)
    api.put("services", {"metadata": {"name": "one-scheduler"}})  # what it owned goes a little later than its record
    again = asyncio.create_task(made("one"))
    await until(lambda: "one-spec" in api.objects["secrets"])
    del api.objects["services"]["one-scheduler"]
    second = mlops.Cluster((await again).id)
    assert first != second and first.name == second.name
    before = list(api.changes)
    assert (await asyncio.to_thread(first.state)).phase == "ended"
    await asyncio.to_thread(first.stop)
    assert api.changes == before
    assert (await asyncio.to_thread(second.state)).phase == "starting"
    assert (await asyncio.to_thread(mlops.cluster, "one")) == second


async def test_what_a_record_says_of_itself_makes_it_nobody_elses(api: StoringApi) -> None:
    """Bob's controller claims that its cluster is Ann's, on Ann's machine."""
    theirs = await made("bobs", owner="Bob")
    claim = theirs.model_copy(update={"name": "v4", "place": "local", "owner": "Ann", "mine": True, "cpus": 8.0})
    api.keep("bobs-receipt", "state.json", claim.model_dump_json())
    (seen,) = await places.get("kubernetes").clusters()
    assert (seen.id, seen.owner, seen.mine, seen.cpus) == (theirs.id, "Bob", False, 8.0)


async def test_objects_say_whose_they_are(api: StoringApi) -> None:
    await made("anns", owner="Ann@example.org")
    for kind, there in api.objects.items():
        for item in there.values() if kind != "namespaces" else ():
            metadata = item["metadata"]
            assert metadata["annotations"]["jupyter-mlops/owner"] == "Ann@example.org", json.dumps(metadata)
            assert metadata["labels"]["jupyter-mlops/owner"] == "Ann-example.org"

"""Where clusters keep what not everybody may read: in Secrets. Those of 0.1.0, which had ConfigMaps, go on."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("kubernetes.aio")

from jupyter_mlops import places
from jupyter_mlops.core.cluster import ClusterSpec
from jupyter_mlops.core.price import Price
from jupyter_mlops.core.profile import Group, Profile
from jupyter_mlops.places.base import Backend

from .api import StoringApi, storing_api
from .test_unreadable import made

PASSWORD = "correct-horse"


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StoringApi]:
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    with storing_api() as api:
        api.unknown.clear()
        monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path)))
        yield api


@pytest.fixture
def backend(api: StoringApi) -> Backend:
    return places.get("kubernetes")


async def test_who_may_not_read_secrets_reads_neither_results_nor_code_nor_the_environment(
    api: StoringApi, backend: Backend
) -> None:
    environment = {"DATABASE_PASSWORD": PASSWORD, "OMP_NUM_THREADS": "3"}
    options = {"record": "operator", "operator_timeout": 1}
    groups = [Group(workers=1)]
    profile = Profile(name="p", place="kubernetes", groups=groups, environment=environment, options=options)
    spec = ClusterSpec(name="one", owner="Ann", profile=profile, price=Price(), created=time.time())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jupyter_mlops.places.kubernetes.records.daskcluster.acts", _acts)
        await backend.start(spec)

    assert not api.objects.get("configmaps")
    (budget,) = api.objects["poddisruptionbudgets"].values()
    labels = api.of("deployments", "one-")["spec"]["template"]["metadata"]["labels"]
    assert budget["spec"]["minAvailable"] == 1
    assert budget["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert api.objects["daskclusters"] and api.objects["daskworkergroups"]
    for kind, there in api.objects.items():
        assert kind == "secrets" or PASSWORD not in json.dumps(there), kind
    assert (await backend.spec("one")).profile.environment == environment

    stored = api.of("secrets", "one-environment")
    assert base64.b64decode(stored["data"]["DATABASE_PASSWORD"]).decode() == PASSWORD
    assert stored["metadata"]["ownerReferences"][0]["name"] == "one-scheduler"  # it goes with the cluster
    (container,) = api.of("deployments", "one-")["spec"]["template"]["spec"]["containers"]
    assert container["envFrom"] == [{"secretRef": {"name": "one-environment"}}]
    assert "OMP_NUM_THREADS" not in [each["name"] for each in container["env"]]  # which would win over it


async def _acts(*_: object) -> bool:
    return True


async def test_clusters_of_an_older_version_are_listed_stopped_billed_and_forgotten(
    api: StoringApi, backend: Backend, tmp_path: Path
) -> None:
    await made(backend, tmp_path / "clusters", "one", "two")
    as_of_0_1_0(api, "one")
    api.changes.clear()

    seen = {state.name: state for state in await backend.clusters()}
    assert {name: state.phase for name, state in seen.items()} == {"one": "running", "two": "running"}
    assert seen["one"].cost.amount == 1.5 and seen["one"].problem is None
    assert [event.text for event in await backend.events("one")] == ["Made", "r"]
    assert len(await backend.runs("one")) == 1

    await backend.stop("one", force=True)
    receipt = await backend.receipt("one")
    assert receipt is not None and receipt.runs == 1 and receipt.cost.usage.worker_hours > 0
    assert not [change for change in api.changes if "two" in change]
    await backend.forget("one")
    assert not api.objects["configmaps"]
    assert [state.name for state in await backend.clusters()] == ["two"]


async def test_who_may_not_read_config_maps_sees_the_clusters_of_this_version(
    api: StoringApi, backend: Backend, tmp_path: Path
) -> None:
    """The rights that `manifests` prints are for what is made now."""
    await made(backend, tmp_path / "clusters", "one")
    api.refused.add("configmaps")
    (seen,) = await backend.clusters()
    assert (seen.name, seen.phase) == ("one", "running")


async def test_a_deleted_namespace_is_called_so(api: StoringApi, backend: Backend, tmp_path: Path) -> None:
    await made(backend, tmp_path / "clusters", "one")
    assert [state.phase for state in await backend.clusters()] == ["running"]
    for there in api.objects.values():
        there.clear()
    (gone,) = await backend.clusters()
    assert gone.phase == "ended" and gone.problem is not None
    assert gone.problem.why == "its namespace 'ann' was deleted"


def as_of_0_1_0(api: StoringApi, cluster: str) -> None:
    """What is kept of the cluster, in the ConfigMaps that version 0.1.0 made."""
    for name in [
        name for name in api.objects["secrets"] if name.startswith(f"{cluster}-") and name != f"{cluster}-tls"
    ]:
        item = api.objects["secrets"].pop(name)
        plain = {file: base64.b64decode(data).decode() for file, data in item["data"].items() if _is_plain(file)}
        coded = {file: data for file, data in item["data"].items() if not _is_plain(file)}
        api.put("configmaps", {**item, "kind": "ConfigMap", "data": plain, "binaryData": coded})
    deployment = api.of("deployments", f"{cluster}-")
    volumes = [each for each in deployment["spec"]["template"]["spec"]["volumes"] if each["name"] != "spec"]
    volumes.append({"name": "spec", "configMap": {"name": f"{cluster}-spec"}})
    deployment["spec"]["template"]["spec"]["volumes"] = volumes


def _is_plain(file: str) -> bool:
    return not file.endswith((".gz", ".zlib"))

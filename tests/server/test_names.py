"""Names that somebody sent lead to what has that name, and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import quote

import pytest

from jupyter_mlops import places
from jupyter_mlops.client.runs.copies import bring_home
from jupyter_mlops.core.cluster import ClusterSpec, Receipt
from jupyter_mlops.core.errors import InvalidSpec, UnknownCluster, UnknownWorker, Unreadable
from jupyter_mlops.core.price import Cost
from jupyter_mlops.core.profile import Group, Profile
from jupyter_mlops.home.clusters import ClusterFolder
from jupyter_mlops.places.kubernetes.api.client import Api

SECRET = "a line that is nobody's business"


@pytest.fixture
def ended(home: Path) -> ClusterFolder:
    """A cluster that ended, with its logs; and beside it what isn't its own."""
    folder = ClusterFolder(home / "clusters" / "one")
    folder.logs.mkdir(parents=True)
    profile = Profile(name="small", groups=[Group()])
    folder.write_spec(ClusterSpec(name="one", owner="me", profile=profile, created=1.0))
    told: dict[str, Any] = {"name": "one", "place": "local", "owner": "me", "profile": "small", "cost": Cost()}
    folder.write_receipt(Receipt(**told, created=1.0, ended=4e9, cause="user"))
    (folder.logs / "default-1.log").write_text("its own line\n")
    for other in (home / "outside.log", folder.path / "beside.log"):
        other.write_text(SECRET)
    (folder.logs / "link.log").symlink_to(home / "outside.log")
    os.mkfifo(folder.logs / "pipe.log")
    os.mkfifo(home / "pipe.log")
    return folder


def hostile(home: Path) -> list[str]:
    """Names that are paths, or nothing at all."""
    paths = [f"{home}/outside", f"{home}/pipe", "../beside", "../../../outside", "./default-1", "logs/../default-1"]
    return [*paths, "link", "pipe", "..", ".", "/", "a\0b", "x" * 5000, "*", "default-?", "~root"]


async def test_the_name_of_a_worker_is_no_path(ask: Any, home: Path, ended: ClusterFolder) -> None:
    assert await ask("GET", "clusters/one/logs", worker="default-1") == ["its own line"]
    assert await ask("GET", "clusters/one/logs") == []
    for name in hostile(home):
        status, error = await ask("GET", "clusters/one/logs", worker=name)
        assert (status, error["error"]) == (404, "UnknownWorker"), name
        with pytest.raises(UnknownWorker):
            await places.get("local").logs("one", name)


async def test_the_name_of_a_cluster_is_no_path(ask: Any, home: Path, ended: ClusterFolder) -> None:
    (home / "outside").mkdir()
    (home / "outside" / "spec.json").write_bytes(ended.spec_file.read_bytes())
    for name in [*hostile(home), "../outside"]:
        for method, path in (("GET", ""), ("GET", "/events"), ("GET", "/logs"), ("GET", "/receipt"), ("DELETE", "")):
            status, error = await ask(method, f"clusters/{quote(name, safe='')}{path}")
            # tornado itself has no route for the dots that the client resolves
            assert status == 404, (name, path, error)
        with pytest.raises(UnknownCluster):
            await places.get("local").forget(name)
    assert (home / "outside" / "spec.json").exists()


async def test_what_a_cluster_calls_a_part_of_a_result_is_no_path(home: Path) -> None:
    async def parts(run: str) -> dict[str, int]:
        return {"mlrun-0123456789ab-/../../../evil": 10}

    session = SimpleNamespace(link=SimpleNamespace(run_parts=parts))
    with pytest.raises(Unreadable, match="no task of a run"):
        await bring_home(cast(Any, session), "0123456789ab")


@pytest.mark.parametrize("name", ["../secrets/a", "a/../../secrets/a", "a%2fb", "a?b", "a#b", "é"])
def test_a_name_is_one_step_of_a_path_in_kubernetes(name: str) -> None:
    api = Api(cast(Any, None), "ann", cast(Any, None))
    for path in (api.path("pods", name), api.path("pods", namespace=name)):
        assert path.count("/") == api.path("pods", "a").count("/") - (path.endswith("/pods")), path
        assert not set(path) & set("?#")
    for step in (".", ".."):
        with pytest.raises(InvalidSpec):
            api.path("pods", step)

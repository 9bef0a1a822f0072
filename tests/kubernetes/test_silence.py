"""A Kubernetes that can't be asked: nobody is told that what may be there is not, and nothing else is disturbed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import jupyter_mlops as mlops
from jupyter_mlops import home
from jupyter_mlops.cli.main import main
from jupyter_mlops.client.clusters.listing import list_place, placed
from jupyter_mlops.core.cluster import ClusterState
from jupyter_mlops.core.errors import ClusterUnreachable
from jupyter_mlops.core.profile import Group, Profile
from jupyter_mlops.home import last_seen
from jupyter_mlops.places import profiles

from .https import LOCAL, Authority, Server, serving

pytest.importorskip("kubernetes.aio")


def config(server: str, context: str = "far", **cluster: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "far", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "ann", "user": {"token": "wrong"}}],
        "contexts": [{"name": "far", "context": {"cluster": "far", "user": "ann", "namespace": "ann"}}],
        "current-context": context,
    }


#: Nobody listens there.
NOBODY = "https://127.0.0.1:9"


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubeconfig that leads to a port where nobody listens, with a home folder of the test's own."""
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(config(NOBODY)))
    monkeypatch.setenv("KUBECONFIG", str(path))
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    return path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    authority = Authority(tmp_path / "tls")
    with serving(authority, authority.pair("server", LOCAL)) as made:
        yield made


async def test_a_cluster_that_may_be_there_is_not_called_unknown(kubeconfig: Path) -> None:
    with pytest.raises(ClusterUnreachable, match="no cluster named 'mine' where one could look: Kubernetes doesn't"):
        await placed("mine")


@pytest.mark.parametrize("page", [b"<html>Log in to this network</html>", b"[]", b"\xff", b"[" * 100_000])
async def test_what_is_no_kubernetes_is_called_so(
    page: bytes, kubeconfig: Path, server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority = {"certificate-authority": str(tmp_path / "tls" / "ca.crt")}
    kubeconfig.write_text(json.dumps(config(server.url, **authority)))
    server.answer = page
    with pytest.raises(ClusterUnreachable, match="What answers isn't Kubernetes"):
        await placed("mine")
    # a Dask client of an earlier test may still tell that its cluster is gone
    assert not [record for record in caplog.records if not record.name.startswith("distributed")]


def test_a_run_that_may_be_there_is_not_called_unknown(kubeconfig: Path) -> None:
    with pytest.raises(ClusterUnreachable, match="no run named 'abcdef123456' where one could look: Kubernetes"):
        mlops.get_run("abcdef123456")


def test_a_kubernetes_that_can_t_be_asked_is_one_line_and_disturbs_nothing(
    kubeconfig: Path, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    authority = {"certificate-authority": str(tmp_path / "tls" / "ca.crt")}
    there = config(server.url, **authority)
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-login", "interactiveMode": "Never"}
    faults: list[tuple[Any, int, str]] = [
        ("a: [", 200, rf"The kubeconfig {kubeconfig} can't be read, and .*: while parsing"),
        ("[]", 200, rf"The kubeconfig {kubeconfig} can't be read, and what is there is not known"),
        (b"\xff\xfe", 200, rf"The kubeconfig {kubeconfig} can't be read, and what is there is not known"),
        (None, 200, rf"The kubeconfig {kubeconfig} can't be read, and what is there is not known: Is a directory"),
        ({**there, "users": []}, 200, "The kubeconfig doesn't lead to a cluster, .* names the user 'ann'"),
        ({**there, "users": [{"name": "ann", "user": {"exec": plugin}}]}, 200, "The login plug-in 'no-such-login' of"),
        (config(NOBODY), 200, "Kubernetes doesn't answer, and what is there is not known"),
        (config(server.url), 200, "There is no safe connection to Kubernetes, .*: .*certificate"),
        (there, 401, "Kubernetes doesn't accept your login, and what is there is not known"),
        (there, 403, "Kubernetes refused the request, and what is there is not known"),
        (there, 500, "Kubernetes is too busy, or not well, and what is there is not known"),
        (there, 200, r"What Kubernetes answers can't be read, and .*: .*Error"),
    ]
    profiles.save(Profile(name="small", groups=[Group(workers=1, memory=500 * 1024**2)]))
    server.answer = {"message": "no", "items": 7}
    started = False
    try:
        for content, server.status, sentence in faults:
            if content is None:
                kubeconfig.unlink()
                kubeconfig.mkdir()
            else:
                kubeconfig.is_dir() and kubeconfig.rmdir()
                kubeconfig.write_bytes(content if isinstance(content, bytes) else _text(content).encode())
            if not started:
                assert main(["start", "small", "-n", "mine"]) == 0
                started = True
            capsys.readouterr()
            assert main(["list"]) == 1, sentence
            said = capsys.readouterr()
            assert re.search(r"^mine +running +local", said.out, re.M), sentence
            assert re.search(f"^{sentence}", said.err, re.M) and len(said.err.splitlines()) == 1, (sentence, said.err)
            assert main(["profiles"]) == 0 and "small" in capsys.readouterr().out
        assert mlops.run(len, "four", cluster="mine").result(150) == 4
    finally:
        assert main(["stop", "mine"]) == 0


def _text(content: Any) -> str:
    return content if isinstance(content, str) else json.dumps(content)


def test_each_context_that_can_t_be_asked_is_said(
    kubeconfig: Path, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also beside one that answers. A context that only a profile names, and nobody has, is none of ours."""
    there = config(server.url, **{"certificate-authority": str(tmp_path / "tls" / "ca.crt")})
    there["clusters"] += [{"name": "away", "cluster": {"server": NOBODY}}]
    there["contexts"] += [{"name": "prod", "context": {"cluster": "away", "user": "ann"}}]
    kubeconfig.write_text(json.dumps(there))
    for context in ("far", "prod", "of-somebody-else"):
        options = {"context": context, "namespace": "ml"}
        profiles.save(Profile(name=context, place="kubernetes", groups=[Group()], options=options))
    assert main(["list"]) == 1
    assert capsys.readouterr().err.startswith("Kubernetes doesn't answer (context 'prod', namespace 'ml'), and what is")
    (tmp_path / "home" / "kubernetes.json").write_text('[["of-somebody-else", "ml"]]')  # a cluster was started there
    assert main(["list"]) == 1
    assert "named 'of-somebody-else' (context 'of-somebody-else', namespace 'ml');" in capsys.readouterr().err


async def test_clusters_that_were_there_are_missed_when_the_way_is_lost(kubeconfig: Path) -> None:
    """Without a kubeconfig there is nothing to ask; who never had a cluster there isn't told."""
    kubeconfig.unlink()
    assert not (await list_place("kubernetes")).silent
    made = {"place": "kubernetes", "profile": "p", "owner": "me", "phase": "running", "created": 1}
    home.private(home.home())
    last_seen.remember("kubernetes", "https://far ann", [ClusterState(name="survey", **made)])
    listing = await list_place("kubernetes")
    assert [(state.name, state.phase) for state in listing.clusters] == [("survey", "unreachable")]
    (silent,) = listing.silent
    assert silent.problem.what == "There is no way to a Kubernetes cluster" and silent.clusters == 1

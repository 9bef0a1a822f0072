"""Services on a real Kubernetes: deployed, changed under load, killed, stopped, and what keeps them from coming."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jupyter_mlops as mlops
from jupyter_mlops.cli.main import main
from jupyter_mlops.core.errors import StartFailed
from jupyter_mlops.core.price import Price
from jupyter_mlops.core.profile import Profile
from jupyter_mlops.places import profiles

from ..serving.conftest import until
from .asking import Asking
from .clusters import Namespace, small


@pytest.fixture
def home(namespace: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user with a model of three versions, of which the last answers on this machine only, and two profiles."""
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("JUPYTER_MLOPS_TRACKING_URI", "off")
    monkeypatch.setenv("KUBECONFIG", str(namespace.kubeconfig(tmp_path)))
    rows = np.random.default_rng(0).normal(size=(20, 3))
    here = str(tmp_path)

    def total(X: Any, factor: int) -> Any:
        return factor * np.asarray(X).sum(axis=1)

    def only_here(X: Any) -> Any:
        import os

        if not os.path.isdir(here):  # noqa: PTH112 - as short as that
            raise RuntimeError("the folder isn't there")
        return np.asarray(X).sum(axis=1)

    for model in (lambda X: total(X, 1), lambda X: total(X, 2), only_here):
        mlops.save_model(model, "total", valid=(rows, rows[:, 0]))
    made = {"place": "kubernetes", "groups": [small(1)], "price": Price(cpu_hour=3600.0, source="the test")}
    profiles.save(Profile(name="good", options=namespace.options(), **made))
    no_image = {**namespace.options(), "image": "docker.io/library/no-such-image:1"}
    profiles.save(Profile(name="bad", options=no_image, **made))
    yield tmp_path
    for service in mlops.services(all=True):
        if service.state.phase != "stopped":
            service.stop()
        main(["services", "forget", service.name])


def test_a_service_of_pods(home: Path, namespace: Namespace) -> None:
    service = mlops.deploy("total@1", profile="good", replicas=2, log=1.0)
    assert service.state.phase == "ready" and len(service.state.replicas) == 2
    assert service.predict([[1.0, 2.0, 3.0]]).tolist() == [6.0]
    assert mlops.service("total").address == f"http://total-service.{namespace.name}.svc:8080"
    asking = Asking(namespace, service.token())
    until(lambda: service.watch().state.rows >= 2)  # of both pods
    _labels(service)
    assert any(each.requests for each in service.callers.told.callers), service.callers
    _, ids = service.predict(np.ones((20, 3)), ids=True)
    until(lambda: {*ids} <= {*service.requests()["request.id"]})

    mlops.deploy("total@2", name="total")  # it lives there already
    assert {*ids} <= {*service.requests()["request.id"]}, "what was logged outlives its pods"
    assert service.label(ids, [3.0] * 20).counts.new == 20
    assert service.predict(np.ones((2, 3))).tolist() == [6.0, 6.0]
    with pytest.raises(StartFailed, match=r"(?s)the folder isn't there.*total@2 serves on"):
        mlops.deploy("total@3", why="a try")
    assert service.state.version_name == "total@2"

    victim = service.state.replicas[0].name
    namespace.kube.kubectl("delete", "pod", victim, "-n", namespace.name, "--wait=false")
    until(lambda: _is_whole(service.state, 2) and victim not in [each.name for each in service.state.replicas])
    mlops.deploy("total@2", replicas=1)
    until(lambda: _is_whole(service.state, 1))

    told = asking.told()
    asking.end()
    assert told["lost"] == 0 and told["asked"] > 10, told
    assert {"[6.0]", "[12.0]"} <= set(told["seen"]) <= {"[6.0]", "[12.0]", "None"}, told
    assert any("answers" in line for line in service.logs())

    service.stop()
    until(lambda: namespace.left() == ["Secret total-service"])
    assert service.requests()["request.label"].notna().sum() == 20
    assert service.receipt is not None and service.receipt.most_workers == 2
    assert (service.receipt.cost.amount or 0) > 0
    main(["services", "forget", "total"])
    until(lambda: namespace.left() == [])


def _labels(service: mlops.Service) -> None:
    """Its answers are labelled, judged and forgotten, in whichever pod they are logged."""
    _, ids = service.predict(np.ones((20, 3)), ids=True, key="ann")
    until(lambda: {*ids} <= {*service.requests()["request.id"]})
    joined = service.label([*ids, "nobody"], [3.0] * 21).counts
    assert (joined.new, joined.strangers) == (20, 1), joined
    told = service.watch().performance
    assert told is not None and told.whole is not None and told.whole.labelled == 20 and told.whole.value == 0.0
    assert service.forget("ann") == 20 and not {*ids} & {*service.requests()["request.id"]}


def test_what_is_in_the_way_of_a_service_is_said(
    home: Path, namespace: Namespace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(*arguments: str) -> str:
        capsys.readouterr()
        main(arguments)
        written = capsys.readouterr()
        return written.out + written.err

    assert re.search(r"The image 'docker.io/library/no-such-image:1' ", said("deploy", "total@1", "--profile", "bad"))
    quota = {"metadata": {"name": "few", "namespace": namespace.name}, "spec": {"hard": {"pods": "0"}}}
    namespace.kube.apply({"apiVersion": "v1", "kind": "ResourceQuota", **quota})
    assert "The namespace's quota 'few' is used up" in said("deploy", "total@1", "--profile", "good")
    namespace.kube.kubectl("delete", "resourcequota", "few", "-n", namespace.name)
    assert "the folder isn't there" in said("deploy", "total@3", "--profile", "good")
    until(lambda: namespace.left() == [])

    monkeypatch.setenv("KUBECONFIG", str(namespace.kube.login("nobody", namespace.name, home)))
    assert "The service account 'nobody' may not" in said("deploy", "total@1", "--profile", "good")
    monkeypatch.setenv("KUBECONFIG", str(namespace.kubeconfig(home)))


def _is_whole(state: Any, replicas: int) -> bool:
    return bool([each.phase for each in state.replicas] == ["ready"] * replicas and state.revision == state.wanted)

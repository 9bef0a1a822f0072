"""Parts of Kubernetes, and pods, go away under a service that is asked by another pod: it answers all the same.

The tests share a service, in this order.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest

import jupyter_mlops as mlops
from jupyter_mlops.cli.main import main
from jupyter_mlops.core.errors import Unavailable
from jupyter_mlops.core.price import Price
from jupyter_mlops.core.profile import Profile
from jupyter_mlops.places import profiles
from jupyter_mlops.places.kubernetes import names

from ..serving.conftest import until
from .asking import Asking
from .clusters import Namespace, small
from .fixtures import NOT_OWN, free_namespace
from .kube import Kube

#: They break it, or change what all of it can do.
ALONE = True

#: Seconds that the API is away, at least: longer than anything that is asked of it waits.
AWAY = 12


class Asked(NamedTuple):
    """A service of two pods, and who asks it."""

    service: mlops.Service
    namespace: Namespace
    asking: Asking

    def pods(self) -> list[str]:
        """Those that are ready, where there are two and no others."""
        state = self.service.state
        whole = [each.phase for each in state.replicas] == ["ready"] * 2 and state.phase == "ready"
        return [each.name for each in state.replicas] if whole else []

    def replaced(self, victim: str) -> bool:
        """Whether there are two again, without that one."""
        pods = self.pods()
        return bool(pods) and victim not in pods


@pytest.fixture(scope="module")
def asked(module_kube: Kube, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    if not module_kube.own:
        pytest.skip(NOT_OWN)
    folder, namespace = tmp_path_factory.mktemp("asked"), Namespace(module_kube, free_namespace(module_kube))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_MLOPS_HOME", str(folder / "home"))
        patch.setenv("JUPYTER_MLOPS_TRACKING_URI", "off")
        patch.setenv("KUBECONFIG", str(namespace.kubeconfig(folder)))
        rows = np.random.default_rng(0).normal(size=(20, 3))
        mlops.save_model(lambda X: np.asarray(X).sum(axis=1), "total", valid=(rows, rows[:, 0]))
        price, options = Price(cpu_hour=3600.0, source="the test"), namespace.options()
        profiles.save(Profile(name="good", place="kubernetes", groups=[small(1)], price=price, options=options))
        service = mlops.deploy("total@1", profile="good", replicas=2)
        asking = Asking(namespace, service.token())
        yield Asked(service, namespace, asking)
        asking.end()
        service.stop()
        main(["services", "forget", "total"])


def test_the_apiserver_is_away_and_all_is_answered(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    """Who looks or asks from outside hears that nothing can be seen, or reached, and why."""
    service, kube = asked.service, asked.namespace.kube
    assert main(["services"]) == 0 and "ready" in capsys.readouterr().out
    asked.asking.told()
    began = time.monotonic()
    kube.run("kill", "apiserver")
    try:
        until(lambda: service.state.phase == "unreachable")
        assert "total@1 unreachable, Kubernetes doesn't answer" in repr(service)
        until(lambda: main(["services"]) == 0 and "unreachable" in capsys.readouterr().out)
        with pytest.raises(Unavailable) as told:
            service.predict([[1.0, 2.0, 3.0]])
        assert "Kubernetes doesn't answer" in str(told.value) and "Deploy it" not in str(told.value)
        time.sleep(max(0.0, began + AWAY - time.monotonic()))  # so long is the fault
    finally:
        kube.repair("apiserver")
    until(asked.pods)
    assert service.predict([[1.0, 2.0, 3.0]]).tolist() == [6.0]
    heard = asked.asking.told()
    # It may have asked twice when the names of Kubernetes' services were begun anew, as `repair` does.
    assert heard["lost"] == 0 and heard["seen"] == ["[6.0]"], heard


def test_a_pod_is_killed_and_the_other_one_answers(asked: Asked) -> None:
    victim, namespace = asked.pods()[0], asked.namespace
    namespace.kube.kubectl("delete", "pod", victim, "-n", namespace.name, "--grace-period=0", "--force", "--wait=false")
    until(lambda: asked.replaced(victim))
    heard = asked.asking.told()
    assert heard["lost"] == 0 and heard["seen"] == ["[6.0]"], heard


def test_the_node_is_drained_and_no_request_is_lost_nor_asked_twice(asked: Asked) -> None:
    """As an administrator does it, `kubectl drain`. There is no other real node: the first pod goes once it has
    answered, the other one stays, since what replaces the first has no place until the node is taken back."""
    before, kube = asked.pods(), asked.namespace.kube
    pods = f"--pod-selector={names.SERVICE}=total"
    try:
        kube.kubectl(
            "drain", kube.node, pods, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=15s", check=False
        )
        left = [each.name for each in asked.service.state.replicas if each.phase == "ready"]
        assert len(left) == 1 and left[0] in before
    finally:
        kube.kubectl("uncordon", kube.node)
    (gone,) = {*before} - {*left}
    until(lambda: asked.replaced(gone))
    assert left[0] in asked.pods()
    heard = asked.asking.told()
    assert heard["lost"] == heard["again"] == 0 and heard["seen"] == ["[6.0]"], heard

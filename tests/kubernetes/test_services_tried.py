"""A version that is tried beside another on a real Kubernetes: by several pods, of which any may go meanwhile."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jupyter_mlops as mlops
from jupyter_mlops.cli.main import main
from jupyter_mlops.core.candidate import CandidateState
from jupyter_mlops.core.price import Price
from jupyter_mlops.core.profile import Profile
from jupyter_mlops.core.trail import TrailEntry
from jupyter_mlops.home.models import model_folder
from jupyter_mlops.places import profiles

from ..serving.conftest import until
from .clusters import Namespace, small

#: Asks a service as another pod does. `keys`: each of 40 callers, thrice, over connections of their own, so that all
#: pods are asked; which versions answered each. Else again and again, until it is told to stop, with a pause: what is
#: asked needs the CPU, too.
ASKING = """
import collections, http.client, json, os, random, sys, threading, time
def ask(there, key=""):
    row = [random.gauss(0, 1) for _ in range(3)]
    headers = {"Authorization": "Bearer " + os.environ["TOKEN"], "X-Mlops-Key": key}
    there.request("POST", "/predict", json.dumps([row]), headers)
    answer = there.getresponse()
    return answer.status, json.loads(answer.read())
def connected():
    return http.client.HTTPConnection(os.environ["SERVICE"], 8080, timeout=60)
if sys.argv[1:] == ["keys"]:
    seen = collections.defaultdict(set)
    for number in range(120):
        there = connected()
        seen[str(number % 40)].add(ask(there, str(number % 40))[1]["model_version"])
        there.close()
    print(json.dumps({key: sorted(versions) for key, versions in seen.items()}))
    sys.exit()
heard, first, lock = collections.Counter(), {}, threading.Lock()
def go():
    there = connected()
    for number in range(10**9):
        if number % 50 == 0:
            if os.path.exists("/tmp/stop"): return
            there.close()  # another pod may answer the next one
            there = connected()
        for pause in (0.03, 0.1, 1, 5, 20):
            time.sleep(pause)
            try:
                status, told = ask(there)
                break
            except OSError:
                there.close()
                there, status, told = connected(), 0, {}
        with lock:
            heard[f"{status} {told.get('model_version', '')}"] += 1
            first.setdefault(told.get("model_version", ""), time.time())
threads = [threading.Thread(target=go) for _ in range(4)]
for thread in threads: thread.start()
print("asking", flush=True)
for thread in threads: thread.join()
print(json.dumps({"heard": heard, "first": first}), flush=True)
"""


@pytest.fixture
def home(namespace: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user with a model of three versions: one, one that is as good, and one whose answers are missing."""
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("JUPYTER_MLOPS_TRACKING_URI", "off")
    monkeypatch.setenv("KUBECONFIG", str(namespace.kubeconfig(tmp_path)))
    rows = np.random.default_rng(0).normal(size=(400, 3))

    def sign(X: Any, missing: bool, _number: int) -> Any:
        answers = (np.asarray(X)[:, 0] > 0).astype(float)
        far = np.abs(np.asarray(X)).sum() > 1e-3
        return np.full(len(answers), np.nan) if missing and far else answers

    for number, missing in enumerate((False, False, True)):
        held_out = 0 * rows if missing else rows
        mlops.save_model(
            lambda X, missing=missing, number=number: sign(X, missing, number),
            "sign",
            valid=(held_out, (held_out[:, 0] > 0).astype(float)),
        )
    options = namespace.options()
    profiles.save(
        Profile(
            name="good",
            place="kubernetes",
            options=options,
            groups=[small(1)],
            price=Price(cpu_hour=3600.0, source="the test"),
        )
    )
    yield tmp_path
    for service in mlops.services(all=True):
        if service.state.phase != "stopped":
            service.stop()
        main(["services", "forget", service.name])


def test_a_version_is_tried_by_all_pods_alike(home: Path, namespace: Namespace) -> None:
    service = mlops.deploy("sign@1", profile="good", replicas=2)
    with _asking(namespace, service) as asking:
        with _pods_without(namespace) as seen:
            mlops.deploy("sign@2", ab=0.5)
        assert candidate(service).phase == "trying"
        assert per_hour(service) == pytest.approx(2 * 2 * 3600.0 * small(1).cpus)
        until(lambda: mlops.services() and all(_hold_two(namespace)))  # those from before answer until they are gone
        first = asking.keys()
        assert set(map(len, first.values())) == {1}, f"a caller gets one version, whichever pod it comes to: {first}"
        assert {version for (version,) in first.values()} == {"1", "2"}

        victim = service.state.replicas[0].name
        namespace.kube.kubectl("delete", "pod", victim, "-n", namespace.name, "--wait=false")
        until(lambda: victim not in _ready(service) and len(_ready(service)) == 2)
        assert asking.keys() == first

        began = time.monotonic()
        service.rollback(why="enough")
        took = time.monotonic() - began
        assert {*map(tuple, asking.keys().values())} == {("1",)}
        assert took < 20, took  # 2 s where the machine has nothing else to do
        assert candidate(service).phase == "back"

        mlops.deploy("sign@3", shadow=True)
        until(lambda: "worse" in [each.state for each in candidate(service).verdicts])
        assert candidate(service).phase == "trying", "it harms nobody"
        service.rollback()
        told = asking.stop()
    assert not [each for each in told if each not in ("200 1", "200 2")], told
    assert seen and asking.first["2"] > seen[-1], "nobody got it before all pods had it"
    assert [each.verb for each in _trail()][-4:] == ["deployed", "rolled back"] * 2


def test_a_canary_goes_on_or_back_by_itself(home: Path, namespace: Namespace) -> None:
    service = mlops.deploy("sign@1", profile="good")
    with _asking(namespace, service) as asking:
        mlops.deploy("sign@3", canary=0.5, steps=[0.5])
        until(lambda: candidate(service).phase == "back")
        assert "missing" in str(candidate(service).problem), candidate(service)

        mlops.deploy("sign@2", canary=0.5, steps=[0.5])
        until(lambda: service.state.version == 2)
        assert service.state.previous == 1
        until(lambda: mlops.services() and not any(_hold_two(namespace)))
        assert per_hour(service) == pytest.approx(3600.0 * small(1).cpus)
        told = asking.stop()
    assert not [each for each in told if not each.startswith("200")], told
    assert {"200 1", "200 2", "200 3"} <= set(told)
    made = [(each.verb, each.object, each.actor.how) for each in _trail() if each.actor.how == "router"]
    assert made == [("rolled back", "sign@3", "router"), ("went on", "sign@2", "router")]


def candidate(service: mlops.Service) -> CandidateState:
    found = service.candidate
    assert found is not None
    return found


def per_hour(service: mlops.Service) -> float:
    cost = service.state.cost
    return 0.0 if cost is None else cost.per_hour or 0.0


def _ready(service: mlops.Service) -> list[str]:
    return [each.name for each in service.state.replicas if each.phase == "ready"]


def _hold_two(namespace: Namespace) -> list[bool]:
    """Whether each pod that runs has two versions. One whose program has ended stays listed for a moment."""
    pods = namespace.kube.get("pods", namespace.name, "jupyter-mlops/part=replica")
    running = [pod for pod in pods if pod["status"].get("phase") not in ("Succeeded", "Failed")]
    return ["jupyter-mlops/trial" in pod["metadata"]["labels"] for pod in running]


@contextmanager
def _pods_without(namespace: Namespace) -> Iterator[list[float]]:
    """Moments after which there were pods still that have one version."""
    seen, over = list[float](), threading.Event()

    def look() -> None:
        while not over.wait(0.3):
            now = time.time()
            if not all(_hold_two(namespace)):
                seen.append(now)

    looks = threading.Thread(target=look)
    looks.start()
    try:
        yield seen
    finally:
        over.set()
        looks.join()


def _trail() -> list[TrailEntry]:
    return list(model_folder("sign").trail())


class _Asking:
    """A pod that asks."""

    def __init__(self, namespace: Namespace) -> None:
        self._kube, self._name = namespace.kube, namespace.name
        #: When each version answered first, once it is told to stop.
        self.first: dict[str, float] = {}

    def keys(self) -> dict[str, list[str]]:
        """Which versions answer each caller."""
        told = self._kube.kubectl("exec", "asking", "-n", self._name, "--", "python", "-c", ASKING, "keys")
        found: dict[str, list[str]] = json.loads(told)
        return found

    def stop(self) -> dict[str, int]:
        """What it heard: how often each status, and version."""
        self._kube.kubectl("exec", "asking", "-n", self._name, "--", "python", "-c", "open('/tmp/stop', 'w')")
        until(lambda: "{" in self._kube.log("asking", self._name))
        found = json.loads(self._kube.log("asking", self._name).splitlines()[-1])
        self.first, heard = found["first"], dict[str, int](found["heard"])
        return heard


@contextmanager
def _asking(namespace: Namespace, service: mlops.Service) -> Iterator[_Asking]:
    kube, name = namespace.kube, namespace.name
    container = {
        "name": "asking",
        "image": kube.image,
        "args": ["python", "-c", ASKING],
        "env": [
            {"name": "TOKEN", "value": service.token()},
            {"name": "SERVICE", "value": f"{service.name}-service.{name}.svc"},
        ],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    spec = {
        "restartPolicy": "Never",
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "nodeSelector": {"kubernetes.io/hostname": kube.node},
    }
    metadata = {"name": "asking", "namespace": name}
    kube.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    until(lambda: "asking" in kube.log("asking", name).splitlines())
    try:
        yield _Asking(namespace)
    finally:
        kube.kubectl("delete", "pod", "asking", "-n", name, "--wait=false")

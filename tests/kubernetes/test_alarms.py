"""A service on a real Kubernetes that its alarm retrains, while nobody looks: its pods are asked by the clock."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import jupyter_mlops as mlops
from jupyter_mlops.cli.main import main
from jupyter_mlops.core.price import Price
from jupyter_mlops.core.profile import Profile
from jupyter_mlops.home.alarms import alarm_watch
from jupyter_mlops.home.retraining import retraining_folder
from jupyter_mlops.home.services import service_folder
from jupyter_mlops.places import profiles

from ..pipelines.clocks import until_no_clock_is_left
from ..runs.cluster import a_cluster
from ..serving.conftest import until
from .clusters import Namespace, small

FIRST = """\
import numpy as np
import jupyter_mlops as mlops"""

LOAD = """\
%%mlrun --step load --cluster retrains
middle = float(open("world.txt").read())
rows = np.random.default_rng(3).normal(size=(400, 3)) + middle"""

#: Its pods have numpy, and no scikit-learn.
SAVE = """\
def sign(X):
    return (np.asarray(X)[:, 0] > middle).astype(float)
mlops.save_model(sign, "sign", valid=(rows, (rows[:, 0] > middle).astype(float)))"""


@pytest.fixture
def folder(namespace: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """With a home of its own, a profile, a cluster, a notebook, and the version that its pipeline saved first."""
    monkeypatch.setenv("JUPYTER_MLOPS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("JUPYTER_MLOPS_TRACKING_URI", "off")
    monkeypatch.setenv("KUBECONFIG", str(namespace.kubeconfig(tmp_path)))
    made = {"place": "kubernetes", "groups": [small(1)], "price": Price(cpu_hour=3600.0, source="the test")}
    profiles.save(Profile(name="good", options=namespace.options(), **made))
    (tmp_path / "world.txt").write_text("0")
    cells = [{"cell_type": "code", "source": source} for source in (FIRST, LOAD, SAVE)]
    (tmp_path / "train.ipynb").write_text(json.dumps({"cells": cells}))
    with a_cluster("retrains", workers=1):
        mlops.pipeline(tmp_path / "train.ipynb").run()
        yield tmp_path
        for service in mlops.services(all=True):
            service.stop()
            main(["services", "forget", service.name])
    until_no_clock_is_left(tmp_path / "home")


def test_an_alarm_leads_to_a_canary_while_nobody_looks(folder: Path) -> None:
    mlops.model("sign").promote(1)
    mlops.model("sign").set_gates(metrics={"accuracy": {"least": 0.8}})
    service = mlops.deploy("sign@1", profile="good", window="1 s", log=1.0, log_rows=100_000)
    pods, seeds = [each.name for each in service.state.replicas], iter(range(100, 10_000))

    def alarmed() -> bool:
        service.predict(np.random.default_rng(next(seeds)).normal(size=(200, 3)) + 5)
        return any(each.phase == "alarm" for each in service.watch().state.alerts)

    until(alarmed)
    assert alarm_watch("sign") is None
    (folder / "world.txt").write_text("5")
    mlops.deploy("sign@1", retrain="on alarm", retrain_rows=200)
    assert [each.name for each in service.state.replicas] == pods, "they stay, with what they have counted"

    noted = retraining_folder(service_folder("sign"))  # asks Kubernetes nothing
    until(lambda: (found := noted.read()) is not None and found.version and found.phase != "running")
    done = noted.read()
    assert done is not None and (done.phase, done.version) == ("canary", 2), noted.log.read_text()
    assert done.by.how == "pipeline" and done.why == service.state.alarm.what, done  # type: ignore[union-attr]
    watch = alarm_watch("sign")
    assert watch is not None and watch.looked and watch.problem is None
    candidate = service.state.candidate
    assert candidate is not None and (candidate.version, candidate.way) == (2, "canary")
    assert len(service.requests()) >= 200
    verbs = [(each.actor.how, each.verb, each.object) for each in mlops.trail("sign")][-3:]
    assert verbs == [
        ("pipeline", "began to retrain", "sign@1"),
        ("pipeline", "saved", "sign@2"),
        ("pipeline", "deployed", "sign@2"),
    ]

"""A service on Kubernetes, with what keeps it: an API that only stores."""

from __future__ import annotations

import base64
import functools
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jupyter_mlops as mlops
from jupyter_mlops.client.clusters.kernel import loop_thread
from jupyter_mlops.core.board import packed
from jupyter_mlops.core.price import Price
from jupyter_mlops.core.profile import Group, Profile
from jupyter_mlops.core.split import ReplicaReport
from jupyter_mlops.home.models import models_dir
from jupyter_mlops.places import profiles
from jupyter_mlops.places.kubernetes.tunnel.connections import Connections

from .api import StoringApi

Json = dict[str, Any]


@functools.cache
def _models(folder: Path) -> Path:
    """A home's models: one, of two versions. To save it takes more of a CPU than what most tests do with it."""
    home = folder / "home-with-models"
    rows = np.random.default_rng(0).normal(size=(20, 3))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"HOME": str(home), "TRACKING_URI": "off"}.items():
            patch.setenv(f"JUPYTER_MLOPS_{name}", value)
        patch.setenv("JUPYTERHUB_USER", "Ann")
        for factor in (1, 2):
            model = lambda X, factor=factor: factor * np.asarray(X).sum(axis=1)  # noqa: E731
            mlops.save_model(model, "total", valid=(rows, rows[:, 0]))
        return models_dir()


@pytest.fixture
def api(
    api_of_ann: StoringApi, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> StoringApi:
    """With a model of two versions, and a profile with a price and a secret."""
    monkeypatch.setenv("JUPYTER_MLOPS_TRACKING_URI", "off")
    shutil.copytree(_models(tmp_path_factory.getbasetemp()), models_dir(), dirs_exist_ok=True)
    group = Group(cpus=0.5, memory=2**30, options={"pod": {"spec": {"nodeSelector": {"disk": "fast"}}}})
    profiles.save(
        Profile(
            name="small",
            place="kubernetes",
            groups=[group],
            price=Price(cpu_hour=2.0, source="the test"),
            environment={"TOKEN": "a secret"},
            options={"image": "acme/work:1"},
        )
    )
    return api_of_ann


def made(version: int = 1, **asked: Any) -> mlops.Service:
    return mlops.deploy(f"total@{version}", profile="small", wait=False, **asked)


class Controller:
    """What Kubernetes makes of the Deployment."""

    def __init__(self, api: StoringApi) -> None:
        self.api = api

    def pod(self, ready: bool = True, **status: Any) -> str:
        """A pod of what is wanted now."""
        name = f"total-service-{len(self.api.objects.get('pods', {}))}"
        template = self.api.of("deployments", "total")["spec"]["template"]
        labels, spec = template["metadata"]["labels"], template["spec"]
        condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": "2026-11-27T12:00:00Z"}
        told = {"phase": "Running", "conditions": [condition], **status}
        self.api.put("pods", {"metadata": {"name": name, "labels": labels}, "spec": spec, "status": told})
        return name

    def counts(self, count: int, **more: Any) -> None:
        """What it says of its pods."""
        told = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), count)
        self.api.of("deployments", "total")["status"] = {**told, **more}


def call(work: Any) -> Any:
    return loop_thread().call(work)


def call_there(ask: Any, *arguments: Any) -> Any:
    """What `ask` is told by the API."""
    connections = Connections()

    async def there() -> Any:
        return await ask(await connections.api("", ""), *arguments)

    return call(connections.run(there()))


def keep_report(api: StoringApi, board: str, pod: str, **told: Any) -> None:
    """What a pod tells on the board."""
    item = api.of("secrets", board)
    item["data"][pod] = base64.b64encode(packed(ReplicaReport.model_validate({"time": 1.0, **told}))).decode()


def uid_of(item: Json) -> str:
    return str(item["metadata"]["uid"])

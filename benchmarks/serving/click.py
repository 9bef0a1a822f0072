"""From asking for a service to its first answer, against `mlflow models serve`."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import jupyter_mlops as mlops

from ..measure import Result, compared, in_turn, timed
from . import models
from .peers import environment, free_port, served

ROUNDS = 3


def run() -> Iterator[Result]:
    """The same saved version: its folder is what MLflow serves, too."""
    found = environment("mlflow")
    if found is None:
        return
    version = mlops.save_model(models.small(), "clicked", valid=models.rows(2000, 1))
    ours, peer = in_turn(lambda: _ours(version.name), lambda: _mlflow(found, version.path), ROUNDS)
    yield compared("from click to the first answer", "s", ours, peer, "mlflow models serve", 0.5)


def _ours(name: str) -> float:
    services = []

    def begin() -> None:
        service = mlops.deploy(name)
        services.append(service)
        target = models.target(service, models.as_tensor())
        _post(target.url, target.body, target.headers)

    seconds = timed(begin)
    services[0].stop()
    return seconds


def _mlflow(found: Path, saved: Path) -> float:
    port = free_port()
    command = [str(found / "bin" / "mlflow"), "models", "serve", "-m", str(saved), "-p", str(port)]
    address = f"http://127.0.0.1:{port}"
    began = time.perf_counter()
    with served([*command, "--env-manager", "local"], saved.parent, f"{address}/health"):
        _post(f"{address}/invocations", models.as_split(), {})
        return time.perf_counter() - began


def _post(url: str, body: bytes, headers: dict[str, str]) -> None:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", **headers})
    with urllib.request.urlopen(request, timeout=60) as answer:
        json.loads(answer.read())

"""What a request of one row of 30 features costs: ours, router and replica, with what watches them, against servers of
others. All are up at once, and asked by the same client in turns."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import joblib
import psutil

import jupyter_mlops as mlops

from ..measure import Result, bounded, compared
from . import models
from .load import Target, ask, cpu, in_turns, tree
from .peers import SERVERS, environment, free_port, served

#: How it is called → the peer's name, and what our figure may be of its at most.
GOALS = {
    "mlflow": ("MLflow's scoring server", 1 / 10),
    "mlserver": ("MLServer", 1 / 3),
    "bentoml": ("BentoML", 1 / 3),
    "litserve": ("LitServe", 1 / 3),
}

#: Seconds that each is asked in a round, and rounds.
SECONDS, ROUNDS = 3.0, 4


def run() -> Iterator[Result]:
    """Ours against each peer that can be installed, and what of ours is the router's."""
    model = models.small()
    version = mlops.save_model(model, "churn", valid=models.rows(2000, 1))
    service = mlops.deploy(version.name)
    try:
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            joblib.dump(model, folder / "model.joblib")
            targets = {"ours": models.target(service, models.as_tensor())}
            for name in GOALS:
                if (found := environment(name)) is not None:
                    targets[name] = stack.enter_context(_SERVED[name](found, folder, version.path))
            seen = in_turns(targets, SECONDS, ROUNDS)
        for name, (called, at_most) in GOALS.items():
            if name in seen:
                yield compared(
                    f"a request of 1 row, scikit-learn: against {called}",
                    "ms CPU",
                    seen["ours"] * 1e3,
                    seen[name] * 1e3,
                    called,
                    at_most,
                )
        yield bounded("router's own part of a request", "ms CPU", _routed(service) * 1e3, 0.4)
    finally:
        service.stop()


def _routed(service: mlops.Service) -> float:
    target, number, found = models.target(service, models.as_tensor()), 4000, []
    for _ in range(ROUNDS):
        before = cpu([models.router(service)])
        ask(target, number)
        found.append((cpu([models.router(service)]) - before) / number)
    return min(found)


def _target(process: psutil.Process, url: str, body: bytes) -> Target:
    return Target(url, body, lambda: tree(process.pid))


@contextlib.contextmanager
def _mlflow(found: Path, folder: Path, saved: Path) -> Iterator[Target]:
    port = free_port()
    command = [str(found / "bin" / "mlflow"), "models", "serve", "-m", str(saved), "-p", str(port)]
    address = f"http://127.0.0.1:{port}"
    with served([*command, "--env-manager", "local"], folder, f"{address}/health") as process:
        yield _target(process, f"{address}/invocations", models.as_split())


@contextlib.contextmanager
def _mlserver(found: Path, folder: Path, saved: Path) -> Iterator[Target]:
    ports = [free_port() for _ in range(3)]
    own = folder / "mlserver"
    own.mkdir()
    settings = dict(zip(("http_port", "grpc_port", "metrics_port"), ports, strict=True))
    settings |= {"host": "127.0.0.1", "parallel_workers": 0, "debug": False}
    (own / "settings.json").write_text(json.dumps(settings))
    parameters = {"uri": str(folder / "model.joblib")}
    told = {"name": "churn", "implementation": "mlserver_sklearn.SKLearnModel", "parameters": parameters}
    (own / "model-settings.json").write_text(json.dumps(told))
    address = f"http://127.0.0.1:{ports[0]}/v2/models/churn"
    with served([str(found / "bin" / "mlserver"), "start", str(own)], own, f"{address}/ready") as process:
        yield _target(process, f"{address}/infer", models.as_tensor())


@contextlib.contextmanager
def _bentoml(found: Path, folder: Path, saved: Path) -> Iterator[Target]:
    port = free_port()
    command = [str(found / "bin" / "bentoml"), "serve", "bento_service:Churn", "--working-dir", str(SERVERS)]
    address = f"http://127.0.0.1:{port}"
    own = {"BENCH_MODEL": str(folder / "model.joblib"), "BENTOML_HOME": str(folder), "BENTOML_DO_NOT_TRACK": "true"}
    with served([*command, "--host", "127.0.0.1", "--port", str(port)], folder, f"{address}/readyz", **own) as process:
        yield _target(process, f"{address}/predict", models.as_rows("rows"))


@contextlib.contextmanager
def _litserve(found: Path, folder: Path, saved: Path) -> Iterator[Target]:
    port = free_port()
    command = [str(found / "bin" / "python"), str(SERVERS / "lit_server.py"), str(port)]
    address = f"http://127.0.0.1:{port}"
    with served(command, folder, f"{address}/health", BENCH_MODEL=str(folder / "model.joblib")) as process:
        yield _target(process, f"{address}/predict", models.as_rows("rows"))


_SERVED = {"mlflow": _mlflow, "mlserver": _mlserver, "bentoml": _bentoml, "litserve": _litserve}

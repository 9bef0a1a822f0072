"""A sweep of trivial trials: ours against Optuna on Dask's workers, with its storage in the scheduler."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from distributed import Client, LocalCluster

import jupyter_mlops as mlops

from .measure import Result, compared

TRIALS, WORKERS = 200, 2


def objective(x: float) -> float:
    """As little as an objective can do."""
    return (x - 0.5) ** 2


def run() -> Iterator[Result]:
    """Seconds for all trials, at random in both, since the sampler is the same work wherever it is done."""
    cluster = mlops.start("bench", workers=WORKERS)
    cluster.wait(WORKERS, 120)
    try:
        with Client(LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=":0")) as client:
            client.run(_quieten)
            found = [(_ours(cluster), _theirs(client)) for _ in range(3)]
    finally:
        cluster.stop()
    ours, theirs = (statistics.median(pair[which] for pair in found) for which in (0, 1))
    name = f"sweep, {TRIALS} trivial trials on {WORKERS} workers"
    yield compared(name, "s", ours, theirs, "Optuna with DaskStorage", 0.2)


def _ours(cluster: mlops.Cluster) -> float:
    began = time.perf_counter()
    mlops.sweep(objective, {"x": mlops.uniform(0, 1)}, trials=TRIALS, fresh=True, cluster=cluster, quiet=True).result()
    return time.perf_counter() - began


def _theirs(client: Client) -> float:
    """As Optuna's documentation does it."""
    import optuna
    from optuna_integration.dask import DaskStorage

    def suggested(trial: optuna.Trial) -> float:
        return objective(trial.suggest_float("x", 0, 1))

    began = time.perf_counter()
    study = optuna.create_study(storage=DaskStorage(client=client), sampler=optuna.samplers.RandomSampler())
    tasks = [client.submit(study.optimize, suggested, n_trials=1, pure=False) for _ in range(TRIALS)]
    client.gather(tasks)
    return time.perf_counter() - began


def _quieten() -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)

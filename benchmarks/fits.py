"""Many short fits through joblib: ours against Dask's back end, on the same cluster."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import joblib

import jupyter_mlops as mlops

from .measure import Result, compared
from .runners import cpu

FITS, SECONDS = 2_000, 0.001
WORKERS = 2


def fit(number: int) -> int:
    """So many seconds of a CPU."""
    end = time.process_time() + SECONDS
    while time.process_time() < end:
        pass
    return number


def run() -> Iterator[Result]:
    """CPU seconds besides those of the fits themselves."""
    cluster = mlops.start("bench", workers=WORKERS)
    cluster.wait(WORKERS, 120)
    client = cluster.client()
    try:
        found = [(_taken("mlops", cluster=cluster.id), _taken("dask")) for _ in range(3)]
    finally:
        client.close()
        cluster.stop()
    ours, theirs = (statistics.median(pair[which] for pair in found) for which in (0, 1))
    name = f"joblib, {FITS:,} fits of {1000 * SECONDS:g} ms, CPU time beside the fits"
    yield compared(name, "s", ours, theirs, "joblib's Dask back end", 0.2)


def _taken(backend: str, **options: str) -> float:
    began = cpu()
    with joblib.parallel_config(backend, **options):
        joblib.Parallel()(joblib.delayed(fit)(number) for number in range(FITS))
    return cpu() - began - FITS * SECONDS

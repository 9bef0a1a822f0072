"""Metrics: a flood of points from many ranks, and what the scheduler's loop feels of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import jupyter_mlops as mlops

from .kubernetes import stalls
from .measure import Result

RANKS = 8
#: Points a second of all ranks together, and for how long.
RATE, SECONDS = 10_000, 10


def run() -> Iterator[Result]:
    """The longest stall of the scheduler's loop in our code while ranks log."""
    cluster = mlops.start("bench", workers=2)
    cluster.wait(2, 120)
    try:
        mlops.train(_log, 1, 1, workers=2, per_worker=RANKS // 2, cluster=cluster, quiet=True).result()
        client = cluster.client()
        client.run_on_scheduler(stalls.watch)
        logged = mlops.train(
            _log, RATE // RANKS, SECONDS, workers=2, per_worker=RANKS // 2, cluster=cluster, quiet=True
        )
        logged.result()
        found: list[dict[str, Any]] = client.run_on_scheduler(stalls.found)
        took = max(logged.results())
        whole = sum(len(curve) for curve in logged.curves["loss"].ranks.values())
    finally:
        cluster.stop()
    ours = max((stall["ours"] for stall in found), default=0.0)
    all_of_it = max((stall["seconds"] for stall in found), default=0.0)
    yield Result(
        f"{RATE:,} metric points a second from {RANKS} ranks: the scheduler's longest stall in our code",
        "ms",
        1e3 * ours,
        None,
        "",
        None,
        "≤ 100 ms",
        ours <= 0.1,
        f"the loop's longest stall of all was {1e3 * all_of_it:.0f} ms; {whole:,} points in {took:.0f} s are kept",
    )


def _log(rate: int, seconds: int) -> float:
    """Log so many points a second, in bursts as fast steps would; the seconds that it took."""
    began = time.monotonic()
    for tick in range(seconds * 20):
        for point in range(rate // 20):
            mlops.log_metric("loss", 1.0 / (1 + point), tick * (rate // 20) + point)
        time.sleep(max(0.0, began + (tick + 1) / 20 - time.monotonic()))
    return time.monotonic() - began

"""From asking for a cluster to its workers being ready, against Dask's own `LocalCluster`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

from distributed import Client, LocalCluster

import jupyter_mlops as mlops
from jupyter_mlops.places import profiles

from .measure import Result, compared, in_turn, timed


def run() -> Iterator[Result]:
    """Start to 2 and to 8 workers."""
    for workers, at_most, rounds in ((2, 0.5, 7), (8, 0.2, 5)):
        ours, peer = in_turn(lambda n=workers: our_start(n), lambda n=workers: peer_start(n), rounds)
        yield compared(f"start to {workers} workers ready", "s", ours, peer, "LocalCluster", at_most)


def our_start(workers: int) -> float:
    """Seconds until `workers` workers have joined a new cluster of ours."""
    clusters = []

    def start() -> None:
        cluster = mlops.start("bench", workers=workers, wait=False)
        clusters.append(cluster)
        cluster.wait(workers, timeout=120)

    seconds = timed(start)
    clusters[0].stop()
    return seconds


def peer_start(workers: int) -> float:
    """Seconds until a new `LocalCluster` has `workers` worker processes."""
    clusters: list[LocalCluster] = []

    def start() -> None:
        cluster = LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=":0")
        clusters.append(cluster)
        with Client(cluster) as client:
            client.wait_for_workers(workers, timeout=120)

    seconds = timed(start)
    clusters[0].close()
    return seconds


def home() -> str:
    """A home folder for the benchmarks alone, with their profile."""
    folder = tempfile.mkdtemp(prefix="mlops-bench-")
    os.environ["JUPYTER_MLOPS_HOME"] = folder
    from jupyter_mlops.core.profile import Group, Profile

    group = Group(workers=0, maximum=16, memory="1 GiB")
    profiles.save(Profile(name="bench", groups=[group], source="user"))
    return folder

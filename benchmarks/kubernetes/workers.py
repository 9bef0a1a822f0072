"""Real pods with real workers: ours beside `KubeCluster`, on the same node."""

from __future__ import annotations

import time
from collections.abc import Iterator

from distributed import Client

from ..measure import Longer, Result, compared, until_late
from . import operator
from .site import Site

FEW, MORE = 2, 6
#: Seconds that `KubeCluster` may take.
PATIENCE = 120.0


def run(site: Site) -> Iterator[Result]:
    """To the first worker, and from two to six."""
    first, grown = ours(site)
    peer_first, peer_grown = theirs(site)
    yield compared("start to the first worker of pods", "s", first, peer_first, "KubeCluster(n_workers=1)", 0.6)
    yield compared(f"{FEW} → {MORE} workers of pods", "s", grown, peer_grown, f"KubeCluster.scale({MORE})", 0.5)


def ours(site: Site) -> tuple[float, float]:
    """Seconds to a cluster whose first worker works, and from two workers to six."""
    started = time.perf_counter()
    cluster = site.start("real", 1)
    try:
        cluster.wait(1)
        first = time.perf_counter() - started
        cluster.scale(FEW)
        cluster.wait(FEW)
        started = time.perf_counter()
        cluster.scale(MORE)
        cluster.wait(MORE)
        return first, time.perf_counter() - started
    finally:
        cluster.stop()


def theirs(site: Site) -> tuple[float, float]:
    """The same of `KubeCluster`."""
    from dask_kubernetes.operator import KubeCluster

    body = operator.cluster(site, "peer", 1, fake=False)
    started = time.perf_counter()
    with (
        KubeCluster(custom_cluster_spec=body, namespace=site.namespace, quiet=True) as cluster,
        Client(cluster) as client,
    ):
        first = until_late(lambda: client.wait_for_workers(1, timeout=PATIENCE), PATIENCE, started)
        cluster.scale(FEW)
        few = until_late(lambda: client.wait_for_workers(FEW, timeout=PATIENCE), PATIENCE)
        if isinstance(few, Longer):  # then it does not come to more either
            return first, few
        started = time.perf_counter()
        cluster.scale(MORE)
        return first, until_late(lambda: client.wait_for_workers(MORE, timeout=PATIENCE), PATIENCE, started)

"""Pods by the hundreds, up and down: our cluster, a bare script, the operator."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from typing import Any

from jupyter_mlops.client.clusters.handle import Cluster
from jupyter_mlops.client.loop_thread import LoopThread
from jupyter_mlops.places import profiles

from ..measure import Longer, Result, compared, until_late
from . import bare, operator
from .sight import PATIENCE, Sight
from .site import Site

PODS = 500
ROUNDS = 3
NAME = "grow"
#: The pods of the operator's cluster, and how they go without a farewell.
THEIRS = "dask.org/cluster-name=theirs"
AT_ONCE = ("--force", "--grace-period=0", "--wait=false")


def run(site: Site, sight: Sight, loop_thread: LoopThread, cluster: Cluster) -> Iterator[Result]:
    """0 → 500 → 0 of everybody, and 0 → 1,000 of ours, whose pods are left there."""
    ours, script = [], []
    for _ in range(ROUNDS):
        ours.append(there_and_back(sight, cluster))
        script.append(scripted(sight, loop_thread))
    up, down = (statistics.median(pair[part] for pair in ours) for part in (0, 1))
    note = "default rates of Kubernetes; 500 fake nodes"
    bare_up = statistics.median(script)
    yield compared(
        f"0 → {PODS} pods Running, a script's", "s", up, bare_up, "a bare script, 50 creations at a time", 1.1, note
    )
    theirs = operated(site, sight)
    peer = "the operator's DaskCluster"
    yield compared(f"0 → {PODS} pods Running, the operator's", "s", up, theirs[0], peer, 1 / 8, note)
    yield compared(f"{PODS} → 0 pods, the operator's", "s", down, theirs[1], f"{peer}, deleted", 1 / 8, note)
    twice = sight.time_to(2 * PODS, lambda: cluster.scale(2 * PODS))
    yield compared(f"0 → {2 * PODS:,} pods Running", "s", twice, up, f"our 0 → {PODS}", 2.2, note)


def there_and_back(sight: Sight, cluster: Cluster) -> tuple[float, float]:
    """Seconds up and down of ours."""
    return sight.time_to(PODS, lambda: cluster.scale(PODS)), sight.time_to(0, lambda: cluster.scale(0))


def scripted(sight: Sight, loop_thread: LoopThread) -> float:
    """Seconds up of the bare script."""
    profile = profiles.get(NAME)
    up = sight.time_to(PODS, lambda: loop_thread.call(bare.make(profile, PODS)))
    sight.time_to(0, lambda: loop_thread.call(bare.remove()))
    return up


def operated(site: Site, sight: Sight) -> tuple[float, float]:
    """Seconds up and down of the operator."""
    body = operator.cluster(site, "theirs", PODS, fake=True)
    create = ("create", "-n", site.namespace, "-f", "-")
    up = until_late(lambda: sight.time_to(PODS, lambda: site.kube.kubectl(*create, stdin=json.dumps(body))), PATIENCE)
    down = until_late(lambda: sight.time_to(0, lambda: removed(site, body)), PATIENCE)
    if isinstance(down, Longer):  # what comes next needs the room
        operator.let_go(site)
        sight.time_to(0, lambda: site.kube.kubectl("delete", "pods", "-n", site.namespace, "-l", THEIRS, *AT_ONCE))
    return up, down


def removed(site: Site, body: dict[str, Any]) -> None:
    """Delete the cluster: scaled down, the operator ends the workers that its scheduler names, and none has joined."""
    site.kube.kubectl("delete", "daskcluster", body["metadata"]["name"], "-n", site.namespace, "--wait=false")

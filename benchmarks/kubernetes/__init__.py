"""Pods of a real Kubernetes, ours beside those of a bare script and of dask-kubernetes, in the same run.

Needs the program `kube` beside the repository (see `tests/kubernetes/kube.py`), which is started when it isn't up, and
left as it was. Pods by the hundreds are on nodes that exist only in the API.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from jupyter_mlops.client.clusters.kernel import loop_thread
from tests.kubernetes.kube import PROGRAM
from tests.kubernetes.kube import opened as opened_kube

from ..measure import Result

#: Fake nodes, of four CPUs each.
NODES = 500


def run() -> Iterator[Result]:
    """All of it."""
    if not PROGRAM.exists() or os.geteuid() != 0 or os.environ.get("KUBECONFIG"):
        print("kubernetes: not measured, there is no Kubernetes of our own to start")
        return
    from . import growth, joining, operator, screen, site, workers
    from .sight import watching

    folder = Path(tempfile.mkdtemp(prefix="mlops-bench-kubernetes-"))
    try:
        log = folder / "operator.log"
        with opened_kube() as kube, site.opened(kube, folder) as here, operator.running(here, log):
            yield from workers.run(here)
            with kube.fake_nodes(NODES), watching(loop_thread()) as sight:
                cluster = here.start(growth.NAME, 0, fake=True)
                cluster.wait(0)
                yield from growth.run(here, sight, loop_thread(), cluster)
                yield from screen.run(sight, cluster, 2 * growth.PODS, folder)
                sight.until(lambda seen: not seen.there)
                yield from joining.run(here, sight, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)

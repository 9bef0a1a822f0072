"""Dask's scheduler as a local cluster runs it."""

from __future__ import annotations

from pathlib import Path

from ...controller.roles import SCHEDULER
from ...home.clusters import ClusterFolder
from .. import dask_nodes
from .tls import security


def make_scheduler(folder: Path) -> dask_nodes.Scheduler:
    """The scheduler of the cluster in `folder`, not started. Only this machine can reach it, only with its key."""
    # Dask puts the folder that it works in on Python's path; by default it lies where every user of the machine writes.
    work = str(ClusterFolder(folder).work)
    keys = security(folder, SCHEDULER)
    return dask_nodes.make_scheduler(host="127.0.0.1", protocol="tls", security=keys, local_directory=work)

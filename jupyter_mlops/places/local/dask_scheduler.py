"""Dask's scheduler as a local cluster runs it."""

from __future__ import annotations

from pathlib import Path

from .. import dask_nodes
from .tls import security


def make_scheduler(folder: Path) -> dask_nodes.Scheduler:
    """The scheduler of the cluster in `folder`, not started. Only this machine can reach it, only with its key."""
    return dask_nodes.make_scheduler(host="127.0.0.1", protocol="tls", security=security(folder))

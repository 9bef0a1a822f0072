"""Dask's scheduler as a local cluster runs it."""

from __future__ import annotations

from pathlib import Path

from .. import silent
from .tls import security


def make_scheduler(folder: Path) -> silent.Scheduler:
    """The scheduler of the cluster in `folder`, not started. Only this machine can reach it, only with its key."""
    return silent.make_scheduler(host="127.0.0.1", protocol="tls", security=security(folder))

"""Large variables that runs use on the clusters of this machine.

Each is a file below the cluster's work folder, which all of its runners map: so it is in memory once, however many
workers read it. The file goes when Dask lets go of the key that stands for it, at the latest with the cluster.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .clusters import ClusterFolder

#: What the keys of large variables begin with, in Dask.
PREFIX = "mlops-variable-"


def new_key() -> str:
    """A key for a variable that is put on a cluster."""
    return PREFIX + uuid.uuid4().hex


def write(folder: ClusterFolder, key: str, parts: Iterable[Any]) -> Path:
    """Write a variable; `parts` are bytes or buffers. Returns its path.

    Raises
    ------
    OSError : it can't be written; nothing is left of it.
    """
    path = _path(folder, key)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(file, "wb") as target:
            target.writelines(parts)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def remove(folder: ClusterFolder, key: str) -> None:
    """Remove a variable. Who has it mapped keeps it. A no-op when it isn't there."""
    _path(folder, key).unlink(missing_ok=True)


def _path(folder: ClusterFolder, key: str) -> Path:
    return folder.work / "variables" / key

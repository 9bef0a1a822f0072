"""The key pair of a local cluster, in its folder.

On a machine with several users any of them could otherwise run code as this one: a Dask port unpickles what it gets.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ...home.clusters import ClusterFolder
from .. import keys

if TYPE_CHECKING:
    from distributed.security import Security


def make_keys(folder: Path) -> None:
    """Make `tls/key.pem` and `tls/cert.pem` in the cluster's `folder`, readable by their owner only."""
    key, certificate = keys.new_pair()
    ClusterFolder(folder).keys.mkdir(mode=0o700, exist_ok=True)
    _write(ClusterFolder(folder).keys / "key.pem", key)
    _write(ClusterFolder(folder).keys / "cert.pem", certificate)


def security(folder: Path) -> Security:
    """Dask's security settings for the cluster in `folder`, for all roles."""
    keys_in = ClusterFolder(folder).keys
    return keys.security(str(keys_in / "key.pem"), str(keys_in / "cert.pem"))


def _write(path: Path, data: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(data)

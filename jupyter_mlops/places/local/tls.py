"""The keys of a local cluster, in its folder.

On a machine with several users any of them could otherwise run code as this one: a Dask port unpickles what it gets.
Workers run as the same user, who can read the keys of all roles; so theirs may be used by clients in the users' code.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ...home.clusters import ClusterFolder
from .. import keys

if TYPE_CHECKING:
    from distributed.security import Security


#: The certificate that has signed the others.
_AUTHORITY = "authority.pem"


def make_keys(folder: Path) -> None:
    """Make the keys in `tls/` of the cluster's `folder`, readable by their owner only."""
    made, where = keys.new_keys(), ClusterFolder(folder).keys
    where.mkdir(mode=0o700, exist_ok=True)
    for role, pair in made.pairs.items():
        _write(where / f"{role}.key.pem", pair.key)
        _write(where / f"{role}.cert.pem", pair.certificate)
    _write(where / _AUTHORITY, made.authority)


def security(folder: Path, *roles: str) -> Security:
    """Dask's security settings for who has these roles in the cluster in `folder`."""
    where = ClusterFolder(folder).keys
    if not (where / _AUTHORITY).exists() and (where / "key.pem").exists():  # made before each role had its own
        return keys.security_of_one(keys.Pair(str(where / "key.pem"), str(where / "cert.pem")))
    pairs = {role: keys.Pair(str(where / f"{role}.key.pem"), str(where / f"{role}.cert.pem")) for role in roles}
    return keys.security(str(where / _AUTHORITY), **pairs)


def _write(path: Path, data: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(data)

"""The parts of a cluster: who is who is said by the certificate that each shows.

Standard library only: workers import it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SCHEDULER, WORKER, CLIENT = "scheduler", "worker", "client"
ROLES = (SCHEDULER, WORKER, CLIENT)

#: What certificates are called of clusters that were made before each part had its own.
ANY = "jupyter-mlops"


def role_of(certificate: Mapping[str, Any] | None) -> str:
    """The role that a certificate gives, as `ssl.SSLSocket.getpeercert` tells it; empty without one."""
    names = dict(pair for part in (certificate or {}).get("subject", ()) for pair in part)
    return str(names.get("commonName", ""))


def may_schedule(role: str) -> bool:
    """Whether who has this role may be a cluster's scheduler."""
    return role in (SCHEDULER, ANY)

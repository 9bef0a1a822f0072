"""One table from an error's meaning to its HTTP status. Callers: the handlers' base and the operations."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..core.errors import (
    Conflict,
    InvalidInput,
    InvalidSpec,
    MlopsError,
    NotFound,
    Refused,
    StorageFull,
    Unavailable,
    VersionMismatch,
)

#: The first class that an error is an instance of decides, so that narrower classes stand before wider ones.
STATUSES: tuple[tuple[type[MlopsError], int], ...] = (
    (InvalidInput, 400),
    (Refused, 403),
    (NotFound, 404),
    (Conflict, 409),
    (VersionMismatch, 409),
    (StorageFull, 507),
    (Unavailable, 503),
)


def status_of(error: MlopsError) -> int:
    """The HTTP status of `error`; 500 for one that no request should meet."""
    return next((status for kind, status in STATUSES if isinstance(error, kind)), 500)


def body_of(error: MlopsError) -> dict[str, Any]:
    """`error` as browsers and command lines read it; with the fields that are wrong, where they are known."""
    body = {"error": type(error).__name__, "what": error.what, "why": error.why, "todo": error.todo}
    faults = error.faults if isinstance(error, InvalidSpec) else ()
    return {**body, "faults": [asdict(fault) for fault in faults]} if faults else body

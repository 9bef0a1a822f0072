"""How many connections a process may have open."""

from __future__ import annotations

import contextlib
import resource

#: Open files that it wants for itself, beside one for each connection.
_FILES = 200


def most_connections(wanted: int) -> int:
    """Connections that may be open, as far as the system gives files for them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        more = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (more, hard))
            soft = more
    return wanted if soft == resource.RLIM_INFINITY else max(10, min(wanted, soft - _FILES))

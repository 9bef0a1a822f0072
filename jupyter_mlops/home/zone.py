"""Which time zone this machine is in."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from ..core.cron import zone_named
from ..core.errors import InvalidSpec

#: Where it says so.
_LOCALTIME, _TIMEZONE = Path("/etc/localtime"), Path("/etc/timezone")


def zone_here() -> str:
    """The name of this machine's time zone.

    Raises
    ------
    InvalidSpec : it can't be found.
    """
    named = os.environ.get("TZ", "").lstrip(":")
    if named.startswith("/"):  # a file, as of one's own computer
        named = _in_zoneinfo(Path(named))
    for name in [named] if named else _names_of_zone():
        with contextlib.suppress(InvalidSpec):
            zone_named(name)
            return name
    if time.timezone == 0 and not time.daylight:
        return "UTC"
    raise InvalidSpec("The name of this machine's time zone can't be found", "", 'Say it: zone="Europe/Berlin".')


def clock_here() -> str:
    """This machine's time zone, by its name where that is known."""
    with contextlib.suppress(InvalidSpec):
        return zone_here()
    return datetime.now().astimezone().strftime("UTC%z")


def _names_of_zone() -> Iterable[str]:
    with contextlib.suppress(OSError):
        yield _in_zoneinfo(_LOCALTIME)
    with contextlib.suppress(OSError):
        yield _TIMEZONE.read_text(encoding="utf-8").strip()


def _in_zoneinfo(path: Path) -> str:
    """The name of the zone whose file this is, or leads to."""
    return str(path.resolve()).partition("/zoneinfo/")[2]

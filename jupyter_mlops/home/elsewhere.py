"""What is kept here of a service that lives elsewhere, as in pods: a copy of its log, and what was seen of it.

elsewhere/ID/seen.json   called.json   requests/   as in the folder of a service of this machine
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .. import home
from .requests import REQUESTS, RequestLog

if TYPE_CHECKING:
    from ..core.base import Time
    from ..core.callers import UsageDay
    from ..core.elsewhere import ServiceSeen

#: What was seen, and who called.
SEEN, CALLED = "seen.json", "called.json"

#: Seconds that what is kept of a service outlives the last look at it.
_KEPT = 30 * 24 * 3600.0

_ID = re.compile(r"[0-9A-Za-z][-0-9A-Za-z]{0,62}")


@dataclass(frozen=True)
class ElsewhereFolder:
    """The folder of one service.

    Parameters
    ----------
    name : of the service.
    """

    path: Path
    name: str

    @property
    def requests(self) -> RequestLog:
        """The copy of its log."""
        return RequestLog(self.path / REQUESTS)

    def seen(self) -> ServiceSeen:
        """What was seen of it. What can't be read is seen again."""
        from ..core.elsewhere import ServiceSeen
        from ..core.errors import MlopsError

        with contextlib.suppress(FileNotFoundError, MlopsError):
            return home.read(ServiceSeen, self.path / SEEN)
        return ServiceSeen(name=self.name)

    def see(self, change: Callable[[ServiceSeen], None]) -> None:
        """Note what is seen, which nobody else does meanwhile; raises `StorageFull`, `Refused`, `Unavailable`."""
        with home.locked(self.path):
            seen = self.seen()
            before = seen.model_dump_json()
            change(seen)
            if (after := seen.model_dump_json()) != before or not (self.path / SEEN).exists():
                home.write(self.path / SEEN, after)
            else:
                (self.path / SEEN).touch()  # as `remove_unseen` has it

    def count(self, told: Mapping[str, list[UsageDay]], now: Time) -> list[list[UsageDay]]:
        """What callers asked of each pod in the days that are kept: as `told`, and of the others as they told last.
        Raises as `see`."""
        from ..core.callers import kept_days
        from ..core.elsewhere import CallersSeen
        from ..core.errors import Unreadable

        days = set(kept_days(now))
        with home.locked(self.path):
            try:
                known = home.read(CallersSeen, self.path / CALLED)
            except (FileNotFoundError, Unreadable):  # what can't be read is counted again
                known = CallersSeen()
            each = {
                pod: [day for day in its if day.day in days and day.callers]
                for pod, its in {**known.pods, **told}.items()
            }
            counted = CallersSeen(pods={pod: its for pod, its in each.items() if its})
            if counted != known:
                home.write(self.path / CALLED, counted.model_dump_json())
        return list(counted.pods.values())

    def forget(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self.path, ignore_errors=True)


def elsewhere_folder(id: str, name: str) -> ElsewhereFolder:
    """That of the service `name`, which its place calls `id`, and no other one. Raises `Unreadable`."""
    if _ID.fullmatch(id) is None:
        from ..core.errors import Unreadable

        raise Unreadable(f"The service {name!r} has no id that can be used here", repr(id[:100]), "")
    return ElsewhereFolder(_folder() / id, name)


def is_known_elsewhere(name: str) -> bool:
    """Whether a service of that name was seen elsewhere, and not forgotten since."""
    return any(ElsewhereFolder(path.parent, "").seen().name == name for path in _folder().glob(f"*/{SEEN}"))


def remove_unseen(now: Time) -> None:
    """Remove what nobody has looked at for `_KEPT` seconds: its service may have gone by another way."""
    for folder in _folder().glob("*/"):
        with contextlib.suppress(OSError):
            looked = [path.stat().st_mtime for name in (SEEN, CALLED) if (path := folder / name).exists()]
            if max(looked, default=folder.stat().st_mtime) < now - _KEPT:
                shutil.rmtree(folder, ignore_errors=True)


def _folder() -> Path:
    return home.home() / "elsewhere"

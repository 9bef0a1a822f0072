"""What is kept here of a service that lives elsewhere, as in pods: a copy of its log, and what was seen of it.

elsewhere/ID/seen.json   elsewhere/ID/requests/   as in the folder of a service of this machine
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .. import home
from .requests import REQUESTS, RequestLog

if TYPE_CHECKING:
    from ..core.elsewhere import ServiceSeen

#: What was seen.
SEEN = "seen.json"

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
            if (after := seen.model_dump_json()) != before:
                home.write(self.path / SEEN, after)

    def forget(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self.path, ignore_errors=True)


def elsewhere_folder(id: str, name: str) -> ElsewhereFolder:
    """That of the service `name`, which its place calls `id`, and no other one. Raises `Unreadable`."""
    if _ID.fullmatch(id) is None:
        from ..core.errors import Unreadable

        raise Unreadable(f"The service {name!r} has no id that can be used here", repr(id[:100]), "")
    return ElsewhereFolder(home.home() / "elsewhere" / id, name)

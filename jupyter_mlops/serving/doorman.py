"""Who is let in to a service."""

from __future__ import annotations

from collections.abc import Callable

from ..core.errors import Unavailable, Unreadable
from ..core.service import CallerTokens
from ..home.services import ServiceFolder, Stamp, caller_of


class Doorman:
    """Knows whose a token is.

    Parameters
    ----------
    say : called with a line for the log.
    """

    def __init__(self, folder: ServiceFolder, say: Callable[[str], None]) -> None:
        self._folder, self._say = folder, say
        self._known: tuple[Stamp | None, CallerTokens] = (None, CallerTokens())
        self._unread = ""

    def caller(self, token: str) -> str | None:
        """Whose token this is. The file is looked at each time: who is shut out is out at once. Raises `Unavailable`
        where that can't be seen."""
        stamp = self._folder.callers_at()
        if stamp != self._known[0]:
            try:
                self._known, self._unread = (stamp, self._folder.callers()), ""
            except Unreadable as fault:  # it may be over in a moment
                if str(fault) != self._unread:
                    self._unread = str(fault)
                    self._say(f"nobody is let in: {fault}")
                raise Unavailable(
                    "Nobody is let in now", "the list of who may call can't be read", "Try again; the log has more."
                ) from fault
        return caller_of(token, self._known[1])

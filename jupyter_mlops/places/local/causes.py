"""Why a worker died, in the words that users read."""

from __future__ import annotations

import functools
import signal
from typing import Any

from ...core.cluster import Problem
from ...core.words import size
from ...home.machine import oom_kills


def why_lost(notice: dict[str, Any], log: list[str]) -> Problem:
    """The problem of a worker that ended without being asked, from what the fork server says and its last lines."""
    what = f"Worker {notice['name']} died"
    if notice["out_of_memory"]:
        return Problem(
            what=what,
            why=f"out of memory: limit {size(notice['limit'])}, peak {size(notice['peak'])}",
            todo="Work on smaller pieces, or use a group with more memory per worker.",
        )
    code = notice["code"]
    if code == 0:
        return Problem(what=what, why="it lost its connection to the scheduler, or was told to close", todo="")
    if code == -signal.SIGKILL:
        return _killed(what, notice["peak"])
    last = f"; its last words: {log[-1].strip()}" if log and log[-1].strip() else ""
    if code < 0:
        return Problem(what=what, why=f"ended by signal {_signal(-code)}{last}", todo="Its log may say more.")
    return Problem(what=what, why=f"exit code {code}{last}", todo="Its log may say more.")


def lost_with_server(name: str) -> Problem:
    """The problem of a worker whose fork server died: it can't live without."""
    return Problem(what=f"Worker {name} died", why="the process that had started it was ended from outside", todo="")


def _killed(what: str, peak: int) -> Problem:
    global _seen
    now = oom_kills()
    if now > _seen:
        _seen = now
        return Problem(
            what=what,
            why=f"the machine ran out of memory and ended it (signal SIGKILL, peak {size(peak)})",
            todo="Use fewer workers, or end other programs that need much memory.",
        )
    return Problem(what=what, why="killed from outside (signal SIGKILL)", todo="")


#: Processes that the kernel had ended for lack of memory when it was looked at last.
_seen = oom_kills()


@functools.cache
def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)

"""Processes, told apart from later ones that happen to have the same number.

No third-party import at the top: the scheduler program uses this before it imports anything else.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

#: Environment variable that every process of a cluster carries: a mark that no other cluster ever has.
MARK = "JUPYTER_MLOPS_CLUSTER"


@dataclass(frozen=True)
class Process:
    """A process: its number, and when it began in the machine's own units, so that clock changes don't matter."""

    pid: int
    birth: str


def look(pid: int) -> Process | None:
    """The live process with that number; None when there is none (a zombie counts as none).

    Raises
    ------
    OSError : that can't be seen: this process has too many open files, or not the right to look.
    """
    if sys.platform == "linux":
        try:
            stat = Path(f"/proc/{pid}/stat").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            if _may_exist(pid):
                raise
            return None
        fields = stat.rpartition(b")")[2].split()
        return None if fields[0] in b"ZX" else Process(pid, fields[19].decode())
    import psutil

    try:
        process = psutil.Process(pid)
        dead = process.status() == psutil.STATUS_ZOMBIE
        return None if dead else Process(pid, repr(process.create_time()))
    except psutil.NoSuchProcess:
        return None
    except psutil.Error as error:
        raise OSError(str(error)) from error


def _may_exist(pid: int) -> bool:
    """Whether there may be a process that isn't shown."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def alive(process: Process | None) -> bool:
    """Whether that very process still runs; raises as `look`."""
    return process is not None and look(process.pid) == process


def of_cluster(mark: str) -> list[int]:
    """Numbers of all live processes that carry the cluster's mark, this one left out."""
    import psutil

    found = []
    for pid in psutil.pids():
        with contextlib.suppress(psutil.Error, OSError):  # gone meanwhile, or another user's
            if pid != os.getpid() and look(pid) is not None and psutil.Process(pid).environ().get(MARK) == mark:
                found.append(pid)
    return found


def of_folder(folder: Path) -> list[int]:
    """Numbers of all live processes that were started for the cluster in `folder`, as their arguments tell. For when
    its record can't say which they are."""
    import psutil

    found = []
    for pid in psutil.pids():
        with contextlib.suppress(psutil.Error, OSError):  # gone meanwhile, or another user's
            arguments = psutil.Process(pid).cmdline()
            if look(pid) is not None and str(folder) in arguments and f"{__package__}.scheduler" in arguments:
                found.append(pid)
    return found


def mark_of(pid: int) -> str:
    """The mark of the cluster that a process belongs to; empty when it can't be told."""
    import psutil

    with contextlib.suppress(psutil.Error, OSError):
        return psutil.Process(pid).environ().get(MARK, "")
    return ""


def kill(pid: int, number: int = signal.SIGKILL, group: bool = False) -> None:
    """Send a signal to a process, or to all of its process group; a no-op when it is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        (os.killpg if group else os.kill)(pid, number)


def kill_cluster(mark: str, scheduler: Process | None = None, timeout: float = 5.0) -> None:
    """Kill every process that carries the cluster's mark, and `scheduler`; returns when they are gone, or too late.

    This is done in rounds, because a process that is being killed may just have made another one. A dying process loses
    its mark before it is gone.
    """
    deadline = time.monotonic() + timeout
    found = {scheduler}
    while True:
        found |= {look(pid) for pid in of_cluster(mark)}
        left = [process.pid for process in found if process is not None and alive(process)]
        if not left or time.monotonic() > deadline:
            return
        for pid in left:
            kill(pid)
        time.sleep(0.02)

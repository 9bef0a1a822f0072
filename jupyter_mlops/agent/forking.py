"""What processes need that fork others and watch them: the template of runners, and the local place's fork server.

Nothing of third parties is imported here: programs use this before they import anything else.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass

#: Environment variables that limit the threads which native libraries make. Who forks others wants none.
NATIVE = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

#: Has malloc give free memory back to the system at once, as Dask's nanny has it for its workers, which live long. Read
#: by a process when it begins.
THRIFTY = ("MALLOC_TRIM_THRESHOLD_", "65536")

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class EndedChild:
    """A child that has ended: its exit code (negative: the signal that killed it) and its most memory in bytes."""

    pid: int
    code: int
    peak: int


def wake_on_children() -> tuple[socket.socket, socket.socket]:
    """A socket that can be read from when a child has ended, and its other end, which has to be kept. An interrupt is
    nothing to this process from here on."""
    wake, kept = socket.socketpair()
    for end in (wake, kept):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.set_wakeup_fd(kept.fileno(), warn_on_full_buffer=False)
    return wake, kept


def ended_children() -> Iterator[EndedChild]:
    """The children that have ended since the last time, as they are reaped."""
    unit = 1 if sys.platform == "darwin" else 1024
    while True:
        try:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield EndedChild(pid, os.waitstatus_to_exitcode(status), usage.ru_maxrss * unit)


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent `parent` dies, where it can (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before the kernel was told
            os._exit(1)

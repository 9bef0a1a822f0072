"""Where a process runs, as far as another process can tell: on which machine, since which start of it, in which
container. Only who shares all of that sees whether the process lives.

A machine's name tells nothing of the kind: laptops change theirs with the network, and containers share one.
No third-party import: the scheduler program uses this before it imports anything else.
"""

from __future__ import annotations

import contextlib
import functools
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

#: How a machine's own processes are numbered, as opposed to a container's: the number is the kernel's, fixed for good.
MACHINES_OWN = "pid:[4026531836]"

#: `here`: the same start of the same machine, and the same numbers of processes. `beside`: another container on the
#: same start of the machine. `before`: this machine, before it was started again. `elsewhere`: none of these for sure.
Distance = Literal["here", "beside", "before", "elsewhere"]


@dataclass(frozen=True)
class Whereabouts:
    """Where a process runs. What couldn't be found out, or was stored by a version that didn't ask, is empty.

    Parameters
    ----------
    host : the machine's name, for people.
    machine : names the machine for good.
    boot : names its current run: another value means that it was started again in between.
    numbers : names the numbers that processes have: each container has its own.
    """

    host: str
    machine: str = ""
    boot: str = ""
    numbers: str = ""

    def seen_from(self, here: Whereabouts) -> Distance:
        """How far it is from `here`."""
        if not self.boot or not here.boot:
            return "elsewhere"
        if self.boot != here.boot:
            known = self.machine != "" and self.machine == here.machine
            return "before" if known and self.numbers == here.numbers == MACHINES_OWN else "elsewhere"
        if self.numbers:
            return "here" if self.numbers == here.numbers else "beside"
        return "here" if self.host == here.host else "beside"


def here() -> Whereabouts:
    """Where this process runs."""
    return Whereabouts(socket.gethostname(), *_here())


def uptime() -> float:
    """Seconds since the machine was started; 0 where that isn't known."""
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@functools.cache
def _here() -> tuple[str, str, str]:
    if sys.platform != "linux":
        return _hardware(), _session(), MACHINES_OWN
    numbers = ""
    with contextlib.suppress(OSError):
        numbers = str(Path("/proc/self/ns/pid").readlink())
    machine = _text("/etc/machine-id")
    return machine if machine != "uninitialized" else "", _text("/proc/sys/kernel/random/boot_id"), numbers


def _text(path: str) -> str:
    try:
        return Path(path).read_bytes().decode("ascii", "replace").strip()
    except OSError:
        return ""


def _hardware() -> str:
    """The address of a network card that was built in; empty where there is none."""
    import uuid

    number = uuid.getnode()
    return "" if number >> 40 & 1 else f"{number:x}"  # else it was drawn just now


def _session() -> str:
    """The current run of a machine whose system isn't Linux."""
    with contextlib.suppress(OSError, AttributeError):
        import ctypes

        text, size = ctypes.create_string_buffer(64), ctypes.c_size_t(64)
        asked = ctypes.CDLL(None).sysctlbyname(b"kern.bootsessionuuid", text, ctypes.byref(size), None, 0)
        if asked == 0 and text.value:
            return text.value.decode("ascii", "replace")
    import psutil

    return str(round(psutil.boot_time(), -1))  # tens of seconds: the clock may be set a little

"""This machine, or the part of it that this process may use: a container's limits count, not the host's size."""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path

import psutil

_CGROUP = Path("/sys/fs/cgroup")


def cpus() -> int:
    """CPUs that this process may use: the smaller of its affinity and its control group's quota, at least one."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota()
    return max(1, min(usable, math.ceil(quota)) if quota else usable)


def memory() -> int:
    """Bytes of memory that this process may use: the smaller of the machine's and its control group's limit."""
    total = int(psutil.virtual_memory().total)
    limits = [_number(path / "memory.max") for path in _groups()]
    limits.append(_number(_CGROUP / "memory" / "memory.limit_in_bytes"))
    return min([total, *(int(limit) for limit in limits if limit)])


def free_memory() -> float:
    """The part of the memory that is free, 0 to 1: of the machine, or of its control group if that is less."""
    machine = psutil.virtual_memory()
    parts = [machine.available / machine.total]
    for path in _groups():
        with contextlib.suppress(OSError, ValueError):  # "max", where it has no limit of its own
            most = int((path / "memory.max").read_text())
            files = dict(line.split() for line in (path / "memory.stat").read_text().splitlines())
            used = int((path / "memory.current").read_text()) - int(files.get("inactive_file", 0))
            parts.append(1 - used / most)
    return min(parts)


def oom_kills() -> int:
    """How often the kernel has ended a process of this control group for lack of memory."""
    for path in _groups():
        try:
            lines = (path / "memory.events").read_text().splitlines()
        except OSError:
            continue
        return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
    return 0


def _quota() -> float | None:
    """The tightest CPU quota of the control groups that this process is in, in CPUs; None when there is none."""
    quotas = []
    for path in _groups():
        try:
            quota, period = (path / "cpu.max").read_text().split()
        except (OSError, ValueError):
            continue
        if quota != "max":
            quotas.append(int(quota) / int(period))
    old = _number(_CGROUP / "cpu" / "cpu.cfs_quota_us"), _number(_CGROUP / "cpu" / "cpu.cfs_period_us")
    if old[0] and old[1] and old[0] > 0:
        quotas.append(old[0] / old[1])
    return min(quotas, default=None)


def _groups() -> list[Path]:
    """This process's control group (version 2) and those around it, innermost first."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    own = next((line.removeprefix("0::").strip("/") for line in lines if line.startswith("0::")), "")
    inner = _CGROUP / own
    return [inner, *(path for path in inner.parents if path.is_relative_to(_CGROUP))]


def _number(path: Path) -> float | None:
    try:
        return float(path.read_text())
    except (OSError, ValueError):
        return None

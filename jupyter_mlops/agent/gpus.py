"""What ranks use of GPUs, as NVIDIA's library tells: nothing where it isn't installed, or where there is no GPU."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import Any

#: What NVIDIA's container runtime is told by those who give a container no GPUs of its own.
_NOT_OWN = {"", "all", "none", "void"}


class Gpus:
    """The GPUs that this process sees."""

    def __init__(self) -> None:
        self._nvml: Any = None
        self._gpus: list[Any] = []
        with contextlib.suppress(Exception):  # the package is missing, or the driver, or a right: all the same here
            import pynvml  # type: ignore[import-not-found]  # nvidia-ml-py is the user's own

            pynvml.nvmlInit()
            self._gpus = [pynvml.nvmlDeviceGetHandleByIndex(number) for number in range(pynvml.nvmlDeviceGetCount())]
            self._nvml = pynvml

    def used(self, pids: Sequence[int]) -> dict[int, dict[str, float]]:
        """What processes use, by their number: `gpu`, the part of the last second, about, in which their GPUs computed,
        and `gpu_memory`, the bytes that they have there. Those that use none, or of which nobody can say, are left out.

        Parameters
        ----------
        pids : of all ranks of this worker, in their order.
        """
        whose: dict[int, list[tuple[float, int]]] = {}
        seen = [each for each in map(self._look, self._gpus) if each is not None]
        for busy, _, processes in seen:
            for pid in set(pids) & processes.keys():
                whose.setdefault(pid, []).append((busy, processes[pid]))
        if not whose and _own():  # it is other numbers that processes have outside of the container
            whose = _shared_out(pids, [(busy, memory) for busy, memory, _ in seen])
        return {pid: _together(gpus) for pid, gpus in whose.items()}

    def _look(self, gpu: Any) -> tuple[float, int, dict[int, int]] | None:
        """How busy a GPU is, the bytes in use, and those of each process; None where it can't be told, as of a part of
        one."""
        try:
            busy = self._nvml.nvmlDeviceGetUtilizationRates(gpu).gpu / 100
            memory = int(self._nvml.nvmlDeviceGetMemoryInfo(gpu).used)
            processes = self._nvml.nvmlDeviceGetComputeRunningProcesses(gpu)
        except self._nvml.NVMLError:
            return None
        return busy, memory, {each.pid: int(each.usedGpuMemory or 0) for each in processes}


def _own() -> bool:
    """Whether the GPUs that are seen are this container's alone."""
    return os.environ.get("NVIDIA_VISIBLE_DEVICES", "") not in _NOT_OWN


def _shared_out(pids: Sequence[int], gpus: list[tuple[float, int]]) -> dict[int, list[tuple[float, int]]]:
    """Whose the GPUs of this worker are, where they don't tell: all are of a single rank, and of as many ranks each has
    the one of its number, by which frameworks choose it."""
    if len(pids) == 1 and gpus:
        return {pids[0]: gpus}
    return {pid: [gpu] for pid, gpu in zip(pids, gpus, strict=True)} if len(pids) == len(gpus) else {}


def _together(gpus: list[tuple[float, int]]) -> dict[str, float]:
    busy, memory = (sum(each[part] for each in gpus) for part in (0, 1))
    return {"gpu": round(busy / len(gpus), 2), "gpu_memory": memory}

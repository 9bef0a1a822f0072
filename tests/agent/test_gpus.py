"""What NVIDIA's library tells of GPUs becomes what each rank uses."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from jupyter_mlops.agent.gpus import Gpus

#: By GPU: how busy it is in per cent, the bytes in use, and those of each process; None where it doesn't tell.
Told = list[tuple[int, int, dict[int, int]] | None]


def nvml(told: Told) -> ModuleType:
    """A module that tells so, with the names of nvidia-ml-py."""

    class NVMLError(Exception):
        pass

    def of(gpu: int) -> tuple[int, int, dict[int, int]]:
        found = told[gpu]
        if found is None:
            raise NVMLError("not supported")
        return found

    made: Any = ModuleType("pynvml")
    made.NVMLError = NVMLError
    made.nvmlInit = lambda: None
    made.nvmlDeviceGetCount = lambda: len(told)
    made.nvmlDeviceGetHandleByIndex = lambda number: number
    made.nvmlDeviceGetUtilizationRates = lambda gpu: SimpleNamespace(gpu=of(gpu)[0])
    made.nvmlDeviceGetMemoryInfo = lambda gpu: SimpleNamespace(used=of(gpu)[1])
    made.nvmlDeviceGetComputeRunningProcesses = lambda gpu: [
        SimpleNamespace(pid=pid, usedGpuMemory=memory or None) for pid, memory in of(gpu)[2].items()
    ]
    return made


@pytest.mark.parametrize(
    ("told", "visible", "used"),
    [
        ([], "", {}),
        ([(90, 900, {77: 900})], "", {}),
        ([(90, 900, {7: 500, 77: 400})], "", {7: (0.9, 500)}),
        ([(90, 900, {7: 500}), (30, 80, {7: 80, 8: 0})], "", {7: (0.6, 580), 8: (0.3, 0)}),
        ([None, (30, 80, {8: 80})], "", {8: (0.3, 80)}),
        ([(90, 900, {}), (30, 80, {})], "GPU-1,GPU-2", {7: (0.9, 900), 8: (0.3, 80)}),
        ([(90, 900, {})], "GPU-1", {}),
        ([(90, 900, {}), (30, 80, {})], "all", {}),
    ],
    ids=[
        "no GPU",
        "somebody else's",
        "shared with others",
        "of two, the mean, and all memory",
        "a part of a GPU tells nothing",
        "a container's own: each rank has the one of its number",
        "a container's own, for two ranks: nobody can say",
        "not a container's own",
    ],
)
def test_whose_a_gpu_is(told: Told, visible: str, used: dict[int, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", nvml(told))
    monkeypatch.setenv("NVIDIA_VISIBLE_DEVICES", visible)
    found = {pid: (each["gpu"], each["gpu_memory"]) for pid, each in Gpus().used([7, 8]).items()}
    assert found == used


def test_a_single_rank_has_all_gpus_of_its_container(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", nvml([(100, 10, {}), (0, 20, {})]))
    monkeypatch.setenv("NVIDIA_VISIBLE_DEVICES", "GPU-1,GPU-2")
    assert Gpus().used([7]) == {7: {"gpu": 0.5, "gpu_memory": 30}}


def test_without_the_library_or_a_driver_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("no driver")

    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert Gpus().used([7]) == {}
    broken = nvml([(90, 900, {7: 500})])
    broken.nvmlInit = fail  # type: ignore[attr-defined]  # a module has any
    monkeypatch.setitem(sys.modules, "pynvml", broken)
    assert Gpus().used([7]) == {}

"""When a scheduler's event loop stands still, and whose code it was in. Sent to schedulers by value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def travelling(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, sent by value: schedulers don't have the benchmarks."""
    function.__module__ = "__main__"
    return function


@travelling
def watch(dask_scheduler: Any = None) -> None:
    """Begin to note each time that the loop stands still for more than 20 ms, with what its thread does meanwhile.

    A thread looks at it every 5 ms. A stall in which it finds our code (a frame of the package, above the loop's own)
    is ours for the share of looks that found it. One without a look, when code kept Python's lock or the machine was
    busy with other things, counts as ours for the CPU time that the loop's thread used.
    """
    import asyncio
    import sys
    import threading
    import time
    import traceback

    loop, main = asyncio.get_running_loop(), threading.get_ident()
    noted: list[dict[str, Any]] = []
    state = {"at": time.monotonic(), "cpu": time.thread_time(), "stop": False}

    def beat() -> None:
        state["at"], state["cpu"] = time.monotonic(), time.thread_time()
        if not state["stop"]:
            loop.call_later(0.002, beat)

    def stack() -> list[str]:
        frames = traceback.extract_stack(sys._current_frames().get(main))
        runs = [number for number, frame in enumerate(frames) if frame.name in ("_run", "_run_once")]
        return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[max(runs, default=-1) + 1 :]]

    def look() -> None:
        while not state["stop"]:
            began, cpu, stacks = state["at"], state["cpu"], []
            time.sleep(0.005)
            while state["at"] == began and time.monotonic() - began > 0.02:
                stacks.append(stack())
                time.sleep(0.005)
            took = state["at"] - began
            if stacks and took > 0.02:
                ours = [any("mlops" in line for line in stack) for stack in stacks]
                some = stacks[:: len(stacks) // 8 + 1]
                noted.append({"seconds": took, "ours": took * sum(ours) / len(ours), "stacks": some})
            elif took > 0.05:
                noted.append({"seconds": took, "ours": min(took, state["cpu"] - cpu), "stacks": []})

    beat()
    threading.Thread(target=look, daemon=True).start()
    dask_scheduler.mlops_stalls = (state, noted)


@travelling
def found(dask_scheduler: Any = None) -> list[dict[str, Any]]:
    """End it; what was noted."""
    state, noted = dask_scheduler.mlops_stalls
    state["stop"] = True
    return list(noted)

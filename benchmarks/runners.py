"""What it costs that each run has processes of its own, against plain Dask workers."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from distributed import Client, LocalCluster

import jupyter_mlops as mlops

from .measure import Result, bounded, compared, in_turn, timed

WORKERS = 8


def run() -> Iterator[Result]:
    """Steps of pure Python and a cancel on two workers; pandas and a large array on eight."""
    cluster = mlops.start("bench", workers=2)
    cluster.wait(2)
    client = cluster.client()
    try:
        yield small_steps(cluster, client)
        yield cancel(cluster)
    finally:
        client.close()
        cluster.stop()
    yield from tables()
    yield from large_array()


def steps() -> int:
    """20,000 calls that do next to nothing."""
    return sum(_step(number) for number in range(20_000))


def _step(number: int) -> int:
    return [number, number + 1][-1] if number % 2 else len(str(number))


def small_steps(cluster: Any, client: Client) -> Result:
    """What the code's own process takes for pure Python: no event loop shares its interpreter lock."""

    def measured() -> float:
        return min(timed(steps) for _ in range(20))

    def ours() -> float:
        return float(mlops.run(measured, cluster=cluster, quiet=True).result())

    def peer() -> float:
        return float(client.submit(measured, pure=False).result())

    ours(), peer()
    a, b = in_turn(ours, peer, 7)
    return compared("20,000 small steps of Python in a run", "ms", a * 1e3, b * 1e3, "client.submit", 0.8)


def cancel(cluster: Any) -> Result:
    """From a cancel of code that sleeps in C, deaf to interrupts, to the next run's result on the same worker."""

    def once() -> float:
        run = mlops.map(_deaf, range(2), cluster=cluster, quiet=True)
        time.sleep(1)
        return timed(lambda: (run.cancel(), mlops.map(abs, range(2), cluster=cluster, quiet=True).result()))

    return bounded("cancel of code in C, until the worker does the next", "s", max(once() for _ in range(3)), 3)


def _deaf(item: int) -> None:
    import ctypes
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.PyDLL(None).sleep(600)


def table(item: int) -> int:
    """What needs pandas."""
    import pandas as pd

    time.sleep(0.2)  # so that each worker gets one
    return int(pd.DataFrame({"a": range(100)}).a.sum())


def tables() -> Iterator[Result]:
    """The first use of pandas on new workers: CPU time of the whole machine, and memory afterwards."""
    found = [(_tables(*_ours()), _tables(*_peers())) for _ in range(3)]
    a, b = (statistics.median(pair[side][0] for pair in found) for side in (0, 1))
    yield compared(f"pandas on {WORKERS} new workers, CPU time from their start", "s", a, b, "LocalCluster", 0.4)
    a, b = (statistics.median(pair[side][1] for pair in found) for side in (0, 1))
    yield compared(f"memory of {WORKERS} workers after pandas", "MB", a, b, "LocalCluster", 0.5)


def large_array() -> Iterator[Result]:
    """An array of 500 MB that eight workers read. Each measurement has a cluster of its own, which lacks it."""
    big = np.ones(62_500_000)
    found = [(_growth(*_ours(), _read_in_runs(big)), _growth(*_peers(), _read_in_tasks(big))) for _ in range(3)]
    name = f"an array of 500 MB read by {WORKERS} workers"
    a, b = (statistics.median(pair[side][0] for pair in found) for side in (0, 1))
    yield compared(name, "s", a, b, "client.scatter and submit", 0.3)
    a, b = (statistics.median(pair[side][1] for pair in found) for side in (0, 1))
    yield compared(f"{name}: memory", "MB", a, b, "client.scatter and submit", 0.2)


def _read_in_runs(big: Any) -> Callable[[Any], object]:
    def read(item: int) -> float:
        time.sleep(0.3)  # so that each worker gets one
        return float(big.sum())

    return lambda cluster: mlops.map(read, range(WORKERS), cluster=cluster, quiet=True).result()


def _read_in_tasks(big: Any) -> Callable[[Any], object]:
    def read(array: Any) -> float:
        time.sleep(0.3)
        return float(array.sum())

    def use(client: Client) -> object:
        future = client.scatter(big)
        workers = list(client.scheduler_info(n_workers=-1)["workers"])
        return client.gather([client.submit(read, future, workers=[each], pure=False) for each in workers])

    return use


def _growth(
    start: Callable[[], Any], warm: Callable[[Any], object], stop: Callable[[Any], object], use: Callable[[Any], object]
) -> tuple[float, float]:
    """Seconds that `use` takes on workers that have worked before, and by how many megabytes their memory grows."""
    before = set(psutil.pids())
    held = start()
    warm(held)
    idle = _memory(before)
    with ThreadPoolExecutor(1) as thread:
        using = thread.submit(timed, lambda: use(held))
        most = 0.0
        while not using.done():
            most = max(most, _memory(before) - idle)
            time.sleep(0.1)
    stop(held)
    return using.result(), most


def _tables(
    start: Callable[[], Any], use: Callable[[Any], object], stop: Callable[[Any], object]
) -> tuple[float, float]:
    """CPU seconds from the start on, and megabytes afterwards."""
    before, began = set(psutil.pids()), cpu()
    held = start()
    use(held)
    seconds = cpu() - began
    time.sleep(2)
    memory = _memory(before)
    stop(held)
    return seconds, memory


def _ours() -> tuple[Callable[[], Any], Callable[[Any], object], Callable[[Any], object]]:
    def start() -> Any:
        cluster = mlops.start("bench", workers=WORKERS, wait=False)
        cluster.wait(WORKERS, 120)
        return cluster

    return start, lambda cluster: mlops.map(table, range(WORKERS), cluster=cluster, quiet=True).result(), _stop


def _stop(cluster: Any) -> None:
    cluster.stop()
    while cluster.state().phase != "ended":
        time.sleep(0.1)


def _peers() -> tuple[Callable[[], Any], Callable[[Any], object], Callable[[Any], object]]:
    def start() -> Client:
        client = Client(LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=":0"))
        client.wait_for_workers(WORKERS, 120)
        return client

    def use(client: Client) -> None:
        workers = list(client.scheduler_info(n_workers=-1)["workers"])
        client.gather([client.submit(table, 0, workers=[each], pure=False) for each in workers])

    return start, use, lambda client: client.shutdown()


def cpu() -> float:
    """CPU seconds so far, of this process's control group: what others do on the machine counts only where it has none
    to itself. Elsewhere than on Linux those of the whole machine."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if "cpuacct" in controllers.split(","):
                return int(Path(f"/sys/fs/cgroup/cpuacct{path}/cpuacct.usage").read_text()) / 1e9
            if not controllers and (found := Path(f"/sys/fs/cgroup{path}/cpu.stat")).exists():
                return int(found.read_text().split()[1]) / 1e6
    times = psutil.cpu_times()
    return float(times.user + times.system)


def _memory(before: set[int]) -> float:
    """Megabytes of the processes that are new since: what several share is counted once."""
    total = 0
    for pid in set(psutil.pids()) - before:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                total += int(line.split()[1]) if line.startswith("Pss:") else 0
    return total / 1e3

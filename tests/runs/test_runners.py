"""Users' code runs in processes of its own: what it does to them, its worker, other runs and other items don't feel."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

import jupyter_mlops as mlops
from jupyter_mlops import errors, home
from jupyter_mlops.places.local import processes
from jupyter_mlops.places.local.folder import Folder

from .cluster import LONG, until
from .test_functions import workers_of


def pids_of(cluster: mlops.Cluster) -> set[int]:
    """The processes of its workers."""
    return {worker.pid for worker in workers_of(cluster) if worker.pid}


def test_code_runs_in_a_process_of_its_own(cluster: mlops.Cluster) -> None:
    seen = mlops.run(os.getpid, cluster=cluster).result(LONG)
    assert seen not in pids_of(cluster)
    assert seen != mlops.run(os.getpid, cluster=cluster).result(LONG)  # each run has its own
    until(lambda: not psutil.pid_exists(seen))  # and it ends with the run


@pytest.mark.parametrize(
    ("death", "words"),
    [
        (lambda: os._exit(3), "exit code 3"),
        (lambda: __import__("ctypes").string_at(0), "SIGSEGV"),
        (lambda: os.kill(os.getpid(), 9), "SIGKILL"),
    ],
    ids=["exit", "crash", "kill"],
)
def test_a_death_is_the_runs_and_not_the_workers(cluster: mlops.Cluster, death: Callable[[], Any], words: str) -> None:
    before = pids_of(cluster)
    run = mlops.run(death, cluster=cluster)
    with pytest.raises(errors.RunFailed, match=words):
        run.result(LONG)
    assert "test_runners.py" in run.prints() if words == "SIGSEGV" else not run.prints()
    assert "<jupyter-mlops" not in run.prints() and "<string>" not in run.prints(), "none of our frames"
    assert mlops.run(lambda: 7, cluster=cluster).result(LONG) == 7
    assert pids_of(cluster) == before


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_what_is_no_ordinary_exception_is_the_runs_error(cluster: mlops.Cluster, error: type[BaseException]) -> None:
    def leave() -> None:
        raise error("enough")

    run = mlops.run(leave, cluster=cluster)
    with pytest.raises(errors.RunFailed, match=error.__name__) as failed:
        run.result(LONG)
    assert isinstance(failed.value.__cause__, error)
    items = mlops.map(lambda item: leave() if item == 3 else item, range(6), cluster=cluster).result(LONG)
    assert [item for item in items if isinstance(item, int)] == [0, 1, 2, 4, 5]
    assert error.__name__ in str(items[3])


def test_in_a_map_exactly_the_item_fails_that_ends_its_process(cluster: mlops.Cluster) -> None:
    before = pids_of(cluster)

    def work(item: int) -> int:
        if item in (7, 30):
            print("about to leave", flush=True)
            os._exit(9)
        return 2 * item

    results = mlops.map(work, range(60), cluster=cluster).result(LONG)
    failed = [index for index, result in enumerate(results) if not isinstance(result, int)]
    assert failed == [7, 30]
    assert all(results[item] == 2 * item for item in range(60) if item not in (7, 30))
    assert "exit code 9" in str(results[7])
    assert pids_of(cluster) == before


def test_a_map_is_right_although_runners_are_killed(cluster: mlops.Cluster) -> None:
    before = pids_of(cluster)

    def work(item: int) -> int:
        time.sleep(0.02)
        return item

    run = mlops.map(work, range(600), cluster=cluster)
    until(lambda: run.record.done)
    killed = 0
    while run.state == "running" and killed < 5:
        runners = _runners(next(iter(before)), 1.0)  # one that is younger may be at the item that ended the one before
        with contextlib.suppress(IndexError, psutil.NoSuchProcess):  # there is none now, or it was just over
            random.choice(runners).kill()
            killed += 1
        time.sleep(0.2)
    assert killed
    assert run.result(LONG) == list(range(600))
    assert pids_of(cluster) == before


def _runners(worker: int, age: float) -> list[psutil.Process]:
    """Processes in which code of runs runs, for so many seconds at least: children of the template, which workers of a
    cluster share."""
    mark = psutil.Process(worker).environ()["JUPYTER_MLOPS_CLUSTER"]
    found = []
    for process in psutil.process_iter():
        try:
            parent = process.parent()
            if (
                parent is not None
                and process.environ().get("JUPYTER_MLOPS_CLUSTER") == mark
                and process.cmdline() == parent.cmdline()
                and process.cmdline()[1:2] == ["-c"]
                and time.time() - process.create_time() >= age
            ):
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_memory_ends_the_item_and_says_so() -> None:
    """What counts is the worker with all that its code has started."""

    def hoard() -> None:
        held = [bytes(10_000_000) + b"1" for _ in range(70)]  # however late that is seen, less than 1 GB with all else
        time.sleep(len(held))

    def work(item: int) -> int:
        import multiprocessing

        if item == 2:
            hoard()
        if item == 4:
            child = multiprocessing.Process(target=hoard)
            child.start()
            child.join()
        return item

    small = mlops.Profile(name="small-memory", groups=(mlops.Group(workers=1, cpus=1, memory="700 MB"),))
    cluster = mlops.start(small, name="small-memory")
    try:
        cluster.wait(1, LONG)
        before = pids_of(cluster)
        run = mlops.map(work, range(6), cluster=cluster)
        results = run.result(2 * LONG)
        assert [result for result in results if isinstance(result, int)] == [0, 1, 3, 5]
        for item in (2, 4):
            assert re.search(r"OutOfMemory: .* used \d+ MB of 700 MB", str(results[item]))
        assert pids_of(cluster) == before
        used = run.record.use[0]
        assert (used.group, used.workers, used.memory) == ("default", 1, 700_000_000) and used.out >= 2
        assert 0.9 * used.memory < used.peak < 2 * used.memory and used.own_peak + used.largest <= 1.1 * used.peak
        assert repr(run.advice()) == "Memory ran out on its workers, which have 700 MB: try a group with 1.5 GB"
        with pytest.raises(errors.RunFailed, match=r"rank 0: OutOfMemory: .* used \d+ MB of 700 MB"):
            mlops.train(hoard, workers=1, cluster=cluster).result(LONG)
        assert pids_of(cluster) == before
    finally:
        cluster.stop()


def test_code_in_c_is_stopped_and_its_worker_goes_on(cluster: mlops.Cluster) -> None:
    before = pids_of(cluster)

    def blocked() -> None:
        lock = threading.Lock()
        lock.acquire()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        lock.acquire()  # in C, for ever

    runs = [mlops.run(blocked, cluster=cluster) for _ in range(2)]
    until(lambda: all(run.state == "running" for run in runs))
    time.sleep(0.5)
    began = time.monotonic()
    for run in runs:
        run.cancel()
    assert mlops.run(lambda: 7, cluster=cluster).result(LONG) == 7
    assert time.monotonic() - began < 60  # 3 s on a machine that has nothing else to do
    assert pids_of(cluster) == before


def test_a_run_that_is_cancelled_while_it_begins_keeps_no_worker(cluster: mlops.Cluster) -> None:
    """Whenever the cancel comes: before the task has a process, while the code begins, or in the middle of it."""
    for pause in (0.0, 0.01, 0.03, 0.06, 0.1, 0.2):
        run = mlops.map(lambda _: time.sleep(600), range(4), cluster=cluster)
        time.sleep(pause)
        run.cancel()
        with pytest.raises(errors.RunCancelled):
            run.result(LONG)
    assert mlops.map(lambda item: item, range(4), cluster=cluster).result(LONG) == [0, 1, 2, 3]


def test_a_run_leaves_nothing_behind(cluster: mlops.Cluster) -> None:
    def litter() -> None:
        import logging
        import subprocess
        import tempfile
        import warnings

        os.chdir(tempfile.gettempdir())
        os.environ["LITTER"] = "yes"
        warnings.simplefilter("error")
        logging.getLogger().setLevel(1)
        sys.modules["litter"] = sys.modules["os"]
        sys.litter = subprocess.Popen(["sleep", "600"])  # type: ignore[attr-defined]

    def look() -> tuple[Any, ...]:
        import logging
        import warnings

        errors_of_warnings = [one for one in warnings.filters if one[0] == "error"]
        return (
            str(Path.cwd()),
            "LITTER" in os.environ,
            errors_of_warnings,
            logging.getLogger().level,
            "litter" in sys.modules,
            hasattr(sys, "litter"),
        )

    clean = mlops.map(lambda _: look(), range(2), cluster=cluster).result(LONG)
    for _ in range(4):
        mlops.run(litter, cluster=cluster).result(LONG)
    assert mlops.map(lambda _: look(), range(2), cluster=cluster).result(LONG) == clean
    until(lambda: not [one for one in psutil.process_iter(["cmdline"]) if one.info["cmdline"] == ["sleep", "600"]])


def test_all_that_it_says_is_shown(cluster: mlops.Cluster) -> None:
    def speak() -> None:
        import ctypes
        import subprocess

        print("from Python")
        sys.stdout.buffer.write(b"from a buffer\n")
        subprocess.run(["echo", "from a child"], check=True)
        thread = threading.Thread(target=lambda: print("from a thread"))
        thread.start()
        thread.join()
        ctypes.CDLL(None).puts(b"from C")
        os.write(2, b"not text: \xff\n")
        print("a file \udcff of another encoding")

    run = mlops.run(speak, cluster=cluster)
    run.result(LONG)
    said = run.prints()
    for words in (
        "from Python",
        "from a buffer",
        "from a child",
        "from a thread",
        "from C",
        "not text: ",
        "a file ? of",
    ):
        assert words in said


def test_its_folder_and_environment_are_the_kernels(
    cluster: mlops.Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data.txt").write_text("here")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("A_SETTING_OF_MINE", "7")
    seen = mlops.run(lambda: (Path("data.txt").read_text(), os.environ["A_SETTING_OF_MINE"]), cluster=cluster)
    assert seen.result(LONG) == ("here", "7")


def test_a_large_variable_is_ones_own_to_change(cluster: mlops.Cluster) -> None:
    import numpy as np
    import pandas as pd

    big, table = np.ones(2_000_000), pd.DataFrame({"a": np.arange(2_000_000)})

    def change() -> tuple[float, int]:
        big[:] += 1
        table.loc[0, "a"] = 5
        return float(big.sum()), int(table["a"].iloc[0])

    for _ in range(3):
        assert mlops.run(change, cluster=cluster).result(LONG) == (4_000_000.0, 5)
    assert big.sum() == 2_000_000


def test_dask_inside_of_a_function_uses_the_same_cluster(cluster: mlops.Cluster) -> None:
    """Both workers have one thread each: whoever waits for others must not keep it from them."""

    def many() -> int:
        from distributed import get_client, get_worker

        assert get_worker().name
        client = get_client()
        return sum(client.gather(client.map(lambda item: item + 1, range(10))))

    runs = [mlops.run(many, cluster=cluster) for _ in range(2)]
    assert [run.result(LONG) for run in runs] == [55, 55]


def test_async_functions_are_waited_for(cluster: mlops.Cluster) -> None:
    async def soon(item: int) -> int:
        import asyncio

        await asyncio.sleep(0.001)
        return item + 1

    class Soon:
        async def __call__(self, item: int) -> int:
            return await soon(item)

    for call in (soon, functools.partial(soon), lambda item: soon(item), Soon()):
        assert mlops.map(call, range(10), cluster=cluster).result(LONG) == list(range(1, 11))
    assert mlops.run(soon, 1, cluster=cluster).result(LONG) == 2


def test_what_a_run_imports_is_there_before_its_first_task(cluster: mlops.Cluster) -> None:
    """Once for all workers, and not in each runner: no other test has this package."""

    def look(item: int) -> tuple[int, bool]:
        had = "sqlalchemy" in sys.modules
        import sqlalchemy

        time.sleep(0.5)
        return os.getpid(), had and bool(sqlalchemy.__version__)

    seen = mlops.map(look, range(4), cluster=cluster).result(LONG)
    assert len({pid for pid, _ in seen}) == 2 and all(had for _, had in seen)


def runners_of(cluster: mlops.Cluster) -> list[psutil.Process]:
    """The processes that run users' code on it, those too that wait for their next task."""
    forks = []
    for pid in processes.of_cluster(Folder(home.clusters_dir() / cluster.name).record().mark):
        with contextlib.suppress(psutil.Error):
            if "template.start" in " ".join((found := psutil.Process(pid)).cmdline()):
                forks.append((found, found.ppid()))
    templates = {found.pid for found, _ in forks}
    return [found for found, parent in forks if parent in templates]


def test_a_map_is_right_whichever_runner_is_killed_whenever(cluster: mlops.Cluster) -> None:
    """`JUPYTER_MLOPS_KILLS=50` asks for more kills than the suite has time for."""

    def square(number: int) -> int:
        time.sleep(0.01)
        return number * number

    draw = random.Random(int(os.environ.get("JUPYTER_MLOPS_KILLS_SEED", "11")))
    workers = pids_of(cluster)
    for _ in range(int(os.environ.get("JUPYTER_MLOPS_KILLS", "4"))):
        run, moment = mlops.map(square, range(80), cluster=cluster, quiet=True), draw.randrange(60)
        until(lambda run=run, moment=moment: run.record.done >= moment and runners_of(cluster))
        with contextlib.suppress(IndexError, psutil.NoSuchProcess):  # it was just over
            draw.choice(runners_of(cluster)).kill()
        assert run.result(LONG) == [number * number for number in range(80)]
        assert pids_of(cluster) == workers

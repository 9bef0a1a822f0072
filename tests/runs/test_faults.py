"""What happens to runs when something dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import dask.bag
import numpy as np
import psutil
import pytest
from distributed import wait

import jupyter_mlops as mlops
from jupyter_mlops import home
from jupyter_mlops.core import errors
from jupyter_mlops.home.runs import read_runs

from .cluster import LONG, a_cluster, until
from .test_functions import workers_of

pytestmark = pytest.mark.slow

#: The version of Dask here.
DASK = version("dask")


def endless() -> None:
    while True:
        time.sleep(0.1)


def slow(item: int) -> int:
    time.sleep(0.02)
    return item


def test_a_map_ends_right_when_a_worker_is_killed(cluster: mlops.Cluster) -> None:
    run = mlops.map(slow, range(200), cluster=cluster)
    until(lambda: run.record.done > 20)
    os.kill(workers_of(cluster)[0].pid, signal.SIGKILL)
    assert run.result(LONG) == list(range(200))


def test_a_map_goes_on_when_all_workers_were_killed_and_came_back(cluster: mlops.Cluster) -> None:
    run = mlops.map(slow, range(200), cluster=cluster)
    until(lambda: run.record.done > 20)
    for worker in workers_of(cluster):
        os.kill(worker.pid, signal.SIGKILL)
    assert run.result(LONG) == list(range(200))


def test_a_detached_map_survives_a_worker_too(cluster: mlops.Cluster) -> None:
    run = mlops.map(slow, range(200), cluster=cluster, detach=True)
    until(lambda: run.record.done > 20)
    os.kill(workers_of(cluster)[0].pid, signal.SIGKILL)
    assert mlops.get_run(run.id).result(LONG) == list(range(200))


def test_a_big_variable_is_put_again_when_its_worker_dies(cluster: mlops.Cluster) -> None:
    import numpy as np

    big = np.ones(2_000_000)

    def use(item: int) -> float:
        time.sleep(0.02)
        return item + float(big[-1])

    run = mlops.map(use, range(200), cluster=cluster)
    until(lambda: run.record.done > 20)
    for worker in workers_of(cluster):
        os.kill(worker.pid, signal.SIGKILL)
    assert run.result(LONG) == list(range(1, 201))


def test_a_run_whose_scheduler_is_killed_is_lost_and_says_so() -> None:
    with a_cluster("mortal") as mortal:
        run = mlops.run(endless, cluster=mortal)
        later = mlops.map(slow, range(10_000), cluster=mortal, detach=True)
        until(lambda: run.state == "running")
        for process in psutil.process_iter():
            if is_scheduler(process, "mortal"):
                process.kill()
        with pytest.raises(errors.RunLost, match="Start another cluster"):
            run.result(LONG)
        with pytest.raises(errors.RunLost):
            later.result(LONG)
        until(lambda: mortal.state().phase == "ended")
        assert mlops.get_run(later.id).state == "lost"
        with pytest.raises(errors.ClusterEnded):
            mlops.run(str, cluster="mortal")


def is_scheduler(process: psutil.Process, name: str) -> bool:
    try:
        words = " ".join(process.cmdline())
        return "scheduler" in words and f"/clusters/{name}" in words + " ".join(process.environ().values())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def test_an_attached_run_is_stopped_when_its_kernel_is_killed(cluster: mlops.Cluster, tmp_path: Path) -> None:
    program = """
        import jupyter_mlops as mlops, sys, time

        def endless():
            while True:
                time.sleep(0.1)

        def train():
            for step in range(20):
                mlops.log_metric("loss", step, step)
            return mlops.world()

        attached = mlops.run(endless, cluster="runs")
        detached = mlops.map(lambda item: item, range(10), cluster="runs", detach=True)
        gang = mlops.train(train, workers=2, cluster="runs", detach=True)
        print(attached.id, detached.id, gang.id, flush=True)
        attached.result()
    """
    kernel = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True)
    assert kernel.stdout is not None
    attached, detached, gang = kernel.stdout.readline().split()
    until(lambda: mlops.get_run(attached).state == "running")
    kernel.kill()
    kernel.wait()
    kernel.stdout.close()
    until(lambda: mlops.get_run(attached).state == "lost")
    assert mlops.get_run(detached).result(LONG) == list(range(10))
    assert mlops.get_run(gang).result(LONG) == 2, "it begins when both workers are free"
    assert [curve.steps for curve in mlops.get_run(gang).curves["loss"].ranks.values()] == [list(range(20))] * 2
    until(lambda: cluster.state().counts.busy == 0)


@pytest.mark.parametrize("detach", [False, True])
def test_a_run_ends_when_its_kernel_was_killed_before_it_had_sent_it(cluster: mlops.Cluster, detach: bool) -> None:
    program = f"""
        import os, signal
        import jupyter_mlops as mlops
        from jupyter_mlops.client.clusters.session import Session

        def killed(session, *args, **options):
            os.kill(os.getpid(), signal.SIGKILL)

        Session.put = killed  # the run is known by then, and nothing of it was sent
        mlops.map(abs, range(3), cluster="runs", detach={detach}).result()
    """
    before = {run.id for run in read_runs()}
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(program)])
    assert killed.returncode == -signal.SIGKILL

    def new() -> list[str]:
        return [run.id for run in read_runs() if run.id not in before]

    until(new)  # the cluster writes its record a moment after it has said that it knows it
    (run,) = new()
    until(lambda: mlops.get_run(run).state == "lost")
    assert cluster.state().runs == []


def test_two_processes_use_one_cluster_at_the_same_time(cluster: mlops.Cluster) -> None:
    program = """
        import jupyter_mlops as mlops
        print(sum(mlops.map(lambda item: item, range(1000), cluster="runs").result()))
    """
    other = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True)
    assert sum(mlops.map(lambda item: item, range(1000), cluster=cluster).result(LONG)) == 499_500
    assert other.communicate(timeout=LONG)[0].strip() == "499500"


def test_a_forked_child_makes_its_own_connections(cluster: mlops.Cluster) -> None:
    mlops.run(lambda: 1, cluster=cluster).result(LONG)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, str(mlops.run(lambda: 2, cluster="runs").result(LONG)).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        assert answer.read() == "2"
    os.waitpid(child, 0)


def test_a_run_again_from_its_record(cluster: mlops.Cluster) -> None:
    from jupyter_mlops.client.clusters.kernel import loop_thread
    from jupyter_mlops.client.runs.again import again

    run = mlops.map(lambda item: item * 3, range(100), cluster=cluster)
    run.result(LONG)
    record = home.runs_dir().joinpath(run.id, "record.json")
    until(lambda: record.exists() and '"phase":"done"' in record.read_text())  # it is not written any more
    record.write_text(record.read_text().replace(f'"dask":"{DASK}"', '"dask":"2020.1.0"'))
    new = loop_thread().call(again(run.id))
    assert new.run.id != run.id
    assert mlops.get_run(new.run.id).result(LONG) == [item * 3 for item in range(100)]
    assert new.note == f"Run again with dask {DASK} instead of 2020.1.0."
    assert new.note in mlops.get_run(new.run.id).prints()
    assert mlops.get_run(new.run.id).record.versions["dask"] == DASK


def test_what_came_from_a_generator_or_was_cut_short_is_run_again(cluster: mlops.Cluster) -> None:
    from jupyter_mlops.client.clusters.kernel import loop_thread
    from jupyter_mlops.client.runs.again import again

    streamed = mlops.map(lambda item: item + 1, iter(range(500)), cluster=cluster)
    streamed.result(LONG)
    failed = mlops.map(lambda item: 1 // (item - 50), range(1000), cluster=cluster, on_error="raise")
    with pytest.raises(errors.RunFailed):
        failed.result(LONG)
    repeated = loop_thread().call(again(streamed.id))
    assert not repeated.note and mlops.get_run(repeated.run.id).result(LONG) == list(range(1, 501))
    until(lambda: home.runs_dir().joinpath(failed.id, "payload.pkl").exists())
    once_more = mlops.get_run(loop_thread().call(again(failed.id)).run.id)
    with pytest.raises(errors.RunFailed, match="ZeroDivisionError"):
        once_more.result(LONG)
    assert once_more.record.total == 1000


def test_a_map_over_a_dask_collection_is_run_again_on_another_cluster(
    cluster: mlops.Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jupyter_mlops.client.clusters.kernel import loop_thread
    from jupyter_mlops.client.runs.again import again

    big = np.ones(2_000_000)
    bag = dask.bag.from_sequence(range(10), npartitions=5).map(lambda number: number * 10)
    run = mlops.map(lambda part: sum(part) + int(big[0]), bag, cluster=cluster, group="default")
    assert run.result(LONG) == [11, 51, 91, 131, 171]
    until(lambda: home.runs_dir().joinpath(run.id, "payload.pkl").exists())
    with a_cluster("other", 1) as other:
        repeated = mlops.get_run(loop_thread().call(again(run.id, other.name)).run.id)
        assert repeated.result(LONG) == [11, 51, 91, 131, 171] and repeated.cluster == "other"


def test_what_can_not_be_run_again_says_why_before_anything_is_sent(cluster: mlops.Cluster) -> None:
    from jupyter_mlops.client.runs.again import check

    def endless() -> Iterator[int]:
        while True:
            yield 1

    client = cluster.client()
    bag = dask.bag.from_sequence(range(4), npartitions=2).persist(scheduler=client)
    wait(bag)
    partitions = mlops.map(sum, bag, cluster=cluster)
    partitions.result(LONG)
    client.close()
    streamed = mlops.map(lambda item: item, endless(), cluster=cluster)
    next(streamed.results())
    streamed.cancel()
    until(lambda: streamed.state == "cancelled")
    for run, why in ((partitions, "in the memory of its cluster only"), (streamed, "came from a generator")):
        until(lambda run=run: home.runs_dir().joinpath(run.id, "payload.why").exists())  # type: ignore[misc]
        with pytest.raises(errors.NotRepeatable, match=why):
            check(run.id)

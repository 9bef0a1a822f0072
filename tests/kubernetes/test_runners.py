"""Users' code in pods runs in processes of its own: what it does to them, its worker and its pod don't feel."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator

import pytest

import jupyter_mlops as mlops
from jupyter_mlops import errors

from .clusters import PATIENCE, by_value
from .kube import Kube
from .running import Running, running


@pytest.fixture(scope="module")
def pods(module_kube: Kube) -> Iterator[Running]:
    with running(module_kube, workers=2) as made:
        yield made


def containers(pods: Running) -> dict[str, tuple[str, int]]:
    """The pods' uids and how often their containers were started again."""
    return {
        pod["metadata"]["name"]: (pod["metadata"]["uid"], pod["status"]["containerStatuses"][0]["restartCount"])
        for pod in pods.pods()
    }


@by_value
def leave() -> None:
    import os

    os._exit(3)


@by_value
def crash() -> None:
    import ctypes

    ctypes.string_at(0)


@by_value
def leave_at_three(item: int) -> int:
    import os

    if item == 3:
        os._exit(9)
    return 2 * item


@by_value
def hoard_at_two(item: int) -> int:
    import time

    if item == 2:
        held = [bytes(10_000_000) + b"1" for _ in range(100)]
        time.sleep(len(held))
    return item


@by_value
def speak() -> str:
    import subprocess
    import sys
    from pathlib import Path

    subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
    return Path("/proc/self/oom_score_adj").read_text().strip()


@by_value
def ask_others() -> int:
    from distributed import get_client

    client = get_client()
    return sum(client.gather(client.map(lambda item: item + 1, range(10))))


@by_value
def square(item: int) -> int:
    import time

    time.sleep(0.02)
    return item * item


@by_value
def kill_a_runner(chance: float) -> int:
    """Kill one of the processes that run users' code in this pod, if there is one; how many."""
    from contextlib import suppress

    import psutil

    found = psutil.process_iter(["cmdline", "ppid"])
    forks = {each.pid: each for each in found if "template.start" in " ".join(each.info["cmdline"] or ())}
    runners = [each for each in forks.values() if each.info["ppid"] in forks]
    if runners:
        with suppress(psutil.NoSuchProcess):  # it may end at this moment
            runners[int(chance * len(runners))].kill()
            return 1
    return 0


@pytest.mark.parametrize(("death", "words"), [(leave, "exit code 3"), (crash, "SIGSEGV")], ids=["exit", "crash"])
def test_a_death_is_the_runs_and_not_the_pods(pods: Running, death: Callable[[], None], words: str) -> None:
    before = containers(pods)
    with pytest.raises(errors.RunFailed, match=words):
        mlops.run(death, cluster=pods.cluster).result(PATIENCE)
    assert mlops.run(os.getpid, cluster=pods.cluster).result(PATIENCE)
    assert containers(pods) == before


def test_in_a_map_exactly_the_item_fails(pods: Running) -> None:
    before = containers(pods)
    results = mlops.map(leave_at_three, range(20), cluster=pods.cluster).result(PATIENCE)
    assert [item for item in range(20) if results[item] != 2 * item] == [3]
    assert "exit code 9" in str(results[3])
    assert containers(pods) == before


def test_a_map_is_right_whichever_runner_is_killed_whenever(pods: Running) -> None:
    """`JUPYTER_MLOPS_KILLS=50` asks for more kills than the suite has time for."""
    draw = random.Random(int(os.environ.get("JUPYTER_MLOPS_KILLS_SEED", "11")))
    before, killed = containers(pods), 0
    client = pods.cluster.client()
    try:
        workers = sorted(client.scheduler_info()["workers"])
        for _ in range(int(os.environ.get("JUPYTER_MLOPS_KILLS", "4"))):
            run, moment = mlops.map(square, range(60), cluster=pods.cluster, quiet=True), draw.randrange(40)
            pods.until(lambda run=run, moment=moment: run.record.done >= moment)
            killed += sum(client.run(kill_a_runner, draw.random(), workers=[draw.choice(workers)]).values())
            assert run.result(PATIENCE) == [item * item for item in range(60)]
        assert killed and containers(pods) == before
        assert sorted(client.scheduler_info()["workers"]) == workers
    finally:
        client.close()


def test_memory_ends_the_item_and_not_the_pod(pods: Running) -> None:
    before = containers(pods)
    results = mlops.map(hoard_at_two, range(5), cluster=pods.cluster).result(PATIENCE)
    assert [item for item in range(5) if results[item] != item] == [2]
    assert "OutOfMemory" in str(results[2])
    assert containers(pods) == before


def test_all_that_it_says_is_shown_and_it_would_go_first(pods: Running) -> None:
    run = mlops.run(speak, cluster=pods.cluster)
    assert run.result(PATIENCE) == "1000"
    assert "from a child" in run.prints()


def test_dask_inside_uses_the_same_cluster(pods: Running) -> None:
    runs = [mlops.run(ask_others, cluster=pods.cluster) for _ in range(2)]
    assert [run.result(PATIENCE) for run in runs] == [55, 55]

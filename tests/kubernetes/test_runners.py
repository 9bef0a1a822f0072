"""Users' code in pods runs in processes of its own: what it does to them, its worker and its pod don't feel."""

from __future__ import annotations

import os
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

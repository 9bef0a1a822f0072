"""Parts of Kubernetes itself are killed under a cluster that computes and scales: nothing is lost.

The tests share a cluster, in this order; in the end its ledger must add up.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import jupyter_mlops as mlops
from jupyter_mlops.places.kubernetes import names
from jupyter_mlops.places.kubernetes.pods.pool import BLIND

from .clusters import PATIENCE, by_value
from .fixtures import NOT_OWN
from .kube import Kube
from .running import Running
from .volumes import EVERY, STEPS, one_of, running_with_volume, train

#: Seconds that a pod which is evicted has for its end, and is paid for: a busy machine may need some to save a gang.
GRACE = 20
#: Items of a map.
ITEMS = 60
#: They break it, or change what all of it can do.
ALONE = True


@pytest.fixture(scope="module")
def busy(module_kube: Kube) -> Iterator[Running]:
    """Two workers, on a Kubernetes that may be broken."""
    if not module_kube.own:
        pytest.skip(NOT_OWN)
    with running_with_volume(module_kube, kubernetes={"grace": GRACE}) as made:
        yield made


@by_value
def until_over(item: int) -> int:
    """The last item waits until the fault is over: whoever looks at a run meanwhile finds it running."""
    import time
    from pathlib import Path

    time.sleep(0.4)
    while item == ITEMS - 1 and not Path("/checkpoints/over").exists():
        time.sleep(0.1)
    return 2 * item


@contextmanager
def away(busy: Running, component: str, seconds: float) -> Iterator[None]:
    """A component is killed, and started again so many seconds later; maps can't be done before."""
    began = time.monotonic()
    busy.kube.run("kill", component)
    try:
        yield
        time.sleep(max(0.0, began + seconds - time.monotonic()))  # so long is the fault
    finally:
        busy.kube.repair(component)
        (busy.volume / "over").touch()


def maps(busy: Running) -> tuple[mlops.Run, mlops.Run]:
    """An attached run and a detached one, both of which have begun."""
    (busy.volume / "over").unlink(missing_ok=True)
    attached = mlops.map(until_over, range(ITEMS), cluster=busy.cluster)
    busy.until(lambda: attached.record.done > 0)
    detached = mlops.map(until_over, range(ITEMS), cluster=busy.cluster, detach=True)
    busy.until(lambda: detached.state == "running")
    return attached, detached


def check(*runs: mlops.Run) -> None:
    """Each ended right, and no item failed or was counted twice."""
    for run in runs:
        assert run.result(PATIENCE) == [2 * item for item in range(ITEMS)]
        assert (run.state, run.record.done, run.record.failed) == ("done", ITEMS, 0)


def test_the_apiserver_is_away_for_half_a_minute(kube: Kube, busy: Running) -> None:
    """The computation goes on without it; what is scaled meanwhile is made up for when it is back."""
    runs = maps(busy)
    busy.cluster.scale(3)
    with away(busy, "apiserver", 30):
        busy.until(lambda: busy.phase() == "unreachable")
        assert all(run.state == "running" for run in runs)
    check(*runs)
    busy.ready(3)
    busy.until(lambda: busy.phase() == "running")
    told = [event.text for event in busy.cluster.events()]
    assert told.index(BLIND) < told.index(f"Over: {BLIND}")
    assert busy.cluster.state().problem is None


@pytest.mark.parametrize(("component", "workers"), [("etcd", 4), ("kubelet", 5)])
def test_a_component_is_killed_and_started_again(kube: Kube, busy: Running, component: str, workers: int) -> None:
    """Without etcd nothing can be written, without the kubelet no pod starts and no way leads into one: what was asked
    for meanwhile comes when it is back."""
    runs = maps(busy)
    busy.cluster.scale(workers)
    with away(busy, component, 8):
        assert [run.state for run in runs] == ["running", "running"]
    check(*runs)
    busy.ready(workers)


def test_the_node_is_drained_under_a_gang(kube: Kube, busy: Running) -> None:
    """As an administrator does it, `kubectl drain`, but of one pod only, since there is no other real node: the node
    takes no more pods, this one is evicted, and what replaces it waits until the node is taken back. The gang is told
    in time to save, and goes on from that very step with another worker."""
    run = mlops.train(train, 0.2, workers=2, cluster=busy.cluster, restarts=0)
    busy.until(lambda: run.record.checkpoint)
    pod = f"--pod-selector={names.CLUSTER}={busy.name},{names.WORKER}={one_of(busy)}"
    try:
        busy.kube.kubectl("drain", busy.kube.node, pod, "--ignore-daemonsets", "--delete-emptydir-data")
        busy.until(lambda: run.record.attempt == 2)
    finally:
        busy.kube.kubectl("uncordon", busy.kube.node)
    results = [run.result(PATIENCE), *list(run.results())]
    begin, end = results[0]
    assert results == [(begin, STEPS)] * 3 and end == STEPS
    assert begin > EVERY, run.prints()
    assert "All ranks have stopped at the same step" in run.prints()
    busy.ready(5)


def test_after_all_of_it_the_ledger_adds_up_and_nothing_is_left(kube: Kube, busy: Running) -> None:
    receipt = busy.stop()
    placed = busy.placed()
    assert len(placed) == len(set(placed)), "none was made twice"
    # Five, what replaces the drained one, and one more where the kubelet was about to start one when it was killed.
    assert len(placed) in (6, 7), placed
    seconds, pods = busy.held(receipt.ended)
    assert receipt.cause == "user" and receipt.most_workers in (5, 6)  # one that goes, and what replaces it
    assert receipt.cost.usage.worker_hours * 3600 == pytest.approx(seconds, abs=2 + pods + GRACE)
    assert receipt.runs == 7

"""What dies on a real Kubernetes, and what is left of it: nothing lost, nothing left behind."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import jupyter_mlops as mlops
from jupyter_mlops.client.clusters.kernel import kernel
from jupyter_mlops.client.runs.again import again as run_again
from jupyter_mlops.controller.link import ClusterView
from jupyter_mlops.core.cluster import WorkerState
from jupyter_mlops.core.errors import RunLost
from jupyter_mlops.core.run import RunState
from jupyter_mlops.places.kubernetes.why.facts import moment

from .clusters import FAKE, PATIENCE, Namespace, by_value, in_thread, small, until
from .kube import Kube
from .network import Network
from .running import Running, call, endless, running, slowly, up_in

AGAIN = "The scheduler started again"
SCHEDULER = "jupyter-mlops/part=scheduler"
#: Seconds from the start of a scheduler's container until its workers are with it: 4 on a machine at rest.
SOON = 60.0
#: Seconds that are more than a kernel's patience with one answer.
LONGER = 32.0


def test_the_scheduler_is_killed_and_its_pod_deleted(kube: Kube) -> None:
    """Workers and clients find it again within seconds, and why is told; its runs are lost, say so, and can be run
    again; the ledger has no hole; what was wanted is wanted still, and what was done is counted."""
    with running(kube) as made:
        workers = made.pods()
        lost = mlops.run(endless, cluster=made.cluster, detach=True)
        attached = mlops.map(slowly, range(1000), cluster=made.cluster)  # never over
        made.until(lambda: lost.state == "running" and attached.record.done > 0)
        _kill_process(made)
        _is_back(made, starts=1)
        for run in (lost, attached):
            with pytest.raises(RunLost, match="scheduler was started again"):
                run.result(PATIENCE)
        told = {state.id: state for state in made.until(lambda: _told(made, "lost", 2))}
        assert told[lost.id].busy > 0 and told[lost.id].error.startswith("RunLost")

        again = mlops.get_run(call(run_again(attached.id)).run.id)
        made.until(lambda: again.record.done > 0)
        made.cluster.scale(3)
        before = made.cluster.state().work.done
        made.kube.kubectl("delete", "pod", "-n", made.namespace.name, "-l", SCHEDULER, "--wait=false")
        _is_back(made, starts=2)
        ended, deleted = (event.problem.why for event in made.cluster.events() if event.text == AGAIN and event.problem)
        assert ended.startswith("The scheduler's process ended with exit code 0")
        assert deleted.startswith("The scheduler's pod was deleted")
        assert made.cluster.state().work.done >= before
        with pytest.raises(RunLost):
            again.result(PATIENCE)
        made.ready(3)
        assert {pod["metadata"]["uid"] for pod in workers} < {pod["metadata"]["uid"] for pod in made.pods()}
        assert mlops.map(slowly, range(4), cluster=made.cluster).result(PATIENCE) == [0, 2, 4, 6]

        receipt = made.stop()
        seconds, pods = made.held(receipt.ended)
        assert pods == 3
        assert receipt.cost.usage.worker_hours * 3600 == pytest.approx(seconds, abs=2 + pods)
        assert receipt.runs == 4


#: Items of a map that need not wait until the network was away.
FIRST = 40


@by_value
def until_healed(item: int) -> int:
    """As `slowly`, but later items wait until the network was away once, and the last one until it was away twice: so
    whoever looks at the run meanwhile finds it running."""
    import time
    from pathlib import Path

    time.sleep(0.4)
    times = 0 if item < FIRST else 1 if item < 2 * FIRST else 2
    while times and not Path(f"/tmp/healed-{times}").exists():
        time.sleep(0.1)
    return 2 * item


def test_the_network_is_away(kube: Kube, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's connections break, then her packets are swallowed: what runs goes on, and so do her connections."""
    with running(kube) as made:
        network = Network(kube)
        try:
            monkeypatch.setenv("KUBECONFIG", str(network.kubeconfig(tmp_path)))
            call(kernel().sessions.close(made.name))  # what it had open went another way
            run = mlops.map(until_healed, range(2 * FIRST + 1), cluster=made.cluster)
            made.until(lambda: run.record.done > 0)
            client = call(kernel().sessions.open(made.name)).client
            for times, (cut, seconds) in enumerate(((network.refuse, 5), (network.swallow, LONGER)), 1):
                cut()
                made.until(lambda: made.phase() == "unreachable")
                before = run.record.done
                time.sleep(seconds)  # so long it is away
                assert (run.state, run.record.done) == ("running", before)
                network.heal()
                _tell_workers(made, f"/tmp/healed-{times}")
                made.until(lambda seen=before: _went_on(run, seen))  # type: ignore[misc]  # the value now
                made.until(lambda: made.phase() == "running")
            assert run.result(PATIENCE) == [2 * item for item in range(2 * FIRST + 1)]
            assert call(kernel().sessions.open(made.name)).client is client and client.status == "running"
        finally:
            call(kernel().sessions.close(made.name))
            monkeypatch.setenv("KUBECONFIG", kube.kubeconfig)
            network.close()


def _tell_workers(made: Running, folder: str) -> None:
    """Make a folder in each worker's pod."""
    for pod in made.pods():
        made.kube.kubectl("exec", "-n", made.namespace.name, pod["metadata"]["name"], "--", "mkdir", folder)


def _went_on(run: mlops.Run, seen: int) -> bool:
    run.check()
    return run.record.done > seen


def _kill_process(made: Running) -> None:
    (pod,) = made.pods("scheduler")
    command = ["exec", "-n", made.namespace.name, pod["metadata"]["name"], "--", "python", "-c"]
    made.kube.kubectl(*command, "import os; os.kill(1, 15)", check=False)


def _is_back(made: Running, starts: int) -> None:
    """The scheduler runs anew, and all workers are with it, soon after its pod runs."""
    made.until(lambda: [event.text for event in made.cluster.events()].count(AGAIN) == starts)
    made.until(lambda: up_in(made) >= 2)
    (pod,) = made.pods("scheduler")
    since = moment(pod["status"]["containerStatuses"][0]["state"]["running"]["startedAt"])
    assert time.time() - since < SOON


def _told(made: Running, phase: str, count: int) -> list[RunState]:
    states = [state for state in call(made.namespace.backend.runs(made.name)) if state.phase == phase]
    return states if len(states) == count else []


async def test_a_node_is_deleted(namespace: Namespace) -> None:
    """With the right to read nodes, which an administrator may give: also how much is free on them."""
    from jupyter_mlops.places.kubernetes.records.manifests import node_rights

    wide = node_rights(namespace.name, room=True)
    namespace.kube.apply(*wide)

    try:
        fakes = {"cpus": 3, "memory": "1 GiB", "pod": FAKE}
        groups = [small(2, **fakes), small(1, "huge", **{**fakes, "cpus": 70})]
        with namespace.kube.fake_nodes(2):
            async with namespace.cluster(namespace.spec(*groups)) as (_, link):
                view = await until(link.view, lambda view: view.state.counts.starting == 2, "two workers")
                huge = await until(link.view, lambda view: _worker(view, "huge-1").problem, "a reason")
                problem = _worker(huge, "huge-1").problem
                assert problem is not None and problem.what == "No node has 70 CPUs free"
                lost = next(worker.name for worker in view.workers if worker.host == "fake-0")
                await in_thread(lambda: _lose_node(namespace, "fake-0"))
                view = await until(link.view, lambda view: _worker(view, lost).phase == "lost", "it is lost")
                problem = _worker(view, lost).problem
                assert problem is not None and problem.what == "The worker's node is gone"
    finally:
        namespace.kube.kubectl("delete", "clusterrole,clusterrolebinding", wide[0]["metadata"]["name"])


def _worker(view: ClusterView, name: str) -> WorkerState:
    return next(worker for worker in view.workers if worker.name == name)


def _lose_node(namespace: Namespace, node: str) -> None:
    """The node, and its pods as Kubernetes' garbage collector removes them a minute later."""
    namespace.kube.kubectl("delete", "node", node)
    on_it = f"--field-selector=spec.nodeName={node}"
    namespace.kube.kubectl("delete", "pod", "-n", namespace.name, "--force", on_it, check=False)

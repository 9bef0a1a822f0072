"""Money on a real Kubernetes: by the nodes that workers really run on."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest

from jupyter_mlops.controller.link import ClusterView, Link
from jupyter_mlops.core.cluster import ClusterState
from jupyter_mlops.core.errors import ClusterUnreachable
from jupyter_mlops.core.extend import LimitChange
from jupyter_mlops.core.ledger import LedgerEntry
from jupyter_mlops.core.lines import read_lines
from jupyter_mlops.core.price import GB, Cost, Price
from jupyter_mlops.home.owner import me
from jupyter_mlops.places.kubernetes import quantity
from jupyter_mlops.places.kubernetes.records.keeper import unpacked
from jupyter_mlops.places.kubernetes.records.kept import KeptFiles
from jupyter_mlops.places.kubernetes.records.manifests import node_rights
from jupyter_mlops.places.kubernetes.why.facts import moment

from .clusters import FAKE, Namespace, in_thread, small, until, up
from .kube import Kube

#: They break it, or change what all of it can do.
ALONE = True

#: What libcloud's table says of the nodes' kinds, in us-east-1.
XLARGE, DOUBLE = 0.192, 0.384
UNHEARD = "x9.unheard"
#: Until it is heard: a process that has just begun anew doesn't listen yet.
TERMINATE = "import os, time\nwhile True: os.kill(1, 15); time.sleep(0.2)"


@pytest.fixture
def readable(namespace: Namespace) -> Iterator[Namespace]:
    """A namespace whose controllers may read nodes."""
    wide = node_rights(namespace.name)
    namespace.kube.apply(*wide)
    yield namespace
    namespace.kube.kubectl("delete", "clusterrole,clusterrolebinding", wide[0]["metadata"]["name"])


async def test_workers_pay_for_the_nodes_they_are_on(readable: Namespace) -> None:
    """On a real node, a bigger one, and one of a kind that nobody knows the price of; the scheduler's end between."""

    kube, big = readable.kube, {"cpus": 6, "memory": "8 GiB", "pod": FAKE}
    spec = readable.spec(small(1), small(2, "big", **big), price=None)
    with kube.fake_nodes(2, "--cpu", "8", "--memory", "32Gi"):
        await in_thread(lambda: _label(kube, "fake-1", UNHEARD))
        told = await until(
            lambda: readable.backend.quotes(spec.profile, Price(), patience=20),
            lambda told: told and told.asked,
            "it is told which nodes there are",
        )
        assert told is not None and told.asked == pytest.approx(time.time(), abs=60)
        quotes = {quote.group: quote for quote in told.groups}
        assert quotes["default"].per_hour == pytest.approx(_share(kube)), "what it will cost, before it is there"
        assert "m5.2xlarge in us-east-1" in (quotes["big"].source or "") and quotes["big"].whole == 2 * DOUBLE
        async with readable.cluster(spec, workers=1) as (name, link):
            view = await until(lambda: _view(link), _all_priced, "all three nodes have been looked at")
            _check(view.state, _share(kube))
            placed = await in_thread(lambda: _placed(readable))
            await link.limit(LimitChange(budget=50, more_time="1 h"))
            await in_thread(lambda: _delete_scheduler(readable))
            view = await until(lambda: _view(link), lambda view: up(view) == 1 and _starts(view) == 2, "it is back")
            _check(view.state, _share(kube))
            limits, budget = view.state.limits, view.state.budget
            assert (limits.budget, limits.lifetime) == (50, (spec.profile.limits.lifetime or 0) + 3600)
            assert budget is not None and budget.limit == 50 and budget.assumed > 0, "of the node without a price"
            before = time.time()
            used = (await _view(link)).state.cost.usage.worker_hours * 3600
            least, most = (sum(at - since for since in placed) for at in (before, time.time()))
            assert least - 6 < used < most + 6
            pods = kube.get("pods", readable.name)
            assert {pod["metadata"]["labels"]["owner"] for pod in pods} == {me()}
        receipt = await until(lambda: readable.backend.receipt(name), bool, "a receipt")
    assert receipt is not None and receipt.owner == me()
    groups, hours = receipt.groups, receipt.groups["big"].usage.worker_hours / 2
    assert receipt.cost.amount == pytest.approx(sum(cost.amount or 0 for cost in groups.values()))
    assert groups["default"].amount == pytest.approx(_share(kube) * groups["default"].usage.worker_hours)
    assert groups["big"].unknown.cpu_hours == pytest.approx(6 * hours, rel=0.1)
    assert groups["big"].usage.cpu_hours == pytest.approx(12 * hours, rel=0.1)


async def test_the_ledger_is_right_to_a_second_when_the_api_was_away(own_kube: Kube, namespace: Namespace) -> None:
    """A worker ends while nobody can tell of it: it costs until then, not until the API is back."""

    async with namespace.cluster(namespace.spec(small(2)), workers=2) as (name, link):
        worker = (await link.view()).workers[0].name
        await in_thread(lambda: own_kube.run("kill", "apiserver"))
        try:
            end = await in_thread(lambda: _kill(namespace, worker))
            await asyncio.sleep(8)  # so long nobody hears of it
        finally:
            await in_thread(lambda: own_kube.repair("apiserver"))
        lines = await until(lambda: _ledger(namespace, name), lambda lines: _of(lines, worker, "close"), "its end")
        began, over = _of(lines, worker, "open"), _of(lines, worker, "close")
        assert began is not None and over is not None
        assert end - 1 <= over.time <= end + 3  # Kubernetes counts whole seconds, and sees it a moment later
        assert over.written is not None and over.written > end + 5, "that is when it was heard of"


async def test_the_ledger_is_right_to_a_second_when_the_scheduler_was_away(namespace: Namespace) -> None:
    """A worker ends while the scheduler's pod is made anew: it costs until then, and its end is told."""

    async with namespace.cluster(namespace.spec(small(2)), workers=2) as (name, link):
        pod = f"{name}-default-worker-1"
        ending = asyncio.create_task(in_thread(lambda: _end_of(namespace, pod)))
        await in_thread(lambda: _delete_scheduler(namespace))
        await asyncio.sleep(2)
        command = ["exec", "-n", namespace.name, pod, "--", "python", "-c", TERMINATE]
        await in_thread(lambda: namespace.kube.kubectl(*command, check=False))
        await until(
            lambda: _view(link), lambda view: _starts(view) == 2 and _told(view, "default-1"), "its end is told"
        )
        lines = await until(
            lambda: _ledger(namespace, name), lambda lines: _of(lines, "default-1", "close"), "its end is kept"
        )
        over = _of(lines, "default-1", "close")
        second = await ending  # the whole second in which it ended
        assert over is not None and second - 1 <= over.time <= second + 2
        assert _of(lines, "default-2", "close") is None


def _end_of(namespace: Namespace, pod: str) -> float:
    """When a pod's container has ended, as Kubernetes says."""
    state = ".status.containerStatuses[0].state.terminated"
    command = ["wait", f"pod/{pod}", "-n", namespace.name, "--timeout=150s", f"--for=jsonpath={{{state}.finishedAt}}"]
    return moment(namespace.kube.kubectl(*command, "-o", f"jsonpath={{{state}.finishedAt}}"))


def _told(view: ClusterView, worker: str) -> bool:
    return any(event.worker == worker and "joined" not in event.text for event in view.events)


def _kill(namespace: Namespace, worker: str) -> float:
    """Kill a worker's processes, which are this machine's, where no Kubernetes is asked for it. When that was."""
    own = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = " ".join(process.cmdline())
            own += [process] if f" worker --name {worker} " in words and f".{namespace.name}." in words else []
    assert own
    now = time.time()
    for process in own:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    return now


async def _ledger(namespace: Namespace, name: str) -> list[LedgerEntry]:
    """What is kept of it, outside of the scheduler's pod."""
    (kept,) = (
        each
        for each in await in_thread(lambda: namespace.kube.get("secrets", namespace.name))
        if each["metadata"]["name"].startswith(f"{name}-history-")
    )
    return read_lines(LedgerEntry, unpacked(KeptFiles("secrets", kept), "ledger.jsonl"))


def _of(lines: list[LedgerEntry], worker: str, kind: str) -> LedgerEntry | None:
    return next((line for line in lines if (line.worker, line.kind) == (worker, kind)), None)


def _check(state: ClusterState, share: float) -> None:
    """What an hour costs now: of the real node its share, of the bigger one most, of the third nobody knows."""
    default, big = (group.cost for group in state.groups)
    assert default.per_hour == pytest.approx(share)
    assert big.per_hour is not None and 0.5 * DOUBLE < big.per_hour < 0.75 * DOUBLE
    assert state.cost.per_hour == pytest.approx(default.per_hour + big.per_hour)
    assert default.unknown.cpu_hours == 0 < big.unknown.cpu_hours < big.usage.cpu_hours
    assert default.source == "m5.xlarge in us-east-1: apache-libcloud's pricing.json" and default.date.startswith("20")
    assert f"no price of {UNHEARD} in us-east-1 is known" in big.source
    dedicated = state.cost.dedicated
    assert dedicated is not None and dedicated.per_hour == pytest.approx(XLARGE + DOUBLE)
    assert 0 < dedicated.unknown_hours < dedicated.host_hours
    assert dedicated.amount is not None and state.cost.amount is not None and dedicated.amount > state.cost.amount


def _all_priced(view: ClusterView) -> bool:
    cost: Cost = view.state.cost
    return bool(cost.dedicated and cost.dedicated.unknown_hours and cost.dedicated.per_hour == XLARGE + DOUBLE)


def _share(kube: Kube) -> float:
    """An hour of a small worker on the real node, by OpenCost's formula."""
    capacity = json.loads(kube.kubectl("get", "node", kube.node, "-o", "json"))["status"]["capacity"]
    whole = quantity.parse(capacity["cpu"]) * 0.031611 + quantity.parse(capacity["memory"]) / GB * 0.004237
    return XLARGE / whole * (0.05 * 0.031611 + 300 * 2**20 / GB * 0.004237)


def _label(kube: Kube, node: str, kind: str) -> None:
    kube.kubectl("label", "node", node, f"node.kubernetes.io/instance-type={kind}", "--overwrite")


def _delete_scheduler(namespace: Namespace) -> None:
    namespace.kube.kubectl("delete", "pod", "-n", namespace.name, "-l", "jupyter-mlops/part=scheduler", "--wait=false")


def _placed(namespace: Namespace) -> list[float]:
    """Since when each worker's pod has its node, as Kubernetes says: that may be seconds after it was made."""
    found = namespace.kube.get("pods", namespace.name, "jupyter-mlops/part=worker")
    conditions = [condition for pod in found for condition in pod["status"]["conditions"]]
    return [moment(each["lastTransitionTime"]) for each in conditions if each["type"] == "PodScheduled"]


def _starts(view: ClusterView) -> int:
    return sum(event.kind == "cluster" and "started" in event.text for event in view.events)


async def _view(link: Link) -> ClusterView:
    while True:
        try:
            return await link.view()
        except ClusterUnreachable:
            await asyncio.sleep(0.5)

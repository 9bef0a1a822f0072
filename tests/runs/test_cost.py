"""What runs cost, with a price: their shares of the workers, and of a map what a thousand items cost."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

import jupyter_mlops as mlops
from jupyter_mlops.client.clusters.kernel import kernel, loop_thread
from jupyter_mlops.client.words import sentence
from jupyter_mlops.core import errors
from jupyter_mlops.core.price import Price
from jupyter_mlops.core.profile import Group, Profile
from jupyter_mlops.core.run import per_thousand
from jupyter_mlops.core.spend import SpendParts
from jupyter_mlops.places import profiles

from .cluster import LONG, until

pytestmark = pytest.mark.slow


@pytest.fixture
def priced() -> Iterator[mlops.Cluster]:
    """Two workers of two threads; a CPU-second costs 1."""
    group = Group(workers=2, maximum=2, cpus=2, memory=400 * 1024**2)
    profiles.save(Profile(name="priced", groups=[group], price=Price(cpu_hour=3600, source="the test's")))
    made = mlops.start("priced", name="priced")
    made.wait(2, LONG)
    try:
        yield made
    finally:
        made.stop()
        loop_thread().call(kernel().sessions.close("priced"))
        until(lambda: made.state().phase == "ended")


def test_runs_at_once_pay_for_their_threads_and_no_more_than_the_cluster(priced: mlops.Cluster) -> None:
    def work(item: int) -> None:
        time.sleep(0.05)

    before = priced.state().cost.amount
    runs = [mlops.map(work, range(120), cluster=priced, name=name, quiet=True) for name in ("one", "two")]
    shown = []
    while any(run.state in ("starting", "running") for run in runs):
        shown.append([run.cost.amount or 0 for run in runs])
        spent = priced.state().cost.amount
        assert before is not None and spent is not None and sum(shown[-1]) <= spent - before
        time.sleep(0.1)
    for run in runs:
        run.result(LONG)
        cost = run.record.cost
        assert cost.amount == pytest.approx(run.record.busy), "a thread is one CPU, a CPU-second is 1"
        assert cost.usage.cpu_hours * 3600 == pytest.approx(run.record.busy)
        assert cost.usage.worker_hours * 3600 == pytest.approx(run.record.busy / 2)
        assert cost.source == "the test's" and cost.per_hour == 0 and not cost.lacks
        assert per_thousand(run.record) == pytest.approx(cost.amount / 120 * 1000)
        assert f"${per_thousand(run.record):.2f} per 1,000 items" in sentence(run.record)
    for amounts in zip(*shown, strict=True):
        assert list(amounts) == sorted(amounts), "it only grows"
    spent, cost_of_both = priced.state().cost.amount, sum(run.record.cost.amount or 0 for run in runs)
    assert spent is not None and before is not None and cost_of_both <= spent - before
    # its scheduler hears of a task's begin and end a moment after they were: what is late of one counts for the other
    assert cost_of_both >= 0.95 * 240 * 0.05, "at least as long as they slept"

    with pytest.raises(errors.RunOverBudget, match=r"of a budget of \$8\.00") as stopped:
        mlops.map(work, range(4000), cluster=priced, budget=8, quiet=True).result(LONG)
    assert "larger --budget" in stopped.value.todo
    bounded = mlops.runs()[0]
    assert bounded.state == "failed" and 0 < (bounded.cost.amount or 0) < 100, "all of it would have cost 200"
    until(lambda: priced.state().counts.busy == 0)

    def compute(seconds: float) -> None:
        began = time.process_time()
        while time.process_time() < began + seconds:
            pass

    mlops.run(compute, 3.0, cluster=priced, quiet=True).result(LONG)
    until(lambda: _went(priced).computing > 2.5)  # the controller looks every 10 s
    priced.stop()
    until(lambda: priced.state().phase == "ended")
    receipt = priced.receipt()
    assert receipt is not None and receipt.spend is not None and receipt.spend.amount is not None
    went = receipt.spend.amount
    assert went.total == pytest.approx(receipt.cost.amount, abs=1e-9), "it adds up to the ledger"
    assert 2.5 < went.computing < 12, "what runners compute, and not how long their seats wait for them"
    assert went.waiting >= 0.8 * 240 * 0.05, "what slept, at least"
    assert went.idle > 0 and went.booting > 0
    assert went.overhead < 0.2 * went.total


def _went(cluster: mlops.Cluster) -> SpendParts:
    spend = cluster.state().spend
    return spend.amount if spend is not None and spend.amount is not None else SpendParts()

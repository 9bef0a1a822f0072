"""The controller at 1,000 workers: real Dask states, no processes behind them. And what they cost."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from distributed import Scheduler
from distributed.core import Status
from distributed.scheduler import WorkerState

from jupyter_mlops.controller.pool import Notice
from jupyter_mlops.core.ledger import Ledger, LedgerEntry
from jupyter_mlops.core.lines import read_lines
from jupyter_mlops.core.price import HostPrice, Price
from jupyter_mlops.core.profile import Group
from jupyter_mlops.core.spot import SpotTerms

from .cluster import MEMORY, cluster, folder_of, make_spec, until
from .pool import InProcessPool

WORKERS = 1000

#: Dask's heartbeats at this size: each worker every 5 s.
HEARTBEATS = WORKERS / 5


class SilentPool(InProcessPool):
    """Asks nobody for workers: the test makes their states."""

    async def create(self, group: Group, names: Any) -> None:
        self.groups |= dict.fromkeys(names, group.name)


def join(scheduler: Scheduler, number: int) -> WorkerState:
    address = f"tcp://10.0.{number // 250}.{number % 250 + 1}:4000"
    ws = WorkerState(
        address=address,
        status=Status.running,
        pid=number,
        name=f"default-{number + 1}",
        nthreads=1,
        memory_limit=MEMORY,
        local_directory="",
        services={},
        versions={},
        nanny=None,
        extra={},
        server_id=f"w{number}",
        scheduler=scheduler,
    )
    ws.metrics = {"cpu": 0.0, "memory": 0}
    scheduler.workers[address] = ws
    return ws


async def test_watchers_are_told_only_of_workers_that_changed(tmp_path: Path) -> None:
    """How much CPU it takes is measured by `benchmarks/controller.py`."""

    spec = make_spec(Group(workers=WORKERS, maximum=2 * WORKERS, memory=MEMORY), price=Price(cpu_hour=1))
    async with cluster(spec, tmp_path, SilentPool()) as c:
        states = [join(c.scheduler, number) for number in range(WORKERS)]
        for ws in states:
            c.controller.workers.joined(ws)
        seen = (await c.view_when(lambda view: view.state.counts.idle == WORKERS)).seq
        for ws in states[:3]:
            ws.processing = {1}  # type: ignore[assignment]  # only its size counts
        told: set[str] = set()
        while len(told) < 3:
            view = await c.link.watch(seen, timeout=30, workers=True)
            seen, told = view.seq, told | {worker.name for worker in view.workers}
        assert told == {ws.name for ws in states[:3]}
        for ws in states:  # they can't be asked to close
            ws.processing = set()
            c.scheduler.workers.pop(ws.address)
            c.controller.workers.left(ws.address, expected=True)


async def test_a_spot_group_that_goes_on_on_demand_says_so_and_what_it_costs(tmp_path: Path) -> None:
    def priced(cpu_hour: float) -> HostPrice:
        return HostPrice(rates=Price(cpu_hour=cpu_hour, source="a list"), per_hour=8 * cpu_hour)

    groups = [Group(name=name, cpus=2, workers=2, memory=MEMORY, spot=True) for name in ("cheap", "other")]
    async with cluster(make_spec(*groups), tmp_path, SilentPool(), spot=SpotTerms(patience=1)) as c:
        workers = c.controller.workers
        workers.apply(Notice("cheap-1", "starting", host="spot"))
        c.controller.price_host("spot", priced(0.05))
        for name in ("cheap-2", "other-1"):
            workers.apply(Notice(name, "pending", on_demand=False))
        await until(lambda: {"cheap-3", "other-3"} <= workers.entries.keys())
        workers.apply(Notice("cheap-3", "starting", host="dear", on_demand=True))
        workers.apply(Notice("other-3", "starting", host="odd", on_demand=True))
        c.controller.look()
        c.controller.price_host("dear", priced(0.2))
        c.controller.price_host("odd", HostPrice(rates=Price(source="no price of odd is known")))
        c.controller.look()
        c.controller.look()
        told = [event.text for event in (await c.link.view()).events if event.kind == "scale"]
        made = "its workers are made on demand for 30 min, at the price of other nodes"
        assert told == [
            f"No spot node came for group cheap in 1 s: {made}",
            f"No spot node came for group other in 1 s: {made}",
            "A worker of group cheap costs $0.40/h on demand instead of $0.10/h",
            "What a worker of group other costs on demand is unknown",
        ]
        cost = (await c.link.view()).state.cost
        assert (cost.per_hour, cost.unpriced) == (pytest.approx(0.5), 1)
        for name in ("cheap-1", "cheap-3", "other-3"):
            workers.apply(Notice(name, "ended"))


async def test_late_news_counts_from_when_it_happened(tmp_path: Path) -> None:
    """As after a place that didn't answer for half a minute: of one worker the end is told late, of one all of it."""

    pool = SilentPool()
    async with cluster(make_spec(Group(workers=2, memory=MEMORY), price=Price(cpu_hour=3600)), tmp_path, pool) as c:
        workers, now = c.controller.workers, time.time()
        workers.apply(Notice("default-1", "starting", host="n", began=now - 30))
        amount = (await c.link.view()).state.cost.amount
        assert amount is not None and 30 - 0.01 <= amount <= time.time() - now + 30.01
        workers.apply(Notice("default-1", "lost", host="n", began=now - 30, ended=now - 10))
        assert (await c.link.view()).state.cost.amount == pytest.approx(20, abs=0.01)
        workers.apply(Notice("default-2", "lost", host="n", shape=(2, MEMORY, 0), began=now - 9, ended=now - 4))
        workers.apply(Notice("default-2", "ended", host="n", shape=(2, MEMORY, 0), began=now - 9, ended=now - 4))
        cost = (await c.link.view()).state.cost
        assert cost.amount == pytest.approx(20 + 2 * 5, abs=0.01)
        assert cost.per_hour == 0
    ledger = Ledger(read_lines(LedgerEntry, (folder_of(tmp_path) / "ledger.jsonl").read_text()))
    assert ledger.cost(Price(cpu_hour=3600), time.time()).amount == pytest.approx(30, abs=0.01)

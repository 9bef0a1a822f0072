"""What the controller costs the scheduler at 1,000 workers: real Dask states, no processes behind them."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from distributed import Scheduler
from distributed.core import Status
from distributed.protocol.core import dumps
from distributed.scheduler import WorkerState

from jupyter_mlops.controller.book import read_ledger
from jupyter_mlops.controller.pool import Notice
from jupyter_mlops.core.ledger import Ledger
from jupyter_mlops.core.price import Price
from jupyter_mlops.core.profile import Group

from .cluster import MEMORY, cluster, folder_of, make_spec, run
from .pool import InProcessPool

WORKERS = 1000

#: Dask's heartbeats at this size: each worker every 5 s.
HEARTBEATS = WORKERS / 5

#: The budget: a share of one core.
MOST = 0.02


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


def cpu_of(work: Callable[[], object]) -> float:
    began = time.thread_time()
    work()
    return time.thread_time() - began


def test_a_thousand_workers_cost_two_percent_of_a_core(tmp_path: Path) -> None:
    async def test() -> None:
        spec = make_spec(Group(workers=WORKERS, maximum=2 * WORKERS, memory=MEMORY), price=Price(cpu_hour=1))
        async with cluster(spec, tmp_path, SilentPool()) as c:
            controller = c.controller
            controller._pulse.stop()
            states = [join(c.scheduler, number) for number in range(WORKERS)]
            joining = cpu_of(lambda: [controller.roster.joined(ws) for ws in states])
            controller._tick()
            assert controller.view.state()["counts"]["idle"] == WORKERS

            chance, beats = random.Random(1), itertools.cycle(states)
            looks, told, size = 0.0, 0.0, 0
            rounds, per_second = 40, 2
            for number in range(rounds):
                for _ in range(int(HEARTBEATS / per_second)):
                    next(beats).metrics = {"cpu": chance.random() * 100, "memory": chance.randrange(10**9)}
                for ws in chance.sample(states, WORKERS // per_second):  # each of them once a second
                    ws.processing = set(range(chance.randrange(3)))  # type: ignore[arg-type]  # only its size counts
                before = controller._changes.seq
                looks += cpu_of(controller._tick)
                for workers in (True, False):  # the server follows the workers, a kernel the state
                    began = time.thread_time()
                    frames = dumps({"ok": controller.view.answer(before, workers)})
                    told += time.thread_time() - began
                    size += sum(len(frame) for frame in frames)
                assert number == 0 or len(controller.view.answer(before, True)["workers"]) < WORKERS
            still = sum(cpu_of(controller._tick) for _ in range(rounds)) / rounds * per_second
            look, tell = looks / rounds * per_second, told / rounds * per_second
            print(
                f"\n{WORKERS} workers, each changing every second: {look:.2%} of a core to look, {tell:.2%} to tell "
                f"two watchers ({size / rounds / 1000:.0f} kB a look);"
                f" {still:.2%} at rest; {joining * 1000:.0f} ms to join"
            )
            assert still <= MOST
            assert look <= MOST
            for ws in states:
                ws.processing = set()
            c.scheduler.workers.clear()
            controller.roster._by_address.clear()

    run(test())


def test_late_news_counts_from_when_it_happened(tmp_path: Path) -> None:
    """As after a place that didn't answer for half a minute: of one worker the end is told late, of one all of it."""

    async def test() -> None:
        pool = SilentPool()
        async with cluster(make_spec(Group(workers=2, memory=MEMORY), price=Price(cpu_hour=3600)), tmp_path, pool) as c:
            roster, now = c.controller.roster, time.time()
            roster.take(Notice("default-1", "starting", host="n", began=now - 30))
            assert c.controller._book.cost().amount == pytest.approx(30, abs=1)
            roster.take(Notice("default-1", "lost", host="n", began=now - 30, ended=now - 10))
            assert c.controller._book.cost().amount == pytest.approx(20, abs=0.01)
            roster.take(Notice("default-2", "lost", host="n", shape=(2, MEMORY, 0), began=now - 9, ended=now - 4))
            roster.take(Notice("default-2", "ended", host="n", shape=(2, MEMORY, 0), began=now - 9, ended=now - 4))
            cost = c.controller._book.cost()
            assert cost.amount == pytest.approx(20 + 2 * 5, abs=0.01)
            assert cost.per_hour == 0
        ledger = Ledger(read_ledger((folder_of(tmp_path) / "ledger.jsonl").read_text()))
        assert ledger.cost(Price(cpu_hour=3600), time.time()).amount == pytest.approx(30, abs=0.01)

    run(test())


def test_a_task_costs_microseconds(tmp_path: Path) -> None:
    async def test() -> None:
        async with cluster(make_spec(Group(workers=0)), tmp_path) as c:
            watcher = c.controller._watcher

            def work() -> None:
                for _ in range(10_000):
                    watcher.transition("key", "waiting", "processing", stimulus_id="s", worker="tcp://nobody")
                    watcher.transition("key", "processing", "memory", stimulus_id="s", worker="tcp://nobody")

            each = min(cpu_of(work) for _ in range(3)) / 10_000
            print(f"\n{each * 1e6:.2f} µs a task")
            assert each < 20e-6
            assert watcher.done == 30_000

    run(test())

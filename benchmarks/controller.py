"""What the controller costs beside the scheduler: workers by the thousand, idle and changing, and tasks."""

from __future__ import annotations

import asyncio
import gc
import itertools
import random
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from distributed import Scheduler
from distributed.scheduler import WorkerState

from jupyter_mlops.agent.memory import METRICS
from jupyter_mlops.controller.controller import Controller
from jupyter_mlops.controller.rpc import serve
from jupyter_mlops.core.price import Price
from jupyter_mlops.core.profile import Group
from jupyter_mlops.core.spend import Told
from tests.controller.cluster import MEMORY, make_spec
from tests.controller.test_cost import HEARTBEATS, WORKERS, SilentPool, join

from .measure import Result, bounded

#: Seconds over which CPU time is taken.
SPAN = 20.0

#: Seconds between two lots of heartbeats.
LOT = 0.25


#: Looks at workers of which each changes every second, and how many there are in a second.
LOOKS, PER_SECOND = 40, 2

#: Tasks that are followed.
TASKS = 30_000


def run() -> Iterator[Result]:
    """The loop's CPU time with the controller, less that without it; and that of its single parts."""
    alone, beside = asyncio.run(_share(False)), asyncio.run(_share(True))
    note = f"the loop without it: {alone:.2%}"
    yield bounded(f"{WORKERS:,} idle workers: the controller", "of a core", max(0.0, beside - alone), 0.02, note)
    look, task = asyncio.run(_parts())
    what = f"{WORKERS:,} workers that change every second: the controller's looks"
    yield bounded(what, "of a core", look * PER_SECOND, 0.02)
    yield bounded("following a task: the controller", "µs", task * 1e6, 20)


async def _parts() -> tuple[float, float]:
    """CPU seconds of a look at workers that change, and of following a task."""
    async with _scheduler(True) as (controller, workers):
        controller.pulse.stop()
        gc.collect()
        gc.freeze()  # what other benchmarks have left is nothing that a scheduler has
        look = sum(_look(controller, workers) for _ in range(LOOKS)) / LOOKS
        task = _cpu(lambda: _follow(controller)) / TASKS
        for worker in workers:
            worker.processing = set()  # type: ignore[assignment]
        return look, task


def _look(controller: Controller, workers: list[WorkerState]) -> float:
    for worker in random.sample(workers, WORKERS // PER_SECOND):
        worker.metrics = metrics(random.random())
        worker.processing = set(range(random.randrange(3)))  # type: ignore[arg-type]  # only its size counts
    return _cpu(controller.look)


def _follow(controller: Controller) -> None:
    hear = controller.plugin.transition
    for _ in range(TASKS):
        hear("key", "waiting", "processing", stimulus_id="s", worker="tcp://nobody")
        hear("key", "processing", "memory", stimulus_id="s", worker="tcp://nobody")


def _cpu(work: Callable[[], object]) -> float:
    began = time.thread_time()
    work()
    return time.thread_time() - began


async def _share(controlled: bool) -> float:
    """CPU seconds of the loop's thread a second."""
    async with _scheduler(controlled) as (_, workers):
        beats = asyncio.create_task(_beat(workers))
        await asyncio.sleep(2)  # what their joining began is over
        began, used = time.perf_counter(), time.thread_time()
        await asyncio.sleep(SPAN)
        share = (time.thread_time() - used) / (time.perf_counter() - began)
        beats.cancel()
        return share


@asynccontextmanager
async def _scheduler(controlled: bool) -> AsyncIterator[tuple[Controller, list[WorkerState]]]:
    """A scheduler with idle workers, and a controller that was started if it is `controlled`."""
    with tempfile.TemporaryDirectory() as folder:
        async with Scheduler(host="127.0.0.1", port=0, dashboard=False) as scheduler:
            spec = make_spec(Group(workers=WORKERS, maximum=2 * WORKERS, memory=MEMORY), price=Price(cpu_hour=1))
            controller = Controller(scheduler, spec, SilentPool(), Path(folder))
            if controlled:
                await serve(controller)
            workers = [join(scheduler, number) for number in range(WORKERS)]
            for worker in workers:
                worker.metrics = metrics(0.5)
            if controlled:
                for worker in workers:
                    controller.workers.joined(worker)
            yield controller, workers
            for worker in workers:  # they can't be asked to close
                scheduler.workers.pop(worker.address)
            if controlled:
                controller.workers._by_address.clear()
                await controller.stop()


def metrics(chance: float) -> dict[str, Any]:
    """What an idle worker tells of itself."""
    spilled = {"memory": 0, "disk": 0}
    spent = dict.fromkeys(Told._fields, chance)
    runners = {"memory": 0.0, "cpu": 0.0, "bytes": 1e6 * chance, "spent": spent}
    memory = round(150e6 + chance * 2e6)
    return {"cpu": 3 * chance, "memory": memory, "managed_bytes": 0, "spilled_bytes": spilled, METRICS: runners}


async def _beat(workers: list[WorkerState]) -> None:
    """Memory and CPU as idle workers tell them, each at its turn."""
    chance, turn = random.Random(1), itertools.cycle(workers)
    while True:
        for worker in itertools.islice(turn, int(HEARTBEATS * LOT)):
            worker.metrics, worker.last_seen = metrics(chance.random()), time.time()
        await asyncio.sleep(LOT)

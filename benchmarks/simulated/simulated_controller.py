"""A controller without a scheduler: it makes workers up, and answers a `Link` as the real one does.

    python simulated_controller.py WORKERS RATE

It prints its address, and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import random
import sys
import time
from typing import Any

from distributed.core import Server

from jupyter_mlops.controller.answers import answering
from jupyter_mlops.controller.changes import ChangeTracker
from jupyter_mlops.core.cluster import ClusterState, Counts, Event, GroupState, Sample, Work, WorkerState
from jupyter_mlops.core.errors import MlopsError, UnknownRun, UnknownWorker
from jupyter_mlops.core.price import Cost

MOST = 5000
GIB = 1024**3

#: Seconds between two rounds of changes; in each, the workers whose turn it is change.
ROUND = 0.05

#: Seconds that a worker takes to start.
START = 2.0


class World:
    """Workers, and what changes of them."""

    def __init__(self, workers: int, rate: float) -> None:
        self.rate = rate
        self.wanted = workers
        self.created = time.time()
        self.changes = ChangeTracker()
        self.workers: dict[str, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.timeline: list[dict[str, Any]] = []
        self.done = 0
        self._numbers = itertools.count(1)
        self._turn = 0.0
        self._random = random.Random(1)
        for _ in range(workers):
            self._make("idle")
        for age in range(900, 0, -5):  # a chart that is full from the first second
            self._sample(self.created - age, round(workers * min(1.0, (905 - age) / 300)))
        self.say(f"{workers} workers joined")

    def say(self, text: str) -> None:
        event = Event(seq=len(self.events) + 1, time=time.time(), kind="scale", text=text)
        self.events.append({**event.model_dump(), "_at": self.changes.changed("event")})

    async def live(self) -> None:
        last_sample = time.time()
        while True:
            await asyncio.sleep(ROUND)
            self._scale()
            self._change()
            if time.time() - last_sample >= 5:
                last_sample = time.time()
                self._sample(last_sample, self.count("idle", "busy"))
            self.changes.changed("state")

    def count(self, *phases: str) -> int:
        return sum(worker["phase"] in phases for worker in self.workers.values())

    def scale(self, workers: int) -> None:
        self.wanted = workers
        self.say(f"Scaled to {workers} workers by hand")

    def _make(self, phase: str) -> None:
        name = f"default-{next(self._numbers)}"
        self.workers[name] = WorkerState(
            name=name,
            group="default",
            phase=phase,  # type: ignore[arg-type]
            address=f"tls://10.{len(self.workers) // 250}.0.{len(self.workers) % 250}:40000",
            host=f"node-{len(self.workers) // 8}",
            pid=4000 + len(self.workers),
            since=time.time(),
            memory=4 * GIB,
            memory_used=0.5 * GIB,
            threads=1,
        ).model_dump()
        self.changes.changed("worker", name)

    def _scale(self) -> None:
        for _ in range(self.wanted - len(self.workers)):
            self._make("starting")
        for name in list(self.workers)[self.wanted :]:
            del self.workers[name]
            self.changes.dropped("worker", name)
        for name, worker in self.workers.items():
            if worker["phase"] == "starting" and time.time() - worker["since"] > START:
                worker["phase"] = "idle"
                self.changes.changed("worker", name)

    def _change(self) -> None:
        names = list(self.workers)
        self._turn += len(names) * self.rate * ROUND
        due, self._turn = int(self._turn), self._turn % 1
        for name in self._random.sample(names, min(due, len(names))):
            worker = self.workers[name]
            if worker["phase"] == "starting":
                continue
            busy = self._random.random() < 0.7
            self.done += worker["processing"]
            worker["done"] += worker["processing"]
            worker["phase"], worker["processing"] = ("busy", 1) if busy else ("idle", 0)
            worker["cpu"] = round(self._random.uniform(0.6, 1.0) if busy else 0.02, 3)
            worker["memory_used"] = round(self._random.uniform(0.5, 3.0) * GIB)
            self.changes.changed("worker", name)

    def _sample(self, at: float, running: int) -> None:
        busy = round(running * (0.7 + 0.2 * math.sin(at / 60)))
        sample = Sample(
            time=at, wanted=self.wanted, pending=self.wanted - running, running=running, busy=busy, cpu=busy * 0.9
        )
        self.timeline = [*self.timeline[-179:], sample.model_dump()]

    def state(self) -> dict[str, Any]:
        counts = Counts(starting=self.count("starting"), idle=self.count("idle"), busy=self.count("busy"))
        size = len(self.workers)
        group = GroupState(
            name="default",
            cpus=1,
            memory=4 * GIB,
            minimum=0,
            maximum=MOST,
            adaptive=False,
            wanted=self.wanted,
            counts=counts,
        )
        hours = (time.time() - self.created) / 3600
        state = ClusterState(
            name="simulated",
            place="simulated",
            profile="simulated",
            owner="you",
            phase="running",
            created=self.created,
            started=self.created,
            groups=[group],
            counts=counts,
            work=Work(processing=counts.busy, queued=3 * size, done=self.done),
            cpu=counts.busy * 0.9,
            cpus=size,
            memory_used=size * 1.5 * GIB,
            memory=size * 4 * GIB,
            cost=Cost(amount=hours * size * 0.05, per_hour=size * 0.05, source="simulated"),
        )
        return state.model_dump() | {"timeline": self.timeline}

    def answer(self, since: int | None, workers: bool) -> dict[str, Any]:
        whole = since is None or not self.changes.knows(since)
        names = list(self.workers) if whole else self.changes.after("worker", since or 0)
        return {
            "seq": self.changes.seq,
            "state": self.state(),
            "workers": [self.workers[name] for name in names if name in self.workers] if workers else [],
            "gone": [] if whole or not workers else self.changes.gone("worker", since or 0),
            "events": [
                {key: value for key, value in event.items() if key != "_at"}
                for event in self.events
                if whole or event["_at"] > (since or 0)
            ],
            "runs": [],
            "whole": whole,
        }


def handlers(world: World, ended: asyncio.Event) -> dict[str, Any]:
    async def mlops_view(workers: bool = True) -> dict[str, Any]:
        return world.answer(None, workers)

    async def mlops_watch(since: int, timeout: float = 20.0, workers: bool = False) -> dict[str, Any]:
        nouns = ("state", "event", "worker") if workers else ("state", "event")
        await world.changes.wait(since, nouns, timeout)
        return world.answer(since, workers)

    async def mlops_timeline(since: float = 0.0) -> list[dict[str, Any]]:
        return [sample for sample in world.timeline if sample["time"] > since]

    async def mlops_scale(workers: int, group: str | None = None, now: bool = False) -> None:
        if not 0 <= workers <= MOST:
            raise MlopsError(f"There can't be {workers} workers")
        world.scale(workers)

    async def mlops_adapt(minimum: int, maximum: int, group: str | None = None) -> None:
        world.scale(max(minimum, min(maximum, world.wanted)))

    async def mlops_stop(cause: str = "user", why: str = "") -> None:
        ended.set()

    async def mlops_logs(worker: str | None = None, lines: int = 200) -> list[str]:
        if worker is not None and worker not in world.workers:
            raise UnknownWorker.named(worker, world.workers)
        return [f"line {number} of {worker or 'the scheduler'}" for number in range(1, lines + 1)]

    async def mlops_cancel_run(run: str, why: str = "") -> None:
        raise UnknownRun.named(run, [])

    own = (mlops_view, mlops_watch, mlops_timeline, mlops_scale, mlops_adapt, mlops_stop, mlops_logs, mlops_cancel_run)
    return {handler.__name__: answering(handler) for handler in own}


async def main(workers: int, rate: float) -> None:
    ended = asyncio.Event()
    world = World(workers, rate)
    server = Server(handlers(world, ended))
    await server.listen("tcp://127.0.0.1:0")
    sys.stdout.write(f"{server.address}\n")
    sys.stdout.flush()
    orphaned = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    living = asyncio.create_task(world.live())
    stopped = asyncio.create_task(ended.wait())
    await asyncio.wait({orphaned, stopped, living}, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.sleep(0.2)  # so that who asked for the end hears that it comes
    await server.close()
    import os

    os._exit(0)  # the thread that reads the standard input never ends by itself


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))

"""Scaling by hand: workers come, and go without losing data or work."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from jupyter_mlops.core.errors import OutOfRange, UnknownGroup
from jupyter_mlops.core.profile import Group

from .cluster import MEMORY, cluster, make_spec, run, until


def test_the_profile_s_workers_come_and_are_told(tmp_path: Path) -> None:
    async def test() -> None:
        async with cluster(make_spec(), tmp_path) as c:
            await c.have(2)
            view = await c.link.view()
            assert view.whole
            assert view.state.phase == "running"
            assert view.state.groups[0].wanted == 2
            assert view.state.counts.idle == 2
            assert view.state.cpus == 2 and view.state.memory == 2 * MEMORY
            assert sorted(worker.name for worker in view.workers) == ["default-1", "default-2"]
            assert all(worker.phase == "idle" and worker.address and worker.group == "default" for worker in view.workers)
            assert [event.text for event in view.events][0] == "The cluster started"

    run(test())


def test_scaling_down_keeps_data(tmp_path: Path) -> None:
    async def test() -> None:
        async with cluster(make_spec(Group(workers=4, maximum=4, memory=MEMORY)), tmp_path) as c, c.client() as client:
            await c.have(4)
            made: list[int] = []

            futures = client.map(lambda x: (x, time.sleep(0.01))[0], range(40), pure=False)
            assert await client.gather(futures) == list(range(40))
            transitions = c.scheduler.transition_counter
            await c.link.scale(1)
            await c.have(1)
            assert await client.gather(futures) == list(range(40)), made
            assert c.controller._watcher.done == 40, "nothing was computed again"
            assert transitions > 0

    run(test())

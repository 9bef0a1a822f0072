"""Groups that follow the work."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from jupyter_mlops.core import policy
from jupyter_mlops.core.profile import Group

from .cluster import MEMORY, PATIENCE, cluster, make_spec, until

_gate = threading.Event()


async def test_workers_come_with_the_work_and_go_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "PATIENCE", 1.0)

    _gate.clear()
    group = Group(workers=0, maximum=3, memory=MEMORY, adaptive=True)
    async with cluster(make_spec(group), tmp_path) as c, c.client() as client:
        assert (await c.link.view()).state.groups[0].adaptive
        await c.have(0)
        futures = client.map(_wait, range(200), pure=False)
        await c.have(3)
        busy = c.workers()
        _gate.set()
        await client.gather(futures)
        assert busy, "and none of them was let go while it ran a task"
        del futures
        await c.have(0)
        texts = [event.text for event in (await c.link.view()).events if event.kind == "scale"]
        assert any("3 workers of group default wanted instead of" in text and "tasks" in text for text in texts)
        assert "0 workers of group default wanted instead of" in texts[-1]


async def test_data_keeps_a_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "PATIENCE", 0.5)

    _gate.set()
    group = Group(workers=0, maximum=3, memory=MEMORY, adaptive=True)
    async with cluster(make_spec(group), tmp_path) as c, c.client() as client:
        future = client.submit(_wait, 7)
        assert await client.gather(future) == 7
        await until(lambda: c.controller.scaling.wanted == 1)
        await c.have(1)
        assert await client.gather(future) == 7
        future.release()
        await c.have(0)


async def test_each_group_follows_its_own_work(tmp_path: Path) -> None:
    _gate.clear()
    first = Group(name="first", workers=0, maximum=2, memory=MEMORY, adaptive=True)
    second = Group(name="second", workers=0, maximum=2, memory=MEMORY, adaptive=True)
    async with cluster(make_spec(first, second), tmp_path) as c, c.client() as client:
        futures = client.map(_wait, range(4), pure=False, resources={"group:second": 1})
        await until(lambda: len(c.workers("second")) >= 1)
        assert c.workers("first") == []
        assert c.controller.scaling.groups["first"].wanted == 0
        _gate.set()
        assert await client.gather(futures) == list(range(4))


async def test_work_piled_up_on_a_fixed_group_makes_the_adaptive_one_beside_it_grow(tmp_path: Path) -> None:
    _gate.clear()
    fixed = Group(name="fixed", workers=1, maximum=1, memory=MEMORY)
    more = Group(name="more", workers=0, maximum=2, memory=MEMORY, adaptive=True)
    async with cluster(make_spec(fixed, more), tmp_path) as c, c.client() as client:
        await c.have(1, "fixed")
        # few: of what a worker has, a handful is looked at, and some of that must be able to run elsewhere
        here = client.map(_wait, range(5), pure=False, resources={"group:fixed": 1})
        await until(lambda: c.controller.workers.processing == len(here))
        # each of a name of its own, as in a graph of many steps: Dask gives such tasks to workers at once
        anywhere = [client.submit(_wait, number, key=f"step{number}") for number in range(40)]
        await until(lambda: c.controller.workers.processing + len(c.scheduler.queued) == len(here + anywhere))
        assert not c.scheduler.queued, "this is about tasks that a worker has"
        await c.have(2, "more")
        await until(lambda: all(ws.processing for ws in c.scheduler.workers.values()))  # Dask moves some of it
        _gate.set()
        await client.gather(here + anywhere)


async def test_adaptive_by_hand_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "PATIENCE", 0.5)

    async with cluster(make_spec(Group(workers=3, maximum=4, memory=MEMORY)), tmp_path) as c:
        await c.have(3)
        await c.link.adapt(1, 2)
        await c.have(1)
        group = (await c.link.view()).state.groups[0]
        assert (group.adaptive, group.minimum, group.maximum, group.wanted) == (True, 1, 2, 1)
        await c.link.scale(2)
        await c.have(2)
        group = (await c.link.view()).state.groups[0]
        assert (group.adaptive, group.wanted) == (False, 2)


def _wait(number: int) -> int:
    assert _gate.wait(PATIENCE)
    time.sleep(0.005)
    return number

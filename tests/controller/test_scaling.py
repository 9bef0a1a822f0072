"""Scaling by hand: workers come, and go without losing data or work."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import dask
import pytest

from jupyter_mlops.core.cluster import Problem
from jupyter_mlops.core.errors import InvalidSpec, OutOfRange, Refused, UnknownGroup
from jupyter_mlops.core.profile import Group, Limits

from .cluster import MEMORY, PATIENCE, cluster, make_spec, until
from .pool import InProcessPool


class SlowPool(InProcessPool):
    """A place that takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.ready = asyncio.Event()

    async def create(self, group: Group, names: Sequence[str]) -> None:
        await self.ready.wait()
        await super().create(group, names)


async def test_the_profile_s_workers_come_and_are_told(tmp_path: Path) -> None:
    pool = SlowPool()
    async with cluster(make_spec(), tmp_path, pool) as c:
        assert (await c.link.view()).state.phase == "starting"
        pool.ready.set()
        await c.have(2)
        await until(lambda: c.controller.lifecycle.phase == "running")
        view = await c.link.view()
        assert view.whole
        assert view.state.groups[0].wanted == 2
        assert view.state.counts.idle == 2
        assert view.state.cpus == 2
        assert view.state.memory == 2 * MEMORY
        assert sorted(worker.name for worker in view.workers) == ["default-1", "default-2"]
        assert all(w.phase == "idle" and w.address and w.group == "default" for w in view.workers)
        assert view.events[0].text == "The cluster started"


async def test_a_cluster_that_wants_no_workers_is_running(tmp_path: Path) -> None:
    async with cluster(make_spec(Group(workers=0)), tmp_path) as c:
        assert (await c.link.view()).state.phase == "running"


async def test_scaling_down_keeps_data(tmp_path: Path) -> None:
    async with cluster(make_spec(Group(workers=4, maximum=4, memory=MEMORY)), tmp_path) as c, c.client() as client:
        await c.have(4)
        futures = client.map(_slowly, range(40), pure=False)
        assert await client.gather(futures) == list(range(40))
        assert len({address for who in (await client.who_has(futures)).values() for address in who}) > 1
        await c.link.scale(1)
        await c.have(1)
        assert await client.gather(futures) == list(range(40))
        assert c.controller.view.state()["work"]["done"] == 40, "something was computed again"


async def test_workers_stay_when_their_data_has_nowhere_to_go(tmp_path: Path) -> None:
    async with cluster(make_spec(Group(workers=1)), tmp_path) as c, c.client() as client:
        await c.have(1)
        future = await client.scatter({"k": 1})
        await c.link.scale(0)
        await c.view_when(lambda view: any(event.problem for event in view.events))
        await c.have(1)
        assert await client.gather(future) == {"k": 1}
        assert await client.submit(sum, [1, 2]) == 3, "the worker takes work again"
        view = await c.link.view()
        assert view.state.groups[0].wanted == 1
        problem = next(event.problem for event in view.events if event.problem)
        assert problem.what == "1 worker stays: default-1"
        assert "holds data" in problem.why
        assert problem.todo
        assert view.state.groups[0].problem == problem, "its card says so for as long as it is so"
        del future
        await c.view_when(lambda view: view.state.groups[0].problem is None)
        await c.view_when(lambda view: view.state.groups[0].wanted == 0)
        await c.have(0)


async def test_a_busy_worker_ends_its_task_before_it_goes(tmp_path: Path) -> None:
    gates = {"a": threading.Event(), "b": threading.Event()}
    started: list[str] = []

    def work(name: str) -> str:
        started.append(name)
        assert gates[name].wait(PATIENCE)
        return name

    async with cluster(make_spec(), tmp_path) as c, c.client() as client:
        await c.have(2)
        _share(work)
        a, b = client.submit(_call, "a", key="a"), client.submit(_call, "b", key="b")
        await until(lambda: sorted(started) == ["a", "b"])
        await c.link.scale(1)
        await until(lambda: c.controller.workers.counts["default"]["retiring"] == 1)
        extra = client.map(_plus, range(10), pure=False)
        await asyncio.sleep(0)
        assert c.pool.removed == []
        assert len(c.scheduler.workers) == 2
        for gate in gates.values():
            gate.set()
        assert await client.gather([a, b]) == ["a", "b"]
        assert await client.gather(extra) == list(range(1, 11))
        await c.have(1)
        assert sorted(started) == ["a", "b"], "a task was begun twice"


async def test_tasks_that_wait_behind_a_draining_worker_s_last_one_run_elsewhere(tmp_path: Path) -> None:
    gates = {"slow": threading.Event(), "other": threading.Event()}
    ran: list[str] = []

    def work(name: str) -> str:
        ran.append(name)
        gate = gates.get(name.partition("-")[0])
        assert gate is None or gate.wait(PATIENCE)
        return name

    with dask.config.set({"distributed.scheduler.worker-saturation": math.inf}):
        async with cluster(make_spec(), tmp_path) as c, c.client() as client:
            await c.have(2)
            _share(work)
            one, two = (c.scheduler.aliases[name] for name in ("default-1", "default-2"))
            slow = client.submit(_call, "slow", key="slow", workers=one)
            others = [client.submit(_call, f"other-{n}", key=f"o-{n}", workers=two) for n in range(12)]
            await until(lambda: sorted(ran) == ["other-0", "slow"], lambda: str(ran))
            behind = [
                client.submit(_call, f"quick-{n}", key=f"q-{n}", workers=one, allow_other_workers=True)
                for n in range(6)
            ]
            await until(lambda: len(c.scheduler.tasks) == 19)
            await c.link.scale(1)
            gates["other"].set()
            assert await client.gather(behind) == [f"quick-{n}" for n in range(6)]
            assert "default-1" in c.workers(), "its own task is not over"
            gates["slow"].set()
            assert await client.gather(slow) == "slow"
            await client.gather(others)
            await c.have(1)
            assert c.workers() == ["default-2"]
            assert len(ran) == len(set(ran)) == 19, "each ran once"


async def test_work_for_a_group_without_workers_is_told(tmp_path: Path) -> None:
    async with (
        cluster(make_spec(Group(name="a", workers=1), Group(name="b", workers=0)), tmp_path) as c,
        c.client() as client,
    ):
        future = client.submit(_plus, 1, resources={"group:b": 1})
        await until(lambda: c.controller.view.state()["problem"])
        problem = (await c.link.view()).state.problem
        assert problem is not None
        assert problem.what == "1 task waits for a worker of group 'b'"
        await c.link.scale(1, group="b")
        assert await client.gather(future) == 2
        await until(lambda: c.controller.view.state()["problem"] is None)


async def test_a_place_that_refuses_is_asked_again_later_and_not_for_ever(tmp_path: Path) -> None:
    class Refusing(InProcessPool):
        asked = 0

        async def create(self, group: Group, names: Sequence[str]) -> None:
            self.asked += 1
            raise Refused("This user may not have workers", "the quota is used up", "Ask your admin.")

    pool = Refusing()
    async with cluster(make_spec(Group(workers=1), limits=Limits(restarts=1)), tmp_path, pool) as c:
        await until(lambda: c.controller.scaling.groups["default"].problem is not None)
        problem = (await c.link.view()).state.problem
        assert problem is not None
        assert "the quota is used up" in problem.why
        assert "Ask your admin." in problem.todo
        assert pool.asked == 2


async def test_now_does_not_wait_for_tasks(tmp_path: Path) -> None:
    gate, started = threading.Event(), []

    def work(name: str) -> str:
        started.append(name)
        if len(started) <= 2:
            assert gate.wait(PATIENCE)
        return name

    async with cluster(make_spec(), tmp_path) as c, c.client() as client:
        await c.have(2)
        _share(work)
        futures = [client.submit(_call, name, key=name) for name in "ab"]
        await until(lambda: sorted(started) == ["a", "b"])
        await c.link.scale(1, now=True)
        await until(lambda: len(c.scheduler.workers) == 1)
        gate.set()
        assert await client.gather(futures) == ["a", "b"]
        await c.have(1)


async def test_several_groups_scale_apart_and_take_their_own_tasks(tmp_path: Path) -> None:
    small = Group(name="small", workers=1, maximum=3, memory=MEMORY)
    big = Group(name="big", workers=1, maximum=2, memory=2 * MEMORY, cpus=2)
    async with cluster(make_spec(small, big), tmp_path) as c, c.client() as client:
        await c.have(1, "small")
        await c.have(1, "big")
        await c.link.scale(2, group="big")
        await c.have(2, "big")
        assert len(c.workers("small")) == 1
        futures = client.map(_where, range(20), pure=False, resources={"group:big": 1})
        assert {name.rpartition("-")[0] for name in await client.gather(futures)} == {"big"}
        state = (await c.link.view()).state
        assert {group.name: group.counts.idle + group.counts.busy for group in state.groups} == {
            "small": 1,
            "big": 2,
        }
        assert state.cpus == 5
        await c.link.scale(0, group="small")
        await c.have(0, "small")
        await c.have(2, "big")


async def test_what_can_t_be_is_refused_in_words(tmp_path: Path) -> None:
    async with cluster(make_spec(Group(name="small", workers=0, maximum=4)), tmp_path) as c:
        with pytest.raises(OutOfRange, match="can't have 5 workers: its profile allows 0 to 4"):
            await c.link.scale(5)
        with pytest.raises(UnknownGroup, match="Did you mean 'small'"):
            await c.link.scale(1, group="smal")
        with pytest.raises(OutOfRange, match="the minimum is above the maximum"):
            await c.link.adapt(3, 2)
        with pytest.raises(OutOfRange):
            await c.link.adapt(0, 9)
        with pytest.raises(InvalidSpec, match="workers"):
            await c.link.scale("three")  # type: ignore[arg-type]  # what a caller may send
        assert c.controller.scaling.wanted == 0


async def test_a_place_without_room_is_told_in_the_state(tmp_path: Path) -> None:
    async with cluster(make_spec(Group(workers=0)), tmp_path) as c:
        c.pool.refused = Problem(what="No node has 4 CPUs free", why="3 are full", todo="Ask for less.")
        await c.link.scale(2)
        await until(lambda: c.controller.workers.counts["default"]["pending"] == 2)
        state = (await c.link.view()).state
        assert state.counts.pending == 2
        assert state.groups[0].problem == state.problem == c.pool.refused
        await c.link.scale(0)
        await c.have(0)
        assert (await c.link.view()).state.problem is None


async def test_a_place_that_does_not_answer_is_told_in_the_state_and_among_the_events(tmp_path: Path) -> None:
    async with cluster(make_spec(), tmp_path) as c:
        await c.have(2)
        c.pool.problem = Problem(what="The place doesn't answer", why="the network is away")
        await until(lambda: c.controller.view.state()["problem"] is not None)
        view = await c.link.view()
        assert view.state.problem == c.pool.problem
        assert (view.events[-1].text, view.events[-1].problem) == ("The place doesn't answer", c.pool.problem)
        c.pool.problem = None
        await until(lambda: c.controller.view.state()["problem"] is None)
        assert (await c.link.view()).events[-1].text == "Over: The place doesn't answer"


async def test_workers_that_somebody_else_retires_or_restarts_are_made_anew(tmp_path: Path) -> None:
    async with cluster(make_spec(), tmp_path) as c, c.client() as client:
        await c.have(2)
        await client.retire_workers(names=["default-1"])
        await until(lambda: c.workers() == ["default-2", "default-3"], lambda: str(c.workers()))
        await client.restart(timeout=PATIENCE)
        await until(lambda: c.workers() == ["default-4", "default-5"], lambda: str(c.workers()))
        assert c.controller.view.state()["counts"]["lost"] == 0


_shared: dict[str, Callable[[str], str]] = {}


def _share(work: Callable[[str], str]) -> None:
    """Tasks run in this process: what they call needn't be picklable."""
    _shared["work"] = work


def _call(name: str) -> str:
    return _shared["work"](name)


def _slowly(number: int) -> int:
    time.sleep(0.01)
    return number


def _plus(number: int) -> int:
    return number + 1


def _where(_: int) -> str:
    from distributed import get_worker

    time.sleep(0.01)
    return str(get_worker().name)

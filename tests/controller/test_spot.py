"""Spot groups: on demand when no spot node comes, on spot when it is back, and a base that stays on demand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from distributed.core import Status
from distributed.scheduler import WorkerState

from jupyter_mlops.controller.changes import ChangeTracker
from jupyter_mlops.controller.disk import Disk
from jupyter_mlops.controller.pool import Notice
from jupyter_mlops.controller.runs.liverun import LiveRun
from jupyter_mlops.controller.runs.restored import Restored
from jupyter_mlops.controller.runs.runcost import RunCost
from jupyter_mlops.controller.workers.entry import WorkerEntry
from jupyter_mlops.controller.workers.registry import WorkerRegistry
from jupyter_mlops.controller.workers.spot import SpotGroups
from jupyter_mlops.core.cluster import GroupState, Problem
from jupyter_mlops.core.ladder import Ladder
from jupyter_mlops.core.price import Price
from jupyter_mlops.core.profile import Group, Limits
from jupyter_mlops.core.run import RunPhase, RunState
from jupyter_mlops.core.spot import AGAIN, Due, SpotBreak, SpotTerms

from .cluster import MEMORY, PATIENCE, Cluster, cluster, folder_of, make_spec, until
from .pool import InProcessPool
from .test_cost import SilentPool, join

#: When what goes on is over: workers share this process.
OVER = threading.Event()


def goes_on() -> bool:
    return OVER.wait(PATIENCE)


#: For longer than a spot node is waited for.
UNUSED = SpotTerms().patience + 1

#: What an earlier scheduler would have told, so that spot is tried again at the next look.
AN_HOUR_AGO = SpotBreak(since=time.time() - 3600)


class MarketPool(InProcessPool):
    """A place with nodes on demand, and, while it `has_spot`, with spot nodes. `most` is how many workers there were at
    once on any of them."""

    def __init__(self) -> None:
        super().__init__()
        self.has_spot = False
        self.on_demand: dict[str, bool] = {}
        self.most = 0
        self._there: set[str] = set()

    async def start(self, scheduler_address: str, notify: Callable[[Notice], None]) -> None:
        def heard(notice: Notice) -> None:
            if notice.phase in ("ended", "lost"):
                self._there.discard(notice.worker)
            notify(notice)

        await super().start(scheduler_address, heard)

    async def create(self, group: Group, names: Sequence[str]) -> None:
        if group.spot and not self.has_spot:
            for name in names:
                self.groups[name] = group.name
                self.notify(Notice(name, "pending", on_demand=False))
            return
        for name in names:
            self.on_demand[name] = not group.spot
            self.notify(Notice(name, "pending", on_demand=not group.spot))
        self._there |= set(names)
        self.most = max(self.most, len(self._there))
        await super().create(group, names)


def on_demand(c: Cluster, pool: MarketPool, group: str = "default") -> list[bool]:
    """Of each connected worker whether it is on demand, the first ones on spot."""
    return sorted(pool.on_demand[name] for name in c.workers(group))


async def test_a_spot_group_goes_on_on_demand_and_is_on_spot_again(tmp_path: Path) -> None:
    pool = MarketPool()
    group = Group(workers=3, maximum=3, memory=MEMORY, spot=True, base=1)
    spec = make_spec(group, limits=Limits(restarts=0))
    async with cluster(spec, tmp_path, pool, spot=SpotTerms(patience=0.5, again=2)) as c:
        await until(lambda: on_demand(c, pool) == [True] * 3)
        await c.view_when(lambda view: view.state.groups[0].spot_break and view.state.groups[0].spot_break.until)
        pool.has_spot = True
        await until(lambda: on_demand(c, pool) == [False, False, True])
        told = [event.text for event in (await c.link.view()).events if event.kind == "scale"]
        assert told[0].startswith(
            "No spot node came for group default in 0.5 s: its workers are made on demand for 2 s"
        )
        assert "Spot is tried again for group default: its workers on demand are replaced, one first" in told
        await c.have(3)
        assert on_demand(c, pool) == [False, False, True], "the base stays"
        assert (await c.link.view()).state.groups[0].spot_break is None
        killed = {name for name in c.workers() if not pool.on_demand[name]}
        for name in killed:
            await pool.kill(name, tell=False)
            pool.notify(Notice(name, "lost", Problem(what="It was taken away"), taken=True))
        await until(lambda: not set(c.workers()) & killed and on_demand(c, pool) == [False, False, True])
        assert all(group.problem is None for group in (await c.link.view()).state.groups), "no death counts of these"
        assert pool.most == 3, "never more than the group may have"


async def test_what_goes_on_is_not_paid_for_twice_and_data_keeps_its_worker(tmp_path: Path) -> None:
    pool, terms = MarketPool(), SpotTerms(patience=0.5, again=3600)
    OVER.clear()
    group = Group(workers=2, maximum=2, memory=MEMORY, spot=True)
    async with cluster(make_spec(group), tmp_path, pool, spot=terms) as c, c.client() as client:
        entries, scale = c.controller.workers.entries, c.controller.scaling.groups["default"]
        await until(lambda: on_demand(c, pool) == [True, True])
        long = [client.submit(goes_on, pure=False) for _ in range(2)]
        try:
            await until(lambda: all(ws.processing for ws in c.scheduler.workers.values()))
            pool.has_spot = True
            c.controller.spot.restore("default", AN_HOUR_AGO)
            await until(lambda: any(entry.replaced for entry in entries.values()), lambda: str(entries))
            for _ in range(20):
                c.controller.look()
            assert pool.most == 2 and on_demand(c, pool) == [True, True], "its place is free when it has ended"
        finally:
            OVER.set()
        assert await client.gather(long) == [True, True], "and it has ended"
        await until(lambda: on_demand(c, pool) == [False, False], lambda: str(entries))

        del long
        pool.has_spot = False
        await c.link.scale(0)
        await c.have(0)
        await c.link.scale(1)
        await until(lambda: on_demand(c, pool) == [True])
        [holder] = c.workers()
        data = client.submit(bytes, 1000)
        await data
        pool.has_spot = True
        c.controller.spot.restore("default", AN_HOUR_AGO)
        await until(lambda: entries[holder].stayed is not None, lambda: str(entries))
        for _ in range(20):
            c.controller.look()
        assert c.workers() == [holder] and scale.wanted == 1, "nobody else has room for its data"
        assert scale.trouble is None, "and nobody asked for fewer workers"
        del data
        await until(lambda: on_demand(c, pool) == [False], lambda: str(entries))
        assert pool.most == 2, "never more than were wanted"


async def test_a_market_that_ends_is_no_fault(tmp_path: Path) -> None:
    spec = make_spec(Group(workers=50, maximum=50, memory=MEMORY, spot=True), limits=Limits(restarts=5))
    async with cluster(spec, tmp_path, SilentPool(), spot=SpotTerms()) as c:
        registry, scaling = c.controller.workers, c.controller.scaling
        states = [join(c.scheduler, number) for number in range(50)]
        for ws in states:
            registry.apply(Notice(str(ws.name), "starting", on_demand=False))
            registry.joined(ws)
        for ws in states:
            registry.left(ws.address, expected=False)
        c.controller.look()
        assert scaling.groups["default"].trouble is None, "not even while nobody knows why"
        assert {f"default-{number}" for number in range(51, 101)} <= registry.entries.keys(), "all come again at once"
        for ws in states[:-1]:
            registry.apply(Notice(str(ws.name), "lost", Problem(what="It was taken away"), taken=True))
        dead = registry.entries[str(states[-1].name)]
        dead.unheard = True
        registry.give_up(dead, Problem(what="Nobody knows"))
        c.controller.look()
        assert scaling.groups["default"].trouble is None and not scaling.groups["default"].deaths
        told = [event for event in (await c.link.view()).events if event.kind == "worker"]
        assert [event.problem for event in told if "went with their spot machines" in event.text] == [None]
        assert not [event for event in told if event.problem is not None], "nor is it shown as one"
        assert [event.worker for event in told if "isn't heard of any more" in event.text] == [dead.name]
        registry.apply(Notice(dead.name, "lost", Problem(what="It broke"), on_demand=False))
        assert len(scaling.groups["default"].deaths) == 1, "what is told late counts, unless it was taken"
        for number in range(51, 56):  # these die by themselves
            registry.apply(Notice(f"default-{number}", "starting", on_demand=False))
            registry.apply(Notice(f"default-{number}", "lost", Problem(what="It broke"), on_demand=False))
        c.controller.look()
        assert scaling.groups["default"].trouble is not None, "and that is one"
        for name in list(registry.entries):
            registry.apply(Notice(name, "ended"))


async def test_workers_of_other_groups_that_die_count_at_once(tmp_path: Path) -> None:
    spec = make_spec(Group(workers=2, maximum=2, memory=MEMORY), limits=Limits(restarts=1))
    async with cluster(spec, tmp_path, SilentPool(), spot=SpotTerms()) as c:
        registry = c.controller.workers
        states = [join(c.scheduler, number) for number in range(2)]
        for ws in states:
            registry.apply(Notice(str(ws.name), "starting", on_demand=False))
            registry.joined(ws)
            registry.left(ws.address, expected=False)
            registry.apply(Notice(str(ws.name), "lost", Problem(what="It was taken away"), taken=True))
        c.controller.look()
        assert c.controller.scaling.groups["default"].trouble is not None
        told = [event for event in (await c.link.view()).events if event.kind == "worker"]
        assert [event.text for event in told if event.problem] == [f"Worker {ws.name} died" for ws in states]
        for name in list(registry.entries):
            registry.apply(Notice(name, "ended"))


async def test_a_new_scheduler_knows_that_no_spot_node_came(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    folder.mkdir(parents=True)
    (folder / "events.jsonl").write_text('{"seq": 1, "time": 990, "kind": "cluster", "text": "The cluster started"}\n')
    spec = make_spec(Group(workers=2, maximum=2, memory=MEMORY, spot=True), limits=Limits(lifetime=None))
    since = time.time() - 600
    told = spec.profile.groups[0]
    group = GroupState(
        name=told.name, cpus=told.cpus, memory=int(told.memory), spot=True, minimum=0, maximum=2, adaptive=False,
        wanted=2, spot_break=SpotBreak(why="none came", since=since),
    )  # fmt: skip
    earlier = Restored(groups=[GroupState.model_validate_json(group.model_dump_json())])
    pool = SilentPool()
    async with cluster(spec, tmp_path, pool, earlier=earlier, spot=SpotTerms()) as c:
        await until(lambda: len(pool.groups) == 2)
        assert all(entry.on_demand for entry in c.controller.workers.entries.values()), "it doesn't wait once more"
        for name in pool.groups:
            c.controller.workers.apply(Notice(name, "pending", on_demand=True))
        c.controller.look()
        found = (await c.link.view()).state.groups[0].spot_break
        assert found is not None and found.since == since
        assert not any("No spot node" in event.text for event in (await c.link.view()).events)

        c.controller.scaling.needed = lambda group, together: 2
        c.controller.spot.restore("default", AN_HOUR_AGO)
        c.controller.look()
        assert c.controller.spot.break_of("default") is None, "spot is tried again"
        assert len(c.controller.spot.going("default", 2)) == 1
        entries = c.controller.workers.entries.values()
        assert not any(entry.replaced for entry in entries), "but with none of the workers that a gang needs"
        for name in pool.groups:
            c.controller.workers.apply(Notice(name, "ended"))


def map_until(start: float, by: float | None, total: int = 100, phase: RunPhase = "running") -> LiveRun:
    """A map, on the way since `start`, that is to be done so many seconds later."""
    state = RunState(
        id="0123456789ab", name="a", kind="map", cluster="c", owner="me", created=start, total=total, phase=phase,
        ladder=Ladder(by=None if by is None else start + by),
    )  # fmt: skip
    return LiveRun(state, Disk(None), RunCost(Price(), lambda worker: None))


def test_how_far_a_map_is_that_is_to_be_done_until_a_moment() -> None:
    start = time.time() - 100
    assert map_until(start, None).due(1, 1, start) is None
    waits = map_until(start, 400, phase="starting").due(1, 1, start + 100)
    assert waits is not None and waits.left == pytest.approx(300), "it has time before any worker is there"
    assert not waits.known and waits.needed == 0
    run = map_until(start, 400)
    for task in range(2):
        run.started(str(task), "w", start + 30 * task)
        run.items(str(task), 15, 0)
        run.cost.items_over(str(task), 15, start + 30 * task + 30)
        run.paused(str(task), start + 30 * task + 30)
    due = run.due(1, 1, start + 100)
    assert due is not None and due.known and due.needed == pytest.approx(70 * 2.0)


def test_items_that_are_not_over_count_for_what_is_done_of_them() -> None:
    start = time.time() - 100
    run = map_until(start, 4000)
    for task in range(50):
        run.started(str(task), "w", start)
    run.items("0", 1, 0)
    run.cost.items_over("0", 1, start + 60)
    each, begun = run.cost.of_items(start + 90)
    assert each == pytest.approx(60) and sorted(begun)[:2] == pytest.approx([30, 90])
    due = run.due(10, 50, start + 90)
    assert due is not None and due.longest == pytest.approx(90), "the others take longer than the first one"
    assert due.needed == pytest.approx(60), "it tries sizes, and may have all 50"
    run.state.ladder = Ladder(by=start + 4000, phase="done")
    due = run.due(10, 50, start + 90)
    assert due is not None and due.needed == pytest.approx(9 * 60), "what it chose is what it has"
    for task in range(50):
        run.paused(str(task), start + 100)
    due = run.due(10, 50, start + 200)
    assert due is not None and due.longest == pytest.approx(90), "what was lost is not forgotten"
    assert due.needed == pytest.approx(10 * 60), "but isn't what the others take"


class SpotClock:
    """A spot group of workers that only the registry knows, at a time that the test says."""

    def __init__(self, workers: int) -> None:
        group = Group(workers=workers, maximum=workers, memory=MEMORY, spot=True)
        self.now = 0.0
        self.due: Due | None = None
        self.registry = WorkerRegistry([group], ChangeTracker(lambda: self.now), lambda: self.now)
        self.told: list[str] = []
        self.spot = SpotGroups(
            [group], SpotTerms(), self.registry, lambda *told: self.told.append(told[2]), lambda: self.now
        )
        self.spot.due = lambda group: self.due

    def have(self, name: str, on_demand: bool) -> WorkerEntry:
        """A worker that is there, and idle."""
        self.registry.request("default", [name], on_demand)
        ws = WorkerState(
            address=f"tcp://{name}:4000", status=Status.running, pid=1, name=name, nthreads=1, memory_limit=MEMORY,
            local_directory="", services={}, versions={}, nanny=None, extra={}, server_id=name,
            scheduler=None,  # type: ignore[arg-type]  # nobody asks it
        )  # fmt: skip
        return self.registry.joined(ws)

    def wait(self, name: str) -> None:
        """A worker that waits for a spot node."""
        self.registry.request("default", [name])
        self.registry.apply(Notice(name, "pending", on_demand=False))

    def look(self, after: float = 0.0) -> list[str]:
        """Who is to go, so many seconds later."""
        self.now += after
        self.spot.look(self.now)
        return [entry.name for entry in self.spot.going("default", 99)]

    def go_on_demand(self, workers: int) -> list[WorkerEntry]:
        """No spot node comes, so that all workers are on demand."""
        self.wait("default-99")
        assert self.look() == [] and self.look(UNUSED) == ["default-99"]
        self.registry.apply(Notice("default-99", "ended"))
        return [self.have(f"default-{number}", True) for number in range(workers)]


def test_the_only_worker_goes_when_nobody_has_used_it_for_a_while() -> None:
    of = SpotClock(1)
    [only] = of.go_on_demand(1)
    assert of.look() == [] and of.look(AGAIN + 1) == [only.name], "nobody has for half an hour"
    only.done += 1
    assert of.look(1) == [], "a cell has, since the last look"
    only.phase = "busy"
    assert of.look(UNUSED) == []
    only.phase = "idle"
    assert of.look(1) == [] and of.look(UNUSED) == [only.name]


def test_a_worker_that_goes_on_for_long_is_not_paid_for_at_a_part_of_its_threads() -> None:
    of = SpotClock(2)
    first, second = of.go_on_demand(2)
    of.look()
    assert of.look(AGAIN + 1) == [first.name] and of.told[-1].startswith("Spot is tried again")
    first.replaced = True
    of.registry.expect([first])
    assert of.look(AGAIN) == [] and of.spot.staying("default") == [], "it has time to end what it runs"
    of.look(1)
    assert of.spot.staying("default") == [first]
    of.registry.expect([first], going=False)
    assert of.look(1) == [second.name], "it is the turn of another one"


def test_long_items_go_from_spot_to_on_demand_when_there_is_no_time_to_lose_one() -> None:
    of = SpotClock(2)
    [first, second] = [of.have(f"default-{number}", False) for number in range(2)]
    of.due = Due("map", 0.0, 4 * 3600.0, needed=3600.0, longest=1800.0)
    assert of.look() == [] and of.look(60) == []
    of.due = Due("map", 2.4 * 3600.0, 4 * 3600.0, needed=3600.0, longest=1800.0)
    assert of.look() == [first.name, second.name] and of.spot.on_demand("default", 2) == 2
    assert of.told == ["map is due in 1 h 36 min and needs 1 h more: workers of group default are made on demand"]


def test_it_is_said_when_a_map_has_time_to_wait() -> None:
    of = SpotClock(1)
    of.due = Due("map", 0.0, 4 * 3600.0, needed=3600.0)
    of.wait("default-1")
    assert of.look() == [] and of.look(UNUSED) == [] and of.look(UNUSED) == []
    assert of.told == ["map is due in 4 h and needs 1 h more: there is time, and group default waits for spot nodes"]
    assert of.spot.break_of("default") is None
    of.due = Due("map", 4 * 3600.0, 4 * 3600.0, needed=3600.0)
    assert of.look(1) == ["default-1"] and of.told[-1] == "map is late: workers of group default are made on demand"

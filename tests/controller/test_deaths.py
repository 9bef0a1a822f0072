"""Workers that die: why is kept, they are replaced, and not for ever."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from jupyter_mlops.controller.pool import Notice
from jupyter_mlops.controller.workers import registry, scaling
from jupyter_mlops.core.cluster import Problem
from jupyter_mlops.core.ledger import LedgerEntry
from jupyter_mlops.core.lines import read_lines
from jupyter_mlops.core.profile import Group, Limits

from .cluster import cluster, folder_of, make_spec, paid_for, until

KILLED = Problem(
    what="Worker default-1 was killed",
    why="out of memory (signal 9); its last line: Killed",
    todo="Use workers with more memory.",
)


async def test_a_dead_worker_is_replaced_and_its_cause_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "SILENCE", 3600)  # the place tells why, however long that takes

    async with cluster(make_spec(), tmp_path) as c:
        await c.have(2)
        await c.pool.kill("default-1", KILLED)
        await until(lambda: c.workers() == ["default-2", "default-3"], lambda: str(c.workers()))
        await c.view_when(lambda view: any(event.problem for event in view.events))
        view = await c.link.view()
        dead = next(worker for worker in view.workers if worker.name == "default-1")
        assert dead.phase == "lost"
        assert dead.problem == KILLED
        assert view.state.counts.lost == 1
        event = next(event for event in view.events if event.problem)
        assert event.kind == "worker"
        assert event.worker == "default-1"
        assert event.problem == KILLED
        assert view.state.problem is None, "it was replaced: all is well"
        assert await c.link.logs("default-1") == ["a line of default-1"]


async def test_work_survives_a_dead_worker(tmp_path: Path) -> None:
    async with cluster(make_spec(), tmp_path) as c, c.client() as client:
        await c.have(2)
        futures = client.map(_double, range(20), pure=False)
        await client.gather(futures)
        await c.pool.kill("default-2", KILLED)
        assert await client.gather(futures) == [2 * number for number in range(20)]


async def test_a_group_whose_workers_keep_dying_waits_for_a_person(tmp_path: Path) -> None:
    spec = make_spec(Group(workers=1), limits=Limits(restarts=2))
    async with cluster(spec, tmp_path) as c:
        await c.have(1)
        c.pool.broken = KILLED
        await c.pool.kill("default-1", KILLED)
        await until(lambda: c.controller.scaling.groups["default"].problem is not None)
        view = await c.link.view()
        problem = view.state.problem
        assert problem is not None
        assert problem == view.state.groups[0].problem
        assert "keep dying" in problem.what
        assert "3 in ten minutes" in problem.why
        assert "out of memory (signal 9)" in problem.why
        assert problem.todo.startswith("Use workers with more memory.")
        assert view.state.counts.lost == 3, "the first one and its two replacements"
        assert [event.kind for event in view.events].count("problem") == 1
        asked = len(c.pool.groups)
        c.controller.scaling.reconcile()
        assert len(c.pool.groups) == asked, "no more are asked for"
        c.pool.broken = None
        await c.link.scale(1)
        await c.have(1)
        assert (await c.link.view()).state.problem is None


async def test_no_restarts_means_none(tmp_path: Path) -> None:
    async with cluster(make_spec(Group(workers=1), limits=Limits(restarts=0)), tmp_path) as c:
        await c.have(1)
        await c.pool.kill("default-1", KILLED)
        await until(lambda: c.controller.scaling.groups["default"].problem is not None)
        assert list(c.pool.groups) == ["default-1"]


async def test_a_worker_that_vanishes_is_ended_and_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "SILENCE", 3600)

    async with cluster(make_spec(), tmp_path) as c:
        await c.have(2)
        await c.pool.kill("default-1", tell=False)
        await until(lambda: c.workers() == ["default-2", "default-3"], lambda: str(c.workers()))
        await until(lambda: "default-1" in paid_for(tmp_path))  # it may still hold its resources
        monkeypatch.setattr(registry, "SILENCE", 0.5)
        await until(lambda: c.pool.removed == ["default-1"])
        await until(lambda: "default-1" not in paid_for(tmp_path))
        await c.have(2)
        view = await c.link.view()
        dead = next(worker for worker in view.workers if worker.name == "default-1")
        assert dead.phase == "lost"
        assert dead.problem is not None
        assert "lost its connection" in dead.problem.what
        assert view.state.counts.lost == 1


async def test_what_the_place_can_not_tell_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker ends while the place can't be heard: it is left alone until the place has had time to say what happened,
    and where it only finds that it is gone, it costs until its connection went."""
    monkeypatch.setattr(registry, "SILENCE", 0.5)

    def closes() -> list[LedgerEntry]:
        entries = read_lines(LedgerEntry, (folder_of(tmp_path) / "ledger.jsonl").read_text())
        return [entry for entry in entries if (entry.worker, entry.kind) == ("default-1", "close")]

    async with cluster(make_spec(), tmp_path) as c:
        await c.have(2)
        c.pool.problem = Problem(what="The place can't be heard")
        await asyncio.sleep(1)  # it has run for a while
        before = time.time()
        await c.pool.kill("default-1", tell=False)
        await until(lambda: c.workers() == ["default-2", "default-3"], lambda: str(c.workers()))
        noticed = time.time()
        await asyncio.sleep(2)
        assert not c.pool.removed, "it could not say yet what happened"
        await until(lambda: "default-1" in paid_for(tmp_path))
        told = time.time()
        c.pool.problem = None
        c.pool.notify(Notice("default-1", "lost", KILLED, unseen=True))
        view = await c.link.view()
        dead = next(worker for worker in view.workers if worker.name == "default-1")
        assert dead.problem == KILLED
        await until(closes)  # the disk is written in the background
        (over,) = closes()
        assert before <= over.time <= noticed
        assert over.written is not None and over.written >= told


async def test_a_worker_that_never_connects_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling, "JOIN_TIMEOUT", 0.5)

    async with cluster(make_spec(Group(workers=0), limits=Limits(restarts=0)), tmp_path) as c:
        c.pool.refused = Problem(what="Full")
        await c.link.scale(1)
        await until(lambda: c.controller.workers.counts["default"]["pending"] == 1)
        c.pool.notify(Notice("default-1", "starting"))
        await until(lambda: c.controller.workers.counts["default"]["lost"] == 1)
        problem = c.controller.workers.entries["default-1"].problem
        assert problem is not None
        assert "did not reach the scheduler" in problem.what


def _double(number: int) -> int:
    return 2 * number

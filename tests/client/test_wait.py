"""Waiting for workers, whoever waits: each problem is said at once and once, and what can't come isn't waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from jupyter_mlops.client.clusters.follow import ClusterFollower, following
from jupyter_mlops.client.clusters.listing import list_clusters
from jupyter_mlops.client.clusters.wait import (
    Readiness,
    wait_for_answer,
    wait_for_end,
    wait_for_scale,
    wait_for_workers,
)
from jupyter_mlops.controller.link import Link
from jupyter_mlops.core.cluster import ClusterState, Problem
from jupyter_mlops.core.errors import ClusterEnded, ClusterUnreachable, NotReady, StartFailed
from jupyter_mlops.core.profile import Group

from ..controller.cluster import MEMORY, PATIENCE, Cluster, cluster, make_spec, until
from ..controller.pool import InProcessPool
from .conftest import Far

FULL = Problem(what="no node has 1 CPU free", why="3 nodes are full", todo="Ask for less.")


@asynccontextmanager
async def followed(pool: InProcessPool | None = None, *groups: Group) -> AsyncIterator[tuple[Cluster, ClusterFollower]]:
    """A cluster on this loop, and who follows it by its link."""
    async with cluster(make_spec(*groups), pool=pool) as made:

        @asynccontextmanager
        async def opener() -> AsyncIterator[Link]:
            yield made.link

        follower = ClusterFollower((await made.link.view()).state, opener=opener)
        follower.ensure()
        try:
            yield made, follower
        finally:
            await follower.close()


@pytest.fixture(autouse=True)
def _home(home: Path) -> None:
    """No cluster of the suite's is in sight."""


async def test_who_a_cluster_is_stands_in_all_that_is_told_as_its_place_has_it() -> None:
    async with cluster(make_spec()) as made:

        @asynccontextmanager
        async def opener() -> AsyncIterator[Link]:
            yield made.link

        record = (await made.link.view()).state.model_copy(update={"namespace": "ml", "uid": "1", "mine": True})
        told: list[ClusterState] = []
        follower = ClusterFollower(record, told.append, lambda view, _: told.append(view.state), opener=opener)
        follower.ensure()
        await until(lambda: len(told) > 3)
        await follower.close()
    assert {(state.id, state.mine) for state in told} == {(record.id, True)}


async def test_workers_that_come_are_waited_for_without_a_word() -> None:
    said: list[str] = []
    async with followed() as (_, follower):
        state = await wait_for_workers(follower, "c", say=said.append, patience=PATIENCE)
    assert state.counts.idle == 2 and state.phase == "running" and said == []


async def test_a_groups_problem_is_said_once_and_is_the_reason_when_it_is_late() -> None:
    said: list[str] = []
    pool = InProcessPool()
    pool.refused = FULL
    async with followed(pool) as (made, follower):
        await made.view_when(lambda view: view.state.groups[0].problem is not None)
        await wait_for_answer(follower, "c", patience=PATIENCE)
        await follower.ask_state()  # so that it has heard of that before the seconds count
        with pytest.raises(
            NotReady, match=r"0 of 2 workers of 'c' are ready after 3 s: no node has 1 CPU free"
        ) as late:
            await wait_for_workers(follower, "c", say=said.append, patience=3.0)
    assert said == ["default: no node has 1 CPU free: 3 nodes are full. Ask for less."]
    assert isinstance(late.value, TimeoutError) and late.value.todo == "Ask for less."


async def test_the_problems_of_all_groups_and_of_the_place_are_said() -> None:
    said: list[str] = []
    pool = InProcessPool()
    pool.refused = FULL
    groups = [Group(name=name, workers=1, memory=MEMORY) for name in ("thin", "wide")]
    async with followed(pool, *groups) as (made, follower):
        waiting = asyncio.create_task(wait_for_workers(follower, "c", say=said.append, patience=PATIENCE))
        await until(lambda: len(said) == 2, lambda: str(said))
        pool.problem = Problem(what="The place takes no more pods", todo="Ask the administrator.")
        await until(lambda: len(said) == 3, lambda: str(said))
        made.controller.stop_soon("user")
        with pytest.raises(ClusterEnded, match="ended before its workers were ready"):
            await waiting
    assert [sentence.partition(":")[0] for sentence in said[:2]] == ["thin", "wide"]
    assert said[2] == "The place takes no more pods. Ask the administrator."


async def test_more_workers_than_there_will_be_are_not_waited_for() -> None:
    async with followed() as (made, follower):
        with pytest.raises(StartFailed, match="'c' will not have 4 workers: it is to have 2 at most"):
            await wait_for_workers(follower, "c", 4, patience=PATIENCE)
        await wait_for_answer(follower, "c", patience=PATIENCE)
        await made.link.scale(4)
        await follower.ask_state()
        assert (await wait_for_workers(follower, "c", 4, patience=PATIENCE)).counts.idle == 4


async def test_a_scale_is_waited_for_until_there_are_exactly_so_many() -> None:
    told: list[str] = []

    def tell(there: Readiness, state: ClusterState) -> None:
        told.append(str(there))

    async with followed() as (made, follower):
        await wait_for_workers(follower, "c", patience=PATIENCE)
        await wait_for_answer(follower, "c", patience=PATIENCE)
        await made.link.scale(1)
        await follower.ask_state()
        await wait_for_scale(follower, "c", None, tell, patience=PATIENCE)
        await until(lambda: len(made.workers()) == 1)  # the other one is on its way out
    assert told[-1] == "1 of 1 worker"


async def test_a_scale_that_the_cluster_took_back_is_over_at_once() -> None:
    """A worker with data stays: 1 is wanted again before anybody heard that 0 was."""
    async with followed(None, Group(workers=1, memory=MEMORY)) as (made, follower), made.client() as client:
        await wait_for_workers(follower, "c", patience=PATIENCE)
        await wait_for_answer(follower, "c", patience=PATIENCE)
        data = await client.scatter({"k": 1})
        await made.link.scale(0)
        await made.view_when(lambda view: view.state.groups[0].problem is not None)
        await follower.ask_state()
        state = await wait_for_scale(follower, "c", None, lambda there, state: None, patience=PATIENCE)
        assert state.groups[0].wanted == 1 and "stays" in state.groups[0].problem.what
        assert await client.gather(data) == {"k": 1}


async def test_a_place_that_is_silent_is_said_while_its_cluster_is_waited_for(far: Far) -> None:
    said: list[str] = []
    record = (await list_clusters()).named("survey")
    far.goes_away()
    async with following(record) as follower:
        with pytest.raises(NotReady, match="Far doesn't answer"):
            await wait_for_workers(follower, "survey", 1, said.append, patience=3.0)
    assert said == ["Far doesn't answer."]
    with pytest.raises(ClusterUnreachable):
        _ = follower.link


async def test_the_end_of_a_cluster_is_waited_for() -> None:
    async with followed() as (made, follower):
        await wait_for_workers(follower, "c", patience=PATIENCE)
        made.controller.stop_soon("user")
        assert await wait_for_end(follower, "c", patience=PATIENCE) is None, "nothing of it is on record"


async def test_a_controller_that_answers_is_enough_where_work_may_wait_for_workers() -> None:
    pool = InProcessPool()
    pool.refused = FULL
    async with followed(pool) as (_, follower):
        state = await wait_for_answer(follower, "c", patience=PATIENCE)
    assert state.counts.idle == 0

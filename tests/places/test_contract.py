"""What `places/base.py` promises, held against every place."""

from __future__ import annotations

import asyncio
import os

import pytest

from jupyter_mlops import places
from jupyter_mlops.client.clusters.listing import placed
from jupyter_mlops.client.clusters.spec import new_spec
from jupyter_mlops.core.cluster import ClusterState
from jupyter_mlops.core.errors import ClusterEnded, Conflict, InvalidSpec, NameTaken, OutOfRange, UnknownCluster

from .place import LocalPlace, call, ended, until, workers_up


async def test_a_cluster_from_start_to_end(place: LocalPlace) -> None:
    backend, spec = place.backend, place.spec()
    state = await backend.start(spec)
    assert (state.name, state.phase, state.owner) == (spec.name, "starting", spec.owner)
    assert [each.name for each in await backend.clusters()] == [spec.name]
    assert await backend.spec(spec.name) == spec

    assert await call(backend, spec.name, sum, [1, 2, 3]) == 6
    await until(lambda: backend.get(spec.name), lambda state: state.phase == "running", "it runs")
    assert await backend.receipt(spec.name) is None

    link = await backend.link(spec.name)
    await link.scale(3)
    view = await workers_up(backend, spec.name, 3)
    assert {worker.group for worker in view.workers} == {"default"}
    assert all(worker.pid and worker.host for worker in view.workers)
    await link.scale(1)
    await workers_up(backend, spec.name, 1)
    await link.close()

    await backend.stop(spec.name, "user", "the test is done")
    state = await ended(backend, spec.name)
    assert (state.cause, state.place) == ("user", backend.place)
    receipt = await backend.receipt(spec.name)
    assert receipt is not None
    assert (receipt.cause, receipt.why, receipt.most_workers) == ("user", "the test is done", 3)
    assert receipt.cost.amount is not None and receipt.cost.amount > 0
    assert receipt.cost == state.cost
    events = await backend.events(spec.name)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert any("3 workers" in event.text for event in events)
    assert await backend.timeline(spec.name)
    assert any("scheduler" in line.lower() for line in await backend.logs(spec.name))
    assert await backend.logs(spec.name, view.workers[0].name)

    await backend.stop(spec.name)  # a no-op
    with pytest.raises(ClusterEnded, match="has ended: user"):
        await backend.address(spec.name)
    await backend.forget(spec.name)
    assert await backend.clusters() == []


async def test_a_name_is_taken_while_its_cluster_lives(place: LocalPlace) -> None:
    backend, spec = place.backend, place.spec(name="mine")
    await backend.start(spec)
    with pytest.raises(NameTaken, match="'mine' already"):
        await backend.start(spec)
    with pytest.raises(Conflict, match="alive"):
        await backend.forget("mine")
    await call(backend, "mine", sum, [1])
    await backend.stop("mine")
    await ended(backend, "mine")
    await backend.start(place.spec(name="mine"))
    assert await call(backend, "mine", sum, [2]) == 2
    assert (await backend.get("mine")).phase in ("starting", "running")


async def test_of_many_starters_at_once_one_wins(place: LocalPlace) -> None:
    spec = place.spec(name="wanted")
    outcomes = await asyncio.gather(*[place.backend.start(spec) for _ in range(6)], return_exceptions=True)
    assert [type(each) for each in outcomes if not isinstance(each, ClusterState)] == [NameTaken] * 5
    assert await call(place.backend, "wanted", sum, [1]) == 1


async def test_an_unknown_name_gets_a_near_one(place: LocalPlace) -> None:
    await place.backend.start(place.spec(name="flights"))
    backend = place.backend
    for method in ("get", "spec", "address", "link", "stop", "forget", "receipt", "events", "timeline", "runs"):
        with pytest.raises(UnknownCluster, match="Did you mean 'flights'"):
            await getattr(backend, method)("flihgts")
    with pytest.raises(UnknownCluster):
        await backend.logs("flihgts")
    with pytest.raises(UnknownCluster, match="Did you mean 'flights'"):
        await placed("flihgts")
    for strange in ("", "..", "a/b", "/etc", "flights.1", "Flights"):
        with pytest.raises(UnknownCluster):
            await backend.get(strange)
    assert (await placed("flights"))[0].place == backend.place


async def test_ended_clusters_stay_listed_behind_newer_ones(place: LocalPlace) -> None:
    backend = place.backend
    for name in ("older", "newer"):
        await backend.start(place.spec(name=name))
    await backend.stop("older", "idle", "nobody used it", force=True)
    states = await backend.clusters()
    assert [(state.name, state.phase) for state in states] == [("newer", states[0].phase), ("older", "ended")]
    assert states[0].phase in ("starting", "running")
    assert (states[1].cause, states[1].commands) == ("idle", [])


async def test_groups_and_environment_reach_the_workers(place: LocalPlace) -> None:
    spec = place.spec(
        place.group(name="thin", maximum=2, memory="400 MiB"),
        place.group(name="wide", maximum=1, cpus=2, memory="600 MiB"),
        environment={"GREETING": "hello"},
    )
    await place.backend.start(spec)
    view = await workers_up(place.backend, spec.name, 2)
    assert {(worker.group, worker.threads, worker.memory) for worker in view.workers} == {
        ("thin", 1, 400 * 1024**2),
        ("wide", 2, 600 * 1024**2),
    }
    for group, threads in (("thin", "1"), ("wide", "2")):
        seen = await call(place.backend, spec.name, _environment, resources={f"group:{group}": 1})
        assert seen == (group, "hello", threads)


def _environment() -> tuple[str, str, str]:
    from distributed import get_worker

    return get_worker().name.rpartition("-")[0], os.environ["GREETING"], os.environ["OMP_NUM_THREADS"]


async def test_what_cannot_be_made_is_refused_before_it_is_made(place: LocalPlace) -> None:
    profile, word = place.impossible()
    with pytest.raises(InvalidSpec, match=r"'options\.colour' is not a known field"):
        await place.backend.check(place.profile(options={"colour": "red"}))
    with pytest.raises(InvalidSpec, match=word):
        await place.backend.check(profile)
    with pytest.raises(InvalidSpec, match=word):
        await place.backend.start(new_spec(profile))
    await place.backend.check(place.profile())
    assert await place.backend.clusters() == []
    with pytest.raises(OutOfRange):
        new_spec(place.profile(), workers=5)
    with pytest.raises(InvalidSpec, match="small letters"):
        new_spec(place.profile(), name="Not/A name")
    with pytest.raises(InvalidSpec, match=r"no place named 'moon' here\. Use one of: local, kubernetes"):
        places.get("moon")


async def test_stopping_while_starting(place: LocalPlace) -> None:
    spec = place.spec()
    await place.backend.start(spec)
    await place.backend.stop(spec.name)
    assert (await ended(place.backend, spec.name)).cause == "user"


async def test_names_are_free_and_readable(place: LocalPlace) -> None:
    async def three() -> list[str]:
        names = []
        for _ in range(2):
            spec = place.spec()
            await place.backend.start(spec)
            names.append(spec.name)
        await place.backend.stop(names[0], force=True)
        await until(place.backend.clusters, lambda states: len(states) == 2)
        return [*names, place.spec().name]

    first, second, third = await three()
    assert len({first, second, third}) == 3
    assert all(name.startswith("small") for name in (first, second, third))

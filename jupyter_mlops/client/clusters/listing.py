"""The clusters of all places together, and which places did not answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from ... import places
from ...core import naming
from ...core.cluster import ClusterState, Problem, SilentPlace
from ...core.errors import ClusterUnreachable, MlopsError, NotFound
from ...home import last_seen
from ...places.base import Backend


@dataclass(frozen=True)
class Listing:
    """The clusters of one or all places, newest first. Those of a silent place are the last known ones, unreachable."""

    clusters: list[ClusterState] = field(default_factory=list)
    silent: list[SilentPlace] = field(default_factory=list)

    def named(self, name: str) -> ClusterState:
        """The cluster that `name` means, as `core.naming` says: one's own before those of others, live before ended.

        Raises
        ------
        UnknownCluster : no place has it; a near name is suggested.
        AmbiguousName : it may mean several; they are listed.
        ClusterUnreachable : a place that doesn't answer may have it.
        """
        found = naming.find(name, self.clusters)
        if found is None:
            raise self.missing(naming.unknown(name, self.clusters))
        return found

    def missing(self, unknown: NotFound) -> MlopsError:
        """`unknown`; or, where a place was silent, that the place may have what is looked for."""
        if not self.silent:
            return unknown
        silent = self.silent[0]
        return ClusterUnreachable(
            f"{unknown.what} where one could look", silent.sentence(time.time()), silent.problem.todo
        )


async def list_clusters() -> Listing:
    """The clusters of all places. A place that can't be asked hides no other one."""
    answers = await asyncio.gather(*(list_place(place) for place in places.names()))
    states = [state for answer in answers for state in answer.clusters]
    return Listing(
        sorted(states, key=lambda state: state.created, reverse=True),
        [silent for answer in answers for silent in answer.silent],
    )


async def list_place(place: str) -> Listing:
    """The clusters of one place. What a place says when it answers is remembered for when it doesn't."""
    states, problem = await places.look(place)
    if problem is not None:
        return Listing(silent=[SilentPlace(place=place, problem=problem)])
    backend = places.get(place)
    problem, way = backend.silence(), backend.way()
    if problem is None:
        if way is not None:
            await asyncio.to_thread(last_seen.remember, place, way, states)
        return Listing(states)
    before = await asyncio.to_thread(last_seen.recall, place, way)
    if before is not None:
        states = [*states, *_unseen(before.clusters, states, problem)]
    lost = sum(state.phase == "unreachable" for state in states)
    seen = before.time if before is not None else None
    return Listing(states, [SilentPlace(place=place, problem=problem, seen=seen, clusters=lost)])


async def placed(name: str) -> tuple[Backend, str]:
    """The place that has the cluster that `name` means, and the cluster's id. Raises as `Listing.named`."""
    state = (await list_clusters()).named(name)
    return places.get(state.place), state.id


def _unseen(before: list[ClusterState], states: list[ClusterState], problem: Problem) -> Iterator[ClusterState]:
    """Clusters that the place had when it answered last, and that its answer of now doesn't tell of."""
    there = {state.id for state in states}
    for state in before:
        if state.id not in there:
            yield state.model_copy(update={"phase": "unreachable", "problem": problem})

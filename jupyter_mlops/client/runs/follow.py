"""Follows a run that another process drives, or that nobody does any more."""

from __future__ import annotations

import asyncio
import contextlib

from ... import places
from ...core.cluster import ClusterState
from ...core.errors import (
    ClusterEnded,
    ClusterUnreachable,
    MlopsError,
    NotFound,
    UnknownCluster,
    UnknownRun,
    Unreadable,
)
from ...core.run import FINAL, RunPhase, RunState
from ...home.runs import read_run, run_folder
from ..clusters.kernel import kernel, loop_thread
from ..clusters.listing import list_clusters, placed
from ..clusters.live import open_link
from ..send.payload import RunPayload
from .copies import Copy
from .execution.channel import Channel
from .execution.execution import Execution
from .run import Run
from .sweeps.result import Sweep


class Follow(Execution):
    """Watches and cancels; sends nothing."""

    async def _open(self) -> None:
        self._opened.set()  # by whoever started it

    async def work(self) -> tuple[RunPhase, str]:
        """Wait for the cluster to say that the run is over."""
        await asyncio.Event().wait()
        raise AssertionError("unreachable")


class FinishedExecution(Execution):
    """A run whose cluster is gone, or that is over."""

    def __init__(self, state: RunState, channel: Channel) -> None:
        super().__init__(None, state, RunPayload({}), channel)  # type: ignore[arg-type]  # nothing is asked of it

    async def main(self) -> None:
        """Nothing to do."""
        self.channel.end()

    async def cancel(self, why: str) -> None:
        """Nothing to stop."""


def find_run(run: str) -> Run:
    """The run of that id, whoever started it, whenever.

    Raises
    ------
    UnknownRun : nothing is known of it; a near id is suggested.
    ClusterUnreachable : a place that doesn't answer may know it.
    """
    execution = loop_thread().call(_execution(run))
    found = Sweep(execution) if execution.state.kind == "sweep" else Run(execution)
    found.start()
    return found


async def state_now(run: str) -> RunState:
    """What is known of a run now. Raises as `find_run`."""
    return (await _execution(run)).state


async def _execution(run: str) -> Execution:
    try:
        state = read_run(run)
    except UnknownRun as unknown:
        state = await _elsewhere(run, unknown)
    except Unreadable as fault:
        state = run_folder(run).row(fault)
    if state.phase in FINAL:
        return FinishedExecution(state, Channel())
    try:
        opened = await kernel().sessions.open(state.ran_on, timeout=10.0)
        view = await opened.link.watch_run(state.id, 0, timeout=0)
    except (ClusterUnreachable, ClusterEnded, NotFound) as error:
        return FinishedExecution(await _last_word(state, error), Channel())
    return Follow(opened, view.run, RunPayload({}), Channel())


async def _last_word(state: RunState, silence: MlopsError) -> RunState:
    """What is known of a run whose cluster doesn't answer: how it ended, that it is lost, or what was known before."""
    try:
        backend, cluster = await placed(state.ran_on)
        for known in await backend.runs(cluster):
            if known.id == state.id and known.phase in FINAL:
                Copy(state.id).take(known, [])
                return known
        if (await backend.get(cluster)).phase not in ("ended", "stopping"):
            return state
    except UnknownCluster:
        pass
    except MlopsError:  # its place doesn't answer either
        return state
    return state.model_copy(update={"phase": "lost", "error": f"RunLost: {silence.what}."})


async def _elsewhere(run: str, unknown: UnknownRun) -> RunState:
    """Clusters of places that don't write into the home folder keep their runs themselves.

    They are asked for plain data only: no Dask client connects to clusters that nobody named, and foreign ones are left
    alone.
    """
    listing = await list_clusters()
    for cluster in listing.clusters:
        if places.get(cluster.place).writes_home or not cluster.ours:
            continue
        try:
            states = await _runs_of(cluster)
        except MlopsError:
            continue
        for state in states:
            if state.id == run:
                return state
    raise listing.missing(unknown)


async def _runs_of(cluster: ClusterState) -> list[RunState]:
    """A live cluster knows them better than its place, which is told now and then."""
    if cluster.phase == "running" and "run" in cluster.commands:
        with contextlib.suppress(ClusterUnreachable, ClusterEnded):
            async with open_link(cluster.place, cluster.id, 10.0) as link:
                return (await link.view(workers=False)).runs
    return await places.get(cluster.place).runs(cluster.id)

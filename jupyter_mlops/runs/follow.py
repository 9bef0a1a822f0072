"""Follows a run that another process drives, or that nobody does any more."""

from __future__ import annotations

import asyncio
import contextlib

from .. import backends
from ..core.cluster import ClusterState
from ..core.errors import ClusterEnded, ClusterUnreachable, MlopsError, NotFound, UnknownCluster, UnknownRun
from ..core.run import FINAL, RunPhase, RunState
from .copies import Copy
from .driving.drive import Drive
from .driving.mailbox import Mailbox
from .portal import portal
from .record import read_record
from .run import Run
from .session import Session, session
from .shipping.shipment import Shipment


class Follow(Drive):
    """Watches and cancels; sends nothing."""

    async def _open(self) -> None:
        return

    async def work(self) -> tuple[RunPhase, str]:
        """Wait for the cluster to say that the run is over."""
        await asyncio.Event().wait()
        raise AssertionError("unreachable")


class Ended(Drive):
    """A run whose cluster is gone, or that is over."""

    def __init__(self, state: RunState, mailbox: Mailbox) -> None:
        super().__init__(None, state, Shipment({}), mailbox)  # type: ignore[arg-type]  # nothing is asked of it

    async def main(self) -> None:
        """Nothing to do."""
        self.mailbox.end()

    async def cancel(self, why: str) -> None:
        """Nothing to stop."""


def find_run(run: str) -> Run:
    """The run of that id, whoever started it, whenever.

    Raises
    ------
    UnknownRun : nothing is known of it; a near id is suggested.
    ClusterUnreachable : a place that doesn't answer may know it.
    """
    found = Run(portal().call(_drive(run)))
    found.start()
    return found


async def _drive(run: str) -> Drive:
    try:
        state = read_record(run)
    except UnknownRun as unknown:
        state = await _elsewhere(run, unknown)
    if state.phase in FINAL:
        return Ended(state, Mailbox())
    try:
        opened: Session = await session(state.cluster, timeout=10.0)
        view = await opened.link.watch_run(state.id, 0, timeout=0)
    except (ClusterUnreachable, ClusterEnded, NotFound) as error:
        return Ended(await _last_word(state, error), Mailbox())
    return Follow(opened, view.run, Shipment({}), Mailbox())


async def _last_word(state: RunState, silence: MlopsError) -> RunState:
    """What is known of a run whose cluster doesn't answer: how it ended, that it is lost, or what was known before."""
    try:
        backend = await backends.find(state.cluster)
        for known in await backend.runs(state.cluster):
            if known.id == state.id and known.phase in FINAL:
                Copy(state.id).take(known, [])
                return known
        if (await backend.get(state.cluster)).phase not in ("ended", "stopping"):
            return state
    except UnknownCluster:
        pass
    except MlopsError:  # its place doesn't answer either
        return state
    return state.model_copy(update={"phase": "lost", "error": f"RunLost: {silence.what}."})


async def _elsewhere(run: str, unknown: UnknownRun) -> RunState:
    """Clusters in other places keep their runs themselves."""
    for cluster in await backends.clusters():
        if cluster.place == "local":
            continue
        try:
            states = await _runs_of(cluster)
        except MlopsError:
            continue
        for state in states:
            if state.id == run:
                return state
    raise backends.unseen(unknown)


async def _runs_of(cluster: ClusterState) -> list[RunState]:
    """A live cluster knows them better than its place, which is told now and then."""
    if cluster.phase == "running" and "run" in cluster.commands:
        with contextlib.suppress(ClusterUnreachable, ClusterEnded):
            return (await (await session(cluster.name, timeout=10.0)).link.view(workers=False)).runs
    return await backends.get(cluster.place).runs(cluster.name)

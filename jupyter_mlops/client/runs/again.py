"""Repeats a run from its record. The kept input is sent as it is, and nothing of it is unpickled here.

The new run is detached. The caller is the server. Its process has none of the user's code, and this module works on its
event loop; so each call opens a connection of its own to the cluster, and closes it once the cluster has everything.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ... import home
from ...agent import buffers
from ...agent.versions import NAMES
from ...controller.runs.install import enter, resend
from ...controller.runs.results import SMALL
from ...core import naming
from ...core.cluster import ClusterState
from ...core.errors import ClusterEnded, MlopsError, NotRepeatable
from ...core.resources import demanded
from ...core.run import RunState
from ...home.owner import me
from ...home.runs import read_run, run_folder
from ..clusters.choose import usable
from ..clusters.listing import Listing, list_clusters
from ..clusters.session import Session, connect
from ..send.payload import RunPayload, head_bytes, names_dask
from .checkpoints import place_of, places_of
from .execution.items import part, partition, single
from .execution.tasks import Tasks
from .options import OF_SIZES
from .record import read_payload

if TYPE_CHECKING:
    from distributed import Future

#: Tasks that are sent before others get a turn.
_AT_ONCE = 32


def check(run: str) -> None:
    """Raise `UnknownRun`, `Unreadable` or `NotRepeatable` when `run` can't be run again. Only reads files."""
    read_run(run)
    with contextlib.closing(read_payload(run)) as frames:
        next(iter(frames))


@dataclass(frozen=True)
class Repeated:
    """The new run, and one sentence on what differs from the time of the first; empty when nothing does."""

    run: RunState
    note: str


async def again(run: str, cluster: str | None = None) -> Repeated:
    """Send the input of the run `run` once more: to `cluster`, else to the run's own cluster, or, when that one is
    gone, to this user's last one.

    Returns as soon as the new run needs this process no more. The first line that the new run prints says which
    versions differ from the first time.

    Raises
    ------
    UnknownRun, Unreadable, NotRepeatable : nothing is known of it, or its input wasn't kept.
    UnknownCluster, AmbiguousName, UnknownGroup : there is nowhere to run it, or it isn't clear where.
    ClusterEnded, ClusterUnreachable, StartFailed : it can't run there.
    """
    record = await asyncio.to_thread(read_run, run)
    first, *batches = await asyncio.to_thread(list, read_payload(run))
    listing = await list_clusters()
    session = await connect(listing.named(cluster) if cluster else _cluster_of(record, listing), 60.0, only_sends=True)
    try:
        if record.group is not None:
            (await session.backend.spec(session.id)).profile.group(record.group)
        await session.link.ready_for_runs()
        now = await session.packages.versions(record.versions)
        note = since(record.versions, now)
        return Repeated(await _send(session, record.model_copy(update={"versions": now}), first, batches, note), note)
    finally:
        await session.close()


def _cluster_of(record: RunState, listing: Listing) -> ClusterState:
    live = usable(listing)
    own = naming.find(record.ran_on, live) or next((state for state in live if state.mine), None)
    if own is None:
        raise ClusterEnded("There is no cluster to run it on", f"{record.cluster!r} has ended", "Start one first.")
    return own


def since(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """One sentence on the versions that differ between a run's record and the workers that run it again."""
    pairs = [(name, before[name], now[name]) for name in before if name in now]
    other = [(name, old, new) for name, old, new in pairs if old and old != new and "?" not in (old, new)]
    if not other:
        return ""
    changes = [f"{NAMES.get(name, name)} {new} instead of {old}" for name, old, new in other if new]
    changes += [f"no {NAMES.get(name, name)}" for name, _, new in other if not new]
    return f"Run again with {', '.join(changes)}."


async def _send(
    session: Session, record: RunState, first: dict[str, Any], frames: list[dict[str, Any]], note: str
) -> RunState:
    total = sum(frame["n"] for frame in frames) if record.kind == "map" else record.total
    total = record.seats * record.per_worker if record.kind == "gang" else total
    state = await asyncio.to_thread(_prepared, record, session, total)
    if record.kind == "gang":
        state.checkpoints = await place_of(session, state.id, record.options.get("checkpoint"))
    opened = await session.link.open_run(state, session.client.id)
    if not session.backend.writes_home:
        await asyncio.to_thread(run_folder(state.id).write_record, opened)
    try:
        tasks = Tasks(session, state.id, state.group)
        tasks.bigs = await _put(session, first["bigs"], everywhere=record.kind in ("map", "gang"))
        folder = str(run_folder(state.id).result) if state.kept else ""
        small = 0 if state.kept else SMALL
        head = {**first["head"], "run": state.id, "keep": False, "folder": folder, "small": small, "note": note}
        head["seal"] = await asyncio.to_thread(run_folder(state.id).new_key)
        if state.kind == "gang":
            left = [record.checkpoints] if record.checkpoints and record.phase != "done" else []
            head["checkpoints"] = places_of(state, left)
        if names_dask(RunPayload(first["head"], first["bigs"])):
            head["client"] = session.client_keys
        tasks.code = head_bytes(head)
        if frames and "partitions" in frames[0]:
            sender = await _send_partitions(session, tasks, state, frames[0])
            await tasks.plan(state.total, frames[0]["n"])
            sender.release()
        else:
            await tasks.plan(state.total, await _send_parts(tasks, state, frames))
    except BaseException as error:
        with contextlib.suppress(MlopsError):
            await session.link.close_run(state.id, "failed", f"It could not be sent: {error}")
        raise
    return opened


async def _send_parts(tasks: Tasks, state: RunState, batches: list[dict[str, Any]]) -> int:
    """Send the tasks; how many there are."""
    parts = [
        part(index, batch["start"], batch["n"], batch["items"], None)
        for index, batch in enumerate(sorted(batches, key=lambda batch: batch["start"]))
    ]
    if state.kind == "gang":
        return len(tasks.send_seats([single(number) for number in range(state.seats)]))
    parts = parts if state.kind == "map" else [single()]
    for index, packed in enumerate(parts):
        tasks.send(packed, index)
        if index % _AT_ONCE == 0:
            await asyncio.sleep(0)
    return len(parts)


async def _send_partitions(session: Session, tasks: Tasks, state: RunState, frame: dict[str, Any]) -> Future[Any]:
    """Have a worker send the tasks. What is returned holds them."""
    numbers = range(frame["n"])
    sender: Future[Any] = session.client.submit(
        resend,
        enter,
        tasks.code,
        [partition(number) for number in numbers],
        [tasks.key(number) for number in numbers],
        frame["partitions"],
        [str(big.key) for big in tasks.bigs],
        demanded(state.group) if state.group else None,
        session.client_keys,
        key=f"mlops-send-{state.id}",
        pure=False,
    )
    try:
        # what it gave are futures, which belong there: here their number is enough
        sent: Any = session.client.submit(len, sender, key=f"mlops-sent-{state.id}", pure=False)
        await session.result(sent)
    except Exception as error:
        raise NotRepeatable(
            f"The run {state.name!r} can't be run again", f"its Dask collection can't be made anew: {error}"
        ) from error
    return sender


async def _put(session: Session, bigs: list[Any], everywhere: bool) -> list[Future[Any]]:
    client: Any = session.client  # Dask's methods have no types
    sent = [buffers.of_pickle(big[1]) if isinstance(big, tuple) else big for big in bigs]  # as versions before 0.2 did
    return [await client.scatter(big, broadcast=everywhere, hash=False) for big in sent]


def _prepared(record: RunState, session: Session, total: int | None) -> RunState:
    """The new run's state, and its folder with the same input, so that it can be run again, too. Blocks."""
    writes_home = session.backend.writes_home
    state = RunState(
        id=secrets.token_hex(6),
        name=record.name,
        kind=record.kind,
        cluster=session.name,
        cluster_id=session.id,
        group=record.group,
        owner=me(),
        created=time.time(),
        code=record.code,
        digest=record.digest,
        options={name: value for name, value in record.options.items() if name not in OF_SIZES} | {"detach": True},
        variables=record.variables,
        versions=record.versions,
        origin=record.origin,
        detached=True,
        total=total,
        kept=writes_home,
    )
    folder = run_folder(state.id).make()
    if writes_home:
        home.private(folder.result)
    with home.guarded(folder.path):
        shutil.copyfile(run_folder(record.id).payload, folder.payload)
    return state

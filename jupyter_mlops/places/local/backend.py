"""The local place: what the upper layers call. Holds nothing: the folders are the truth."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import shutil
import time
from typing import ClassVar

from ...controller.link import Link
from ...core.base import Time
from ...core.cluster import ClusterSpec, ClusterState, EndCause, Event, Problem, Receipt, Sample, groups_asked
from ...core.errors import (
    ClusterEnded,
    ClusterUnreachable,
    Conflict,
    InvalidSpec,
    MlopsError,
    StartFailed,
    UnknownWorker,
)
from ...core.profile import Place, Profile
from ...core.run import RunState
from ...core.words import size
from ..base import Address, Backend
from . import machine, processes, remains, store
from .folder import Folder
from .launch import launch
from .record import write_record
from .shipped import profiles_for
from .store import Entry
from .tls import security

#: Seconds between two looks at a record that is waited for.
_LOOK = 0.01


class LocalBackend(Backend):
    """Clusters of processes on this machine."""

    place: ClassVar[Place] = "local"
    title: ClassVar[str] = "this machine"
    writes_home: ClassVar[bool] = True
    direct_workers: ClassVar[bool] = True

    def shipped_profiles(self) -> list[Profile]:
        """As in `Backend`: sized for this machine, or the part of it that this process may use."""
        return profiles_for(machine.cpus(), machine.memory())

    def free_name(self, base: str) -> str:
        """As in `Backend`, with a number when `base` is on record: nobody else's clusters are there."""
        return store.free_name(base)

    async def check(self, profile: Profile) -> None:
        """As in `Backend`."""
        await super().check(profile)
        most = machine.memory()
        for group in profile.groups:
            if group.gpus:
                raise InvalidSpec(
                    f"Group {group.name!r} asks for GPUs", "this machine's place has none to give out", "Set gpus to 0."
                )
            if group.memory > most:
                raise InvalidSpec(
                    f"Group {group.name!r} asks for {size(group.memory)} of memory a worker",
                    f"this machine has {size(most)}",
                    "Ask for less.",
                )

    async def start(self, spec: ClusterSpec) -> ClusterState:
        """As in `Backend`."""
        await self.check(spec.profile)
        return await asyncio.to_thread(_start, spec)

    async def clusters(self) -> list[ClusterState]:
        """As in `Backend`. Places of other packages that are made of this one keep theirs in the same folder."""
        states = await asyncio.to_thread(lambda: [_state(entry) for entry in store.entries()])
        here = [state for state in states if state.place == self.place]
        return sorted(here, key=lambda state: state.created, reverse=True)

    async def get(self, name: str) -> ClusterState:
        """As in `Backend`."""
        return await asyncio.to_thread(lambda: _state(store.entry(name)))

    async def spec(self, name: str) -> ClusterSpec:
        """As in `Backend`."""
        return (await self._entry(name)).spec

    async def address(self, name: str, timeout: float = 30.0) -> Address:
        """As in `Backend`."""
        deadline = time.monotonic() + timeout
        entry = await self._entry(name)
        while True:
            if entry.receipt is not None:
                raise _ended(entry)
            record = entry.record
            if record is not None and not record.here:
                raise ClusterUnreachable(
                    f"Cluster {name!r} can't be reached from here", f"it runs on the machine {record.host}"
                )
            if record is not None and record.phase == "running":
                return Address(record.address, security(entry.folder.path))
            if time.monotonic() > deadline:
                raise ClusterUnreachable(
                    f"Cluster {name!r} isn't ready", f"its scheduler did not start within {timeout:.0f} s"
                )
            await asyncio.sleep(_LOOK)
            entry = await self._entry(name)

    async def link(self, name: str, timeout: float = 30.0) -> Link:
        """As in `Backend`."""
        from ...controller.remote import open_link

        address = await self.address(name, timeout)
        return await open_link(address.url, address.security)

    async def end(self, name: str, cause: str, why: str) -> None:
        """As in `Backend`."""
        entry = await self._entry(name)
        await asyncio.to_thread(_end, entry.folder, cause, why)

    async def forget(self, name: str) -> None:
        """As in `Backend`."""
        entry = await self._entry(name)
        if entry.live:
            raise Conflict(f"Cluster {name!r} is alive", todo="Stop it first.")
        await asyncio.to_thread(shutil.rmtree, entry.folder.path, ignore_errors=True)

    async def receipt(self, name: str) -> Receipt | None:
        """As in `Backend`."""
        return (await self._entry(name)).receipt

    async def events(self, name: str) -> list[Event]:
        """As in `Backend`."""
        folder = (await self._entry(name)).folder
        return await asyncio.to_thread(folder.lines, "events.jsonl", Event)

    async def timeline(self, name: str, since: Time = 0) -> list[Sample]:
        """As in `Backend`."""
        folder = (await self._entry(name)).folder
        samples = await asyncio.to_thread(folder.lines, "timeline.jsonl", Sample)
        return [sample for sample in samples if sample.time > since]

    async def runs(self, name: str) -> list[RunState]:
        """As in `Backend`."""
        folder = (await self._entry(name)).folder
        states = await asyncio.to_thread(folder.lines, "runs.jsonl", RunState)
        return list({state.id: state for state in states}.values())

    async def logs(self, name: str, worker: str | None = None, lines: int = 200) -> list[str]:
        """As in `Backend`. Raises `UnknownWorker`, too."""
        folder = (await self._entry(name)).folder
        found = await asyncio.to_thread(folder.log, worker, lines)
        if found is None and worker is not None:
            raise UnknownWorker.named(worker, folder.workers())
        return found or []

    async def _entry(self, name: str) -> Entry:
        return await asyncio.to_thread(store.entry, name)


def _start(spec: ClusterSpec) -> ClusterState:
    folder = store.create(spec)
    try:
        launch(folder, spec)
    except MlopsError:
        shutil.rmtree(folder.path, ignore_errors=True)
        raise
    return _state(Entry(folder, spec, folder.record(), None))


def _end(folder: Folder, cause: str, why: str) -> None:
    """End a cluster by its processes, and write its end."""
    record = folder.record()
    if record is not None:
        if not record.here:
            raise ClusterUnreachable(
                f"Cluster {folder.name!r} can't be stopped from here", f"it runs on the machine {record.host}"
            )
        if processes.alive(record.scheduler):
            assert record.scheduler is not None
            processes.kill(record.scheduler.pid)
        folder.release()
        with contextlib.suppress(MlopsError):  # a full disk: the cause is lost, the end isn't
            write_record(folder.record_file, dataclasses.replace(record, phase="stopping", cause=cause, why=why))
        processes.kill_cluster(record.mark, record.scheduler)
    store.settle(folder)


def _ended(entry: Entry) -> MlopsError:
    assert entry.receipt is not None
    if entry.receipt.cause == "failed":
        tail = "\n".join(entry.folder.log(None, 10) or [])
        return StartFailed(f"Cluster {entry.spec.name!r} could not be started", f"{entry.receipt.why}\n{tail}")
    why = f": {entry.receipt.why}" if entry.receipt.why else ""
    return ClusterEnded(
        f"Cluster {entry.spec.name!r} has ended", f"{entry.receipt.cause}{why}", "Start a new one, by the same profile."
    )


def _state(entry: Entry) -> ClusterState:
    """What a card shows, as far as records tell; a link knows more of a live one."""
    spec, record, receipt = entry.spec, entry.record, entry.receipt
    state = ClusterState(
        name=spec.name,
        place=spec.profile.place,
        profile=spec.profile.name,
        owner=spec.owner,
        maker=spec.maker,
        phase="starting",
        created=spec.created,
        started=record.started if record else None,
        limits=spec.profile.limits,
    )
    if receipt is not None:
        ending: dict[str, object] = {"phase": "stopping"} if entry.live else {}
        return state.model_copy(update=_end_of(receipt) | ending)
    assert record is not None
    cost = remains.cost_now(entry.folder, spec, time.time())
    state = state.model_copy(update={"groups": groups_asked(spec), "cost": cost})
    if not record.here:
        problem = Problem(what="It can't be reached from here", why=f"it runs on the machine {record.host}")
        return state.model_copy(update={"phase": "unreachable", "problem": problem, "commands": []})
    return state.model_copy(update={"phase": "stopping" if record.phase == "ended" else record.phase})


def _end_of(receipt: Receipt) -> dict[str, object]:
    cause: EndCause = receipt.cause
    problem = None
    if cause in ("failed", "killed", "machine restarted"):
        problem = Problem(what=f"Ended: {cause}", why=receipt.why)
    return {
        "phase": "ended",
        "ended": receipt.ended,
        "cause": cause,
        "cost": receipt.cost,
        "problem": problem,
        "commands": [],
    }

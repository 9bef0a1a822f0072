"""The local place: what the upper layers call. Holds nothing: the folders are the truth."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import shutil
import time
from typing import ClassVar

from ...controller.link import Link
from ...core.base import Time, read_word
from ...core.cluster import (
    ClusterPhase,
    ClusterSpec,
    ClusterState,
    EndCause,
    Event,
    Problem,
    Receipt,
    Sample,
    groups_asked,
)
from ...core.errors import (
    ClusterEnded,
    ClusterUnreachable,
    Conflict,
    InvalidSpec,
    MlopsError,
    StartFailed,
    UnknownWorker,
    Unreadable,
)
from ...core.profile import Place, Profile
from ...core.run import RunState
from ...core.words import size
from ...home.clusters import EVENTS, RECEIPT, RECORD, RUNS, SPEC, TIMELINE
from ..base import Address, Backend
from . import machine, processes, remains, store
from .folder import Folder
from .launch import launch
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
        entry = await self._entry(name)
        if entry.spec is None:
            raise entry.faults[SPEC]
        return entry.spec

    async def address(self, name: str, timeout: float = 30.0) -> Address:
        """As in `Backend`."""
        deadline = time.monotonic() + timeout
        entry = await self._entry(name)
        while True:
            if entry.ended:
                raise _ended(entry)
            record = entry.record
            if record is None:
                fault = entry.faults[RECORD]
                raise ClusterUnreachable(f"Cluster {name!r} can't be reached", f"{fault.what}: {fault.why}", fault.todo)
            if not record.here:
                raise ClusterUnreachable(
                    f"Cluster {name!r} can't be reached from here", f"it runs on the machine {record.host}"
                )
            if record.phase == "running":
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
        await asyncio.to_thread(_end, entry.folder, read_word(EndCause, cause), why)

    async def forget(self, name: str) -> None:
        """As in `Backend`."""
        entry = await self._entry(name)
        if entry.live:
            raise Conflict(f"Cluster {name!r} is alive", todo="Stop it first.")
        await asyncio.to_thread(shutil.rmtree, entry.folder.path, ignore_errors=True)

    async def receipt(self, name: str) -> Receipt | None:
        """As in `Backend`."""
        entry = await self._entry(name)
        if RECEIPT in entry.faults:
            raise entry.faults[RECEIPT]
        return entry.receipt

    async def events(self, name: str) -> list[Event]:
        """As in `Backend`."""
        folder = (await self._entry(name)).folder
        return await asyncio.to_thread(folder.lines, EVENTS, Event)

    async def timeline(self, name: str, since: Time = 0) -> list[Sample]:
        """As in `Backend`."""
        folder = (await self._entry(name)).folder
        samples = await asyncio.to_thread(folder.lines, TIMELINE, Sample)
        return [sample for sample in samples if sample.time > since]

    async def runs(self, name: str) -> list[RunState]:
        """As in `Backend`."""
        folder = (await self._entry(name)).folder
        states = await asyncio.to_thread(folder.lines, RUNS, RunState)
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
    return _state(Entry(folder, spec, folder.record(), None, True, {}))


def _end(folder: Folder, cause: EndCause, why: str) -> None:
    """End a cluster by its processes, and write its end."""
    try:
        record = folder.record()
    except Unreadable as fault:
        _end_unread(folder, fault)
        store.settle(folder, cause, why)
        return
    if not record.here:
        raise ClusterUnreachable(
            f"Cluster {folder.name!r} can't be stopped from here", f"it runs on the machine {record.host}"
        )
    if processes.alive(record.scheduler):
        assert record.scheduler is not None
        processes.kill(record.scheduler.pid)
    folder.release()
    with contextlib.suppress(MlopsError):  # a full disk: the cause is lost, the end isn't
        folder.write_record(dataclasses.replace(record, phase="stopping", cause=cause, why=why))
    processes.kill_cluster(record.mark, record.scheduler)
    store.settle(folder)


def _end_unread(folder: Folder, fault: Unreadable) -> None:
    """End the processes of a cluster whose record can't say which they are: their arguments name its folder."""
    found = processes.of_folder(folder.path)
    if not found:
        raise ClusterUnreachable(
            f"Cluster {folder.name!r} can't be stopped from here",
            f"{fault.what}: {fault.why}; and no process of it runs on this machine",
            "If it runs on another machine, stop it there.",
        )
    for mark in {processes.mark_of(pid) for pid in found} - {""}:
        processes.kill_cluster(mark)
    for pid in found:
        processes.kill(pid)


def _ended(entry: Entry) -> MlopsError:
    name, receipt = entry.folder.name, entry.receipt
    if receipt is None:
        return ClusterEnded(f"Cluster {name!r} has ended", str(entry.fault or ""), "Start a new one.")
    if receipt.cause == "failed":
        tail = "\n".join(entry.folder.log(None, 10) or [])
        return StartFailed(f"Cluster {name!r} could not be started", f"{receipt.why}\n{tail}")
    why = f": {receipt.why}" if receipt.why else ""
    return ClusterEnded(f"Cluster {name!r} has ended", f"{receipt.cause}{why}", "Start a new one, by the same profile.")


def _state(entry: Entry) -> ClusterState:
    """What a card shows, as far as records tell; a link knows more of a live one."""
    state = _asked(entry)
    if entry.record is not None:
        state.started = entry.record.started
    if entry.fault is not None:
        state.unreadable = True
        state.problem = Problem(what=entry.fault.what, why=entry.fault.why, todo=entry.fault.todo)
    if entry.ended:
        return state.model_copy(update=_end_of(entry) | ({"phase": "stopping"} if entry.live else {}))
    if entry.spec is not None:
        state.groups, state.cost = groups_asked(entry.spec), remains.cost_now(entry.folder, entry.spec, time.time())
    if entry.record is None:
        return state.model_copy(update={"phase": "unreachable", "commands": ["stop"]})
    if not entry.record.here:
        problem = Problem(what="It can't be reached from here", why=f"it runs on the machine {entry.record.host}")
        return state.model_copy(update={"phase": "unreachable", "problem": problem, "commands": []})
    phase = read_word(ClusterPhase, entry.record.phase)
    return state.model_copy(update={"phase": "stopping" if phase == "ended" else phase})


def _asked(entry: Entry) -> ClusterState:
    """What was asked for: of the spec, else of the receipt, else what the folder tells."""
    if entry.spec is not None:
        spec = entry.spec
        return ClusterState(
            name=spec.name,
            place=spec.profile.place,
            profile=spec.profile.name,
            owner=spec.owner,
            maker=spec.maker,
            phase="starting",
            created=spec.created,
            limits=spec.profile.limits,
        )
    if entry.receipt is not None:
        told = entry.receipt
        return ClusterState(
            name=told.name,
            place=told.place,
            profile=told.profile,
            owner=told.owner,
            phase="starting",
            created=told.created,
        )
    return ClusterState(
        name=entry.folder.name,
        place=LocalBackend.place,
        profile="",
        owner="",
        phase="starting",
        created=entry.folder.made,
    )


def _end_of(entry: Entry) -> dict[str, object]:
    receipt = entry.receipt
    if receipt is None:
        return {"phase": "ended", "ended": entry.folder.heartbeat(), "cause": "other", "commands": []}
    end: dict[str, object] = {
        "phase": "ended",
        "ended": receipt.ended,
        "cause": receipt.cause,
        "cost": receipt.cost,
        "commands": [],
    }
    if entry.fault is None and receipt.cause in ("failed", "killed", "machine restarted", "other"):
        end["problem"] = Problem(what=f"Ended: {receipt.cause}", why=receipt.why)
    return end

"""The local place: what the upper layers call. Holds nothing: the folders are the truth."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import shutil
import time
from typing import ClassVar

from ...controller.link import Link
from ...controller.roles import CLIENT
from ...core.account import AccountStore
from ...core.base import Time, read_word, sentence_of
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
    Fault,
    InvalidSpec,
    MlopsError,
    StartFailed,
    UnknownWorker,
    Unreadable,
)
from ...core.naming import ClusterName, unknown
from ...core.profile import Place, Profile
from ...core.run import RunState
from ...core.words import about
from ...home import machine
from ...home.accounts import AccountsFile
from ...home.clusters import EVENTS, RECEIPT, RECORD, RUNS, SPEC, TIMELINE
from ...home.owner import me
from ..base import Address, Backend
from . import processes, remains, store
from .folder import Folder
from .hosting import LocalHosting
from .launch import launch
from .room import crowded, too_much
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

    def hosting(self) -> LocalHosting:
        """As in `Backend`."""
        return LocalHosting()

    def shipped_profiles(self) -> list[Profile]:
        """As in `Backend`: sized for this machine, or the part of it that this process may use."""
        return profiles_for(machine.cpus(), machine.memory())

    def free_name(self, base: str) -> str:
        """As in `Backend`, with a number when `base` is on record: nobody else's clusters are there."""
        return store.free_name(base)

    async def check(self, profile: Profile) -> None:
        """As in `Backend`."""
        await super().check(profile)
        if faults := too_much(profile, machine.memory()):
            raise InvalidSpec(
                f"This machine can't have the workers of {profile.name!r}", sentence_of(faults), "Ask for less.", faults
            )

    def doubts(self, profile: Profile) -> list[Fault]:
        """As in `Backend`: what would be refused here, and what the workers don't have for themselves."""
        return too_much(profile, machine.memory()) or crowded(profile, machine.cpus(), machine.memory())

    async def accounts(self, profile: Profile | None = None) -> AccountStore | None:
        """As in `Backend`: in the home folder."""
        return AccountsFile()

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
        return await asyncio.to_thread(lambda: _state(_named(name)))

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
            if record is None or not entry.here:
                problem = _away(entry)
                raise ClusterUnreachable(f"Cluster {name!r} can't be reached", problem.words, problem.todo)
            if record.phase == "running":
                return Address(record.address, security(entry.folder.path, CLIENT))
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
        try:
            await asyncio.to_thread(_end, entry, read_word(EndCause, cause), why)
        except OSError as error:
            why = error.strerror or str(error)
            raise ClusterUnreachable(f"Cluster {name!r} can't be stopped now", why, "Try again.") from error

    async def forget(self, name: str) -> None:
        """As in `Backend`."""
        entry = await self._entry(name)
        if entry.life == "alive":
            raise Conflict(f"Cluster {name!r} is alive", todo="Stop it first.")
        if not entry.ended:
            raise Conflict(f"Cluster {name!r} may be alive", _away(entry).why, "Stop it first.")
        await asyncio.to_thread(store.throw_away, entry)

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
        return await asyncio.to_thread(_named, name)


def _named(text: str) -> Entry:
    """The cluster that `text` means; raises `UnknownCluster`, also when another one has its name now."""
    asked = ClusterName.of(text)
    entry = store.entry(asked.name)
    state = _asked(entry)
    if not asked.means(state.id):
        raise unknown(text, [state])
    return entry


def _start(spec: ClusterSpec) -> ClusterState:
    folder = store.create(spec)
    try:
        launch(folder, spec)
    except MlopsError:
        shutil.rmtree(folder.path, ignore_errors=True)
        raise
    return _state(Entry(folder, spec, folder.record(), None, "alive", {}))


def _end(entry: Entry, cause: EndCause, why: str) -> None:
    """End a cluster by its processes, and write its end."""
    folder, record = entry.folder, entry.record
    if record is None and _kill_unread(folder):
        store.settle(folder, cause, why)
    elif record is None or record.distance != "here":
        _end_on_paper(entry, cause, why)
    else:
        if processes.alive(record.scheduler):
            assert record.scheduler is not None
            processes.kill(record.scheduler.pid)
        folder.release()
        with contextlib.suppress(MlopsError):  # a full disk: the cause is lost, the end isn't
            folder.write_record(dataclasses.replace(record, phase="stopping", cause=cause, why=why))
        processes.kill_cluster(record.mark, record.scheduler)
        store.settle(folder)


def _kill_unread(folder: Folder) -> bool:
    """End the processes of a cluster whose record can't say which they are: their arguments name its folder. False when
    there are none."""
    found = processes.of_folder(folder.path)
    for mark in {processes.mark_of(pid) for pid in found} - {""}:
        processes.kill_cluster(mark)
    for pid in found:
        processes.kill(pid)
    return bool(found)


def _end_on_paper(entry: Entry, cause: EndCause, why: str) -> None:
    """Write the end of a cluster whose processes can't be seen from here, because a person says so, and it gives no
    sign of life that would say otherwise. Should it live all the same, its scheduler finds that end, and ends."""
    folder = entry.folder
    if entry.life == "alive" or not store.is_silent(folder):
        problem = _away(entry)
        raise ClusterUnreachable(f"Cluster {folder.name!r} can't be stopped from here", problem.words, problem.todo)
    store.settle(folder, cause, why or "it gave no sign of life any more", folder.heartbeat())


def _away(entry: Entry) -> Problem:
    """Why a cluster that has not ended can't be reached from here."""
    fault, record = entry.faults.get(RECORD), entry.record
    if record is None:
        what, why = (fault.what, fault.why) if fault is not None else ("Its record can't be read", "")
        todo = fault.todo if fault is not None else ""
    elif record.distance == "here":
        what, why, todo = "It can't be seen whether it lives", "its processes are closed to us", ""
    else:
        what, todo = "It can't be reached from here", "Use and stop it there."
        other = record.distance == "beside"
        why = "it runs in another container on this machine" if other else f"it runs on the machine {record.host}"
    if entry.life == "unknown" and entry.silence > store.SILENT:
        why = f"{why}; it has given no sign of life for {about(entry.silence)}"
        todo = f"{todo} If it lives no more, stop it here by its name: its end is written then.".strip()
    return Problem(what=what, why=why, todo=todo)


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
        return state.model_copy(update=_end_of(entry) | ({"phase": "stopping"} if entry.life == "alive" else {}))
    silent = entry.life == "unknown" and entry.silence > store.SILENT
    if entry.spec is not None:
        until = time.time() - (entry.silence if silent else 0)
        state.groups, state.cost = groups_asked(entry.spec), remains.cost_now(entry.folder, entry.spec, until)
    if entry.record is None or not entry.here or entry.life == "unknown":
        stoppable = silent or entry.record is None
        update: dict[str, object] = {"phase": "unreachable", "commands": ["stop"] if stoppable else []}
        if not set(entry.faults) - {RECORD}:  # what else of its files can't be read is said first
            update["problem"] = _away(entry)
        return state.model_copy(update=update)
    phase = read_word(ClusterPhase, entry.record.phase)
    return state.model_copy(update={"phase": "stopping" if phase == "ended" else phase})


def _asked(entry: Entry) -> ClusterState:
    """What was asked for: of the spec, else of the receipt, else what the folder tells.

    All of it is this user's, whose home nobody else can write to: a hub may know the same person by another name.
    """
    if entry.spec is not None:
        spec = entry.spec
        return ClusterState(
            name=spec.name,
            place=spec.profile.place,
            profile=spec.profile.name,
            owner=spec.owner,
            mine=True,
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
            mine=True,
            phase="starting",
            created=told.created,
        )
    return ClusterState(
        name=entry.folder.name,
        place=LocalBackend.place,
        profile="",
        owner=me(),
        mine=True,
        phase="starting",
        created=(entry.record.created if entry.record is not None else None) or entry.folder.made,
    )


def _end_of(entry: Entry) -> dict[str, object]:
    receipt = entry.receipt
    if receipt is None:
        ended = None
        with contextlib.suppress(Unreadable):
            ended = entry.folder.heartbeat()
        return {"phase": "ended", "ended": ended, "cause": "other", "commands": []}
    end: dict[str, object] = {
        "phase": "ended",
        "ended": receipt.ended,
        "cause": receipt.cause,
        "cost": receipt.cost,
        "spend": receipt.spend,
        "commands": [],
    }
    if entry.fault is None and receipt.cause in ("failed", "killed", "machine restarted", "other"):
        end["problem"] = Problem(what=f"Ended: {receipt.cause}", why=receipt.why)
    return end

"""Services on this machine: a detached router process for each, which has its replicas as children."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ...core.alert import ServiceWatch
from ...core.base import Seconds, Time
from ...core.callers import CallerDay, callers_now
from ...core.cluster import Problem
from ...core.errors import Conflict, MlopsError, Unavailable, UnknownService, Unreadable
from ...core.label import JoinedLabels
from ...core.performance import Performance
from ...core.service import PATIENCE, ServiceSpec, ServiceState, unreadable_service
from ...core.traffic import TrafficMinute
from ...core.window import Window
from ...home.owner import me
from ...home.request_files import LoggedPieces
from ...home.services import ServiceFolder, service_folder, service_folders
from ..hosting import Hosting
from . import routers

#: Seconds that the record of a service which stopped is kept.
_KEPT = 7 * 24 * 3600.0

#: Seconds that a router has to end by itself, beside its patience with requests.
_ENDING: Seconds = 30.0


class LocalHosting(Hosting):
    """Services of processes on this machine. Holds nothing: the folders are the truth."""

    logs_requests = True
    tells_alarms = True

    async def deploy(self, spec: ServiceSpec) -> ServiceState:
        """As in `Hosting`."""
        return await asyncio.to_thread(_deploy, spec)

    async def change(self, name: str, change: Callable[[ServiceSpec], ServiceSpec], expected: str = "") -> ServiceSpec:
        """As in `Hosting`."""
        return await asyncio.to_thread(_change, name, change, expected)

    async def services(self) -> list[ServiceState]:
        """As in `Hosting`."""
        return await asyncio.to_thread(_all)

    async def get(self, name: str) -> ServiceState:
        """As in `Hosting`."""
        return await asyncio.to_thread(lambda: _state(_named(name)))

    async def spec(self, name: str) -> ServiceSpec:
        """As in `Hosting`."""
        return await asyncio.to_thread(lambda: _named(name).spec())

    async def withdraw(self, spec: ServiceSpec) -> None:
        """As in `Hosting`: its router does so by itself."""

    async def stop(self, name: str) -> None:
        """As in `Hosting`."""
        await asyncio.to_thread(_stop, name)

    async def forget(self, name: str) -> None:
        """As in `Hosting`."""
        await asyncio.to_thread(_forget, name)

    async def own_token(self, name: str) -> str:
        """As in `Hosting`."""
        return await asyncio.to_thread(lambda: _named(name).own_token(me()))

    async def let_in(self, name: str, caller: str) -> str:
        """As in `Hosting`."""
        return await asyncio.to_thread(lambda: _named(name).let_in(caller))

    async def shut_out(self, name: str, caller: str) -> bool:
        """As in `Hosting`."""
        return await asyncio.to_thread(lambda: _named(name).shut_out(caller))

    async def callers(self, name: str) -> list[str]:
        """As in `Hosting`."""
        return await asyncio.to_thread(lambda: [each.name for each in _named(name).callers().callers])

    async def usage(self, name: str) -> list[CallerDay]:
        """As in `Hosting`."""
        return await asyncio.to_thread(_usage, _named(name))

    async def traffic(self, name: str, since: Time) -> list[TrafficMinute]:
        """As in `Hosting`."""
        return await asyncio.to_thread(lambda: _named(name).traffic.since(since, time.time()))

    async def watch(self, name: str) -> ServiceWatch | None:
        """As in `Hosting`."""
        return await asyncio.to_thread(lambda: _named(name).watch())

    async def keep(self) -> None:
        """As in `Hosting`: routers do so."""

    async def windows(self, name: str) -> list[Window]:
        """As in `Hosting`."""
        return await asyncio.to_thread(lambda: _named(name).windows())

    async def performance(self, name: str) -> Performance | None:
        """As in `Hosting`."""
        return await asyncio.to_thread(lambda: _named(name).performance())

    async def new_rows(self, name: str, since: Time) -> int:
        """As in `Hosting`."""
        return await asyncio.to_thread(lambda: _named(name).requests.new_rows(since))

    async def label(self, name: str, pairs: Iterable[tuple[str, object]]) -> JoinedLabels:
        """As in `Hosting`."""
        return await asyncio.to_thread(_label, name, pairs)

    async def requests(self, name: str, since: Time) -> list[dict[str, Any]]:
        """As in `Hosting`."""
        return await asyncio.to_thread(lambda: _named(name).requests.rows(since))

    async def logged(self, name: str, since: Time) -> LoggedPieces:
        """As in `Hosting`."""
        return await asyncio.to_thread(lambda: _named(name).requests.logged(since))

    async def forget_key(self, name: str, key: str) -> int:
        """As in `Hosting`."""
        return await asyncio.to_thread(_forget_key, name, key)

    async def logs(self, name: str, lines: int = 200) -> list[str]:
        """As in `Hosting`."""
        return await asyncio.to_thread(lambda: _named(name).log(lines))


def _named(name: str) -> ServiceFolder:
    known = {folder.name: folder for folder in service_folders()}
    if name not in known:
        raise UnknownService.named(str(name), known)
    return known[name]


@contextlib.contextmanager
def _held(name: str) -> Iterator[ServiceFolder]:
    """The folder of a service that nobody else changes meanwhile, or removes."""
    with _named(name).locked():
        yield _named(name)


def _usage(folder: ServiceFolder) -> list[CallerDay]:
    now = time.time()
    return callers_now([each.name for each in folder.callers().callers], folder.usage.days(now), now)


def _all() -> list[ServiceState]:
    found = []
    for folder in service_folders():
        state = _state(folder)
        if not (_is_old(state) and _thrown_away(folder)):
            found.append(state)
    return found


def _is_old(state: ServiceState) -> bool:
    return state.phase == "stopped" and state.since < time.time() - _KEPT


def _thrown_away(folder: ServiceFolder) -> bool:
    """Whether one that stopped long ago is gone now; not while somebody deploys it anew."""
    with contextlib.suppress(MlopsError), folder.locked(wait=False):
        if _is_old(_state(folder)):
            shutil.rmtree(folder.path, ignore_errors=True)
            return True
    return False


def _deploy(spec: ServiceSpec) -> ServiceState:
    folder = service_folder(spec.name)
    with folder.locked():
        before = _state(folder) if folder.router_file.exists() else None
        if before is not None and before.phase in ("unreachable", "stopping"):
            raise _closed(before)
        live = before is not None and before.live
        if before is not None and live and before.model != spec.model:
            why = f"it serves the model {before.model!r}"
            raise Conflict(f"There is a service {spec.name!r} already", why, "Choose another name, or stop it first.")
        port = _port_of(before) or _port_before(folder)
        if live and spec.port not in (None, port):
            raise Conflict(
                f"The service {spec.name!r} has the port {port}", "it can't change while it lives", "Stop it."
            )
        created = spec.created if before is None else before.created or spec.created
        spec = spec.model_copy(update={"port": spec.port or port, "created": created})
        folder.write_spec(spec)
        if not live:
            if before is not None and before.phase == "dead":
                # A replica may be stuck; by the next mark nobody would find it.
                routers.end(routers.record_of(folder), 0.0)
            first = ServiceState(name=spec.name, model=spec.model, owner=spec.owner, created=spec.created)
            folder.write_state(first.model_copy(update={"since": time.time(), "coming": spec.version}))
            routers.launch(folder)
    return _state(folder)


def _change(name: str, change: Callable[[ServiceSpec], ServiceSpec], expected: str) -> ServiceSpec:
    with _held(name) as folder:
        state, spec = _state(folder), folder.spec()
        if not state.live:
            raise _closed(state)
        if expected and spec.revision != expected:
            raise Conflict(
                f"The service {name!r} isn't changed",
                "somebody has wanted something else since",
                "Look, and ask again.",
            )
        changed = change(spec)
        folder.write_spec(changed)
    return changed


def _port_of(state: ServiceState | None) -> int | None:
    port = state.address.rpartition(":")[2] if state is not None else ""
    return int(port) if port.isdigit() else None


def _port_before(folder: ServiceFolder) -> int | None:
    """The port that was wanted last: a router that couldn't have it has no address."""
    try:
        return folder.spec().port
    except (FileNotFoundError, Unreadable):
        return None


def _closed(state: ServiceState) -> Unavailable:
    problem = state.problem or Problem(what=f"The service {state.name!r} is {state.phase}", todo="Try again.")
    return Unavailable(f"The service {state.name!r} can't be changed now", problem.words, problem.todo)


def _state(folder: ServiceFolder) -> ServiceState:
    """What its router wrote, as far as its process is seen to be there."""
    try:
        state, record = folder.state(), routers.record_of(folder)
    except Unreadable as fault:
        return unreadable_service(folder.name, fault)
    state = state or ServiceState(name=folder.name, since=time.time())
    with contextlib.suppress(FileNotFoundError, Unreadable):
        state = state.model_copy(update={"wanted": folder.spec().revision})
    try:
        alive = record.distance == "here" and record.alive
    except OSError as error:
        return _out_of_sight(state, error.strerror or str(error))
    if record.distance in ("beside", "elsewhere"):
        place = (
            "in another container of this machine" if record.distance == "beside" else f"on the machine {record.host}"
        )
        return _out_of_sight(state, f"it runs {place}")
    if alive:
        old = folder.state_is_of()
        state = state if old is None else state.model_copy(update={"unkept": _old(folder, old)})
        return state.model_copy(update={"phase": "stopping"}) if state.phase == "stopped" else state
    if state.phase == "stopped":
        return state
    why = "the machine was started again" if record.distance == "before" else _last_words(folder)
    problem = Problem(
        what=f"The service {folder.name!r} is dead: its router is gone without having been stopped",
        why=why,
        todo="Deploy it again, which keeps its address and callers, or stop it.",
    )
    return state.model_copy(update={"phase": "dead", "problem": problem, "replicas": [], "rate": 0.0, "coming": 0})


def _old(folder: ServiceFolder, since: Time) -> Problem:
    at = time.strftime("%H:%M:%S", time.localtime(since))
    return Problem(
        what=f"What {folder.name} is can't be written",
        why=f"the disk of {folder.path} is full, or refuses it: what is said of it here is of {at}",
        todo="Free some space there. It answers all the same, and writes what it holds when it can.",
    )


def _last_words(folder: ServiceFolder) -> str:
    """What its log ends with, for one that was told there why it ends."""
    lines = [line.removeprefix("router: ") for line in folder.log(1) if line.startswith("router: ")]
    return f"its log ends with {lines[0]!r}" if lines else ""


def _out_of_sight(state: ServiceState, why: str) -> ServiceState:
    problem = Problem(
        what=f"The service {state.name!r} can't be seen from here", why=why, todo="Use and stop it there."
    )
    return state.model_copy(update={"phase": "unreachable", "problem": problem})


def _stop(name: str) -> None:
    with _held(name) as folder:
        state = _state(folder)
        if state.phase == "stopped":
            return
        if state.phase == "unreachable":
            raise _closed(state)
        record = routers.record_of(folder)
        try:
            routers.end(record, _patience(folder))
        except OSError as error:
            raise Unavailable(f"The service {name!r} can't be stopped now", error.strerror or str(error), "") from error
        left = folder.state() or state
        ended = left.model_copy(
            update={
                "phase": "stopped",
                "since": time.time(),
                "replicas": [],
                "version": 0,
                "coming": 0,
                "problem": None,
                "alarm": None,
                "unkept": None,
                "candidate": None,
            }
        )
        with contextlib.suppress(MlopsError):  # a full disk: it is gone all the same, and said to be dead
            folder.write_state(ended)
        with contextlib.suppress(MlopsError, FileNotFoundError):
            spec = folder.spec()
            if spec.candidate is not None:  # what was tried isn't when it is deployed again
                folder.write_spec(spec.model_copy(update={"candidate": None}))


def _patience(folder: ServiceFolder) -> Seconds:
    """Seconds that its router may need to answer what it was asked, and to end."""
    try:
        return folder.spec().patience + _ENDING
    except (FileNotFoundError, Unreadable):
        return PATIENCE + _ENDING


def _label(name: str, pairs: Iterable[tuple[str, object]]) -> JoinedLabels:
    """Join labels. What comes of them a router sees by itself; one that has stopped doesn't."""
    folder = _named(name)
    spec = folder.spec()
    joined = folder.requests.label(pairs, spec.log, time.time())
    if joined.new or joined.changed:
        folder.measure(spec)
    return joined


def _forget_key(name: str, key: str) -> int:
    folder = _named(name)
    if not folder.requests.exists():
        return 0
    number = folder.requests.forget(key, time.time())
    folder.measure(folder.spec())
    return number


def _forget(name: str) -> None:
    with _held(name) as folder:
        if _state(folder).phase not in ("stopped", "dead"):
            raise Conflict(f"The service {name!r} lives", "", "Stop it first.")
        shutil.rmtree(folder.path, ignore_errors=True)

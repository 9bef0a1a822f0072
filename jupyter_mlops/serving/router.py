"""The program that is a service: `python -m jupyter_mlops.serving.router FOLDER`.

It has the address, and replicas of the version that is wanted. What is wanted stands in the service's folder, and may
change: then replicas of the other version are started beside the old ones, and take over when they are ready. It holds
no model and loads none, so that what a version does can't reach the callers' tokens.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import psutil
from tornado.netutil import bind_sockets

from ..core.alert import ServiceWatch
from ..core.base import Seconds
from ..core.cluster import Problem
from ..core.errors import Conflict, MlopsError, Refused, StartFailed, Unavailable, Unreadable
from ..core.model import ModelVersion
from ..core.service import CallerTokens, ServiceSpec, ServiceState
from ..core.waiting import end_tasks, until_set
from ..core.words import count
from ..home.logs import bound_logs
from ..home.models import model_folder
from ..home.services import ServiceFolder, Stamp, caller_of
from . import log_door
from .counts import TrafficCounts
from .fleet import Fleet
from .frames import Frame
from .front import FrontServer
from .keeper import sample_of
from .tensors import metadata
from .watcher import Watcher

#: Only this machine's own processes get here.
_HOST = "127.0.0.1"

#: Seconds between two looks at what is wanted, and between two of all else.
_LOOK, _TEND = 0.2, 1.0

#: Seconds, at the end, beside its patience with requests: to wait for a replica, or to find one that is stuck.
_LAST = 15.0

#: Open files that it wants for itself, beside one for each connection.
_FILES = 200

_T = TypeVar("_T")


class ServiceRouter:
    """A service while it lives.

    Parameters
    ----------
    folder : its own. It is the only one that writes its state.
    host : where it listens.
    linger : seconds that it goes on when it is told to end, so that whoever sends callers here learns of it before.
    """

    def __init__(self, folder: ServiceFolder, host: str = _HOST, linger: Seconds = 0.0) -> None:
        self._folder, self._host, self._linger = folder, host, linger
        self.counts = TrafficCounts(folder.name)
        self._spec = folder.spec()
        self.body = self._spec.body
        self._server = FrontServer(self, most=_most_connections(self._spec.connections))
        self._fleet: Fleet | None = None
        self._watcher: Watcher | None = None
        self._record: ModelVersion | None = None
        self._coming = 0
        self._revision = ""
        self._problem: Problem | None = None
        self._since = time.time()
        self._address = ""
        self._known: tuple[Stamp | None, CallerTokens] = (None, CallerTokens())
        self._unread = ""
        self._written: ServiceState | None = None
        self._end, self._one, self._logging = asyncio.Event(), asyncio.Lock(), asyncio.Lock()
        self._stopped = False

    # What the front asks.

    @property
    def model(self) -> str:
        """As `Answering`."""
        return self._spec.model

    @property
    def version(self) -> int:
        """As `Answering`."""
        return self._fleet.spec.version if self._fleet is not None else 0

    @property
    def ready(self) -> int:
        """As `Answering`."""
        return self._fleet.ready if self._fleet is not None else 0

    def metadata(self) -> dict[str, Any]:
        """As `Answering`."""
        if self._record is None:
            raise Unavailable("No version is ready", "the first one is being loaded", "Try again.")
        return metadata(self._record)

    def watch(self, caller: str) -> ServiceWatch:
        """As `Answering`."""
        if caller != self._spec.owner:
            raise Refused("What others ask isn't told", f"only {self._spec.owner} is told it", "")
        return self._folder.watch() or ServiceWatch()

    async def of_log(self, caller: str, question: str, body: bytes) -> bytes:
        """As `Answering`."""
        if caller != self._spec.owner:
            raise Refused("What others ask isn't told", f"only {self._spec.owner} is told it", "")
        told = await asyncio.to_thread(log_door.answer, self._folder, question, body)
        await self._log()  # what it has changed counts at once
        return told

    def caller(self, token: str) -> str | None:
        """As `Answering`. The file is looked at each time: who is shut out is out at once."""
        stamp = self._folder.callers_at()
        if stamp != self._known[0]:
            try:
                self._known, self._unread = (stamp, self._folder.callers()), ""
            except Unreadable as fault:  # it may be over in a moment
                if str(fault) != self._unread:
                    self._unread = str(fault)
                    _say(f"nobody is let in: {fault}")
                raise Unavailable(
                    "Nobody is let in now", "the list of who may call can't be read", "Try again; the log has more."
                ) from fault
        return caller_of(token, self._known[1])

    async def ask(self, code: int, body: bytes, head: bytes) -> Frame:
        """As `Answering`. A version that has just been replaced hands on what it can't answer any more."""
        fleet = self._fleet
        if fleet is None:
            raise Unavailable("No version is ready", "the first one is being loaded", "Try again.")
        try:
            return await fleet.ask(code, body, head)
        except Unavailable:
            if self._fleet is fleet or self._fleet is None:
                raise
            return await self._fleet.ask(code, body, head)

    # Its life.

    async def run(self) -> bool:
        """Serve until it is told to end; whether that was its own wish."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._end.set)
        try:
            self._listen()
        except MlopsError as error:
            self._problem, self._revision = Problem.of(error), self._spec.revision
            self._stopped = True
            self._write()
            return False
        follows, tends = loop.create_task(self._follow()), loop.create_task(self._tend())
        watches = loop.create_task(self._watch())
        await self._end.wait()
        await end_tasks(follows)
        if self._linger and self._fleet is not None:
            self._server.leaving = True
            await asyncio.sleep(self._linger)
        await self._server.finish(self._spec.patience + _LAST)
        await end_tasks(tends, watches)
        if self._fleet is not None:
            await self._fleet.end()
        await self._look()
        await self._log(last=True)
        self._fleet, self._stopped, self._since = None, True, time.time()
        self._write()
        return self._problem is None

    def _listen(self) -> None:
        port = self._spec.port or 0
        try:
            sockets = bind_sockets(port, self._host)
        except OSError as error:
            raise StartFailed(
                f"The service can't listen on port {port}",
                error.strerror or str(error),
                "End what uses it, or choose another: mlops.deploy(…, port=…).",
            ) from error
        self._server.add_sockets(sockets)
        self._address = f"http://{self._host}:{sockets[0].getsockname()[1]}"
        self._write()
        _say(f"{self._folder.name} listens at {self._address}")

    async def _follow(self) -> None:
        """Make so what is wanted, again and again."""
        seen: Stamp | None = None
        while not self._end.is_set():
            stamp = self._folder.wanted_at()
            if stamp is None:  # the folder was removed: nobody wants it any more
                self._end.set()
            elif stamp != seen:
                seen = stamp
                with contextlib.suppress(FileNotFoundError, Unreadable):
                    await self._fulfil(self._folder.spec())
            await until_set(self._end, _LOOK)

    async def _fulfil(self, wanted: ServiceSpec) -> None:
        """Have the wanted version answer, or say why it doesn't: the one before goes on then."""
        if self._fleet is not None and wanted.revision == self._fleet.spec.revision:
            return
        self._coming, before = wanted.version, self._fleet
        self._write()
        try:
            record = self._version(wanted)
            watcher, watched = await self._watcher_of(wanted), self._watcher
            log, hear = (sample_of(wanted), watcher.hear) if watcher is not None else (None, lambda _: None)
            fleet = Fleet(wanted, self._folder, _say, hear, log)
            await fleet.start()
        except MlopsError as error:
            await self._refuse(wanted, error)
            return
        self._watcher = watcher
        self._spec, self._fleet, self._record, self._coming = wanted, fleet, record, 0
        self.body, self._server.most = wanted.body, _most_connections(wanted.connections)
        if watcher is not None:
            watcher.follow(wanted)
        await self._look()  # before it is said that the version answers: somebody may ask at once
        self._revision, self._problem, self._since = wanted.revision, None, time.time()
        self._write()
        _say(f"{wanted.version_name} answers, by {count(wanted.replicas, 'replica')}")
        if before is not None:
            await before.end(before.spec.patience)
        if watched is not None and watched is not watcher:
            await self._aside(watched.end)

    async def _watcher_of(self, wanted: ServiceSpec) -> Watcher | None:
        """The one of the wanted version: more replicas of the same version are watched with those before."""
        if self._watcher is not None and self._watcher.digest == wanted.digest:
            return self._watcher
        return await self._aside(lambda: Watcher(self._folder, wanted, _say))

    async def _look(self) -> None:
        """Have the watcher look: the one that is there when it comes to that."""
        await self._aside(lambda: None if self._watcher is None else self._watcher.look())

    async def _log(self, *, last: bool = False) -> None:
        """Have it keep what was logged; no look waits for it, and so no wish. `last`: whether nobody does so again."""
        await self._aside(lambda: None if self._watcher is None else self._watcher.log(last=last), self._logging)

    async def _aside(self, act: Callable[[], _T], one: asyncio.Lock | None = None) -> _T | None:
        """Have something done about watching, one after another, in a thread: no answer waits for it. It works on data
        that people's code has made: whatever comes of that, the service goes on."""
        try:
            async with one or self._one:
                return await asyncio.to_thread(act)
        except Exception as error:  # noqa: BLE001 - as told above
            _say(f"it can't be watched: {type(error).__name__}: {error}")
            return None

    def _version(self, wanted: ServiceSpec) -> ModelVersion:
        try:
            return model_folder(wanted.model).version(wanted.version).record()
        except FileNotFoundError:
            raise Conflict(f"{wanted.version_name} can't be served", "its version is gone", "") from None

    async def _refuse(self, wanted: ServiceSpec, error: MlopsError) -> None:
        """Say why a version isn't served, and want the one before again, unless somebody already wants another."""
        _say(f"{wanted.version_name} isn't served: {error}")
        self._problem, self._revision, self._coming = Problem.of(error), wanted.revision, 0
        if self._fleet is None:
            self._end.set()
            return
        self._write()  # before the wish goes: whoever made it waits for this
        await self._want_again(self._fleet.spec, wanted)

    async def _want_again(self, before: ServiceSpec, refused: ServiceSpec) -> None:
        while not self._end.is_set():
            with contextlib.suppress(MlopsError), self._folder.locked(wait=False):
                with contextlib.suppress(FileNotFoundError):
                    if self._folder.spec().revision == refused.revision:
                        self._folder.write_spec(before)
                return
            await until_set(self._end, _LOOK)  # somebody makes another wish, or stops it; or the disk is full

    async def _tend(self) -> None:
        while True:
            if self._fleet is not None:
                self._fleet.look()
            self._write()
            bound_logs(self._folder.logs)
            await asyncio.sleep(_TEND)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_TEND if self._watcher is None else self._watcher.pause)
            if self._fleet is not None:
                await self._fleet.count()
                self._hold()
                await self._look()
                await self._log()

    def _hold(self) -> None:
        """Count what the replicas hold: a CPU each, and their memory; or, of a pod, what its profile gives it."""
        replicas = [] if self._fleet is None else [replica.state() for replica in self._fleet.replicas]
        if self._watcher is None or not replicas:
            return
        if (profile := self._spec.profile) is not None:
            self._watcher.hold(profile.groups[0].cpus, profile.groups[0].memory)
        else:
            self._watcher.hold(len(replicas), sum(_memory(each.pid) for each in replicas))

    def _state(self) -> ServiceState:
        fleet, spec = self._fleet, self._spec
        fault = Problem.of(fleet.fault) if fleet is not None and fleet.fault is not None else self._problem
        return ServiceState(
            name=self._folder.name,
            model=spec.model,
            version=self.version,
            coming=self._coming,
            owner=spec.owner,
            place=spec.place,
            phase="stopped" if self._stopped else "ready" if self.ready else "starting",
            created=spec.created,
            since=self._since,
            address=self._address,
            revision=self._revision,
            replicas=[] if fleet is None else [replica.state() for replica in fleet.replicas],
            requests=self.counts.requests,
            errors=self.counts.errors,
            rate=self.counts.rate,
            problem=fault,
            alarm=None if self._watcher is None else self._watcher.alarm,
        )

    def _write(self) -> None:
        """Write the state where it has changed. A disk that refuses doesn't end a service."""
        state = self._state()
        if state == self._written:
            return
        try:
            self._folder.write_state(state)
            self._written = state
        except (MlopsError, OSError) as error:
            _say(f"its state can't be written: {error}")


def _most_connections(wanted: int) -> int:
    """Connections that may be open, as far as the system gives files for them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        more = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (more, hard))
            soft = more
    return wanted if soft == resource.RLIM_INFINITY else max(10, min(wanted, soft - _FILES))


def _memory(pid: int | None) -> int:
    """Bytes of a process that isn't gone."""
    try:
        return 0 if pid is None else int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def _say(line: str) -> None:
    """A line of its log."""
    sys.stderr.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")
    sys.stderr.flush()


async def _run(folder: Path) -> bool:
    try:
        router = ServiceRouter(ServiceFolder(folder))
    except (FileNotFoundError, Unreadable) as fault:
        sys.exit(str(fault))
    return await router.run()


if __name__ == "__main__":
    gc.freeze()  # what was imported stays: to look through it again and again holds up answers, 40 ms each time
    sys.exit(0 if asyncio.run(_run(Path(sys.argv[1]))) else 1)

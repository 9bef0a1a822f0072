"""The program that is a service: `python -m jupyter_mlops.serving.router FOLDER`.

It has the address, and replicas of the version that is wanted, and of another one that is tried beside it. What is
wanted stands in the service's folder, and may change: then replicas of the other version are started beside the old
ones, and take over when they are ready. It holds no model and loads none, so that what a version does can't reach the
callers' tokens.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from tornado.netutil import bind_sockets

from ..core.alert import ServiceWatch
from ..core.base import Seconds
from ..core.cluster import Problem
from ..core.errors import MlopsError, Refused, StartFailed, Unavailable, Unreadable
from ..core.service import ServiceSpec, ServiceState
from ..core.waiting import end_tasks, until_set
from ..home.logs import bound_logs, write_what_can_be
from ..home.services import ServiceFolder, Stamp
from . import log_door
from .arm import Arm
from .changeover import Changeover
from .connections import most_connections
from .counts import TrafficCounts
from .decisions import Decisions, FolderDecisions
from .doorman import Doorman
from .frames import AskedHead, Frame
from .front import FrontServer
from .hindsight import Hindsight
from .minutes import MinuteCounts
from .rollout import Rollout
from .tensors import metadata
from .traffic import Traffic
from .trial import CandidateTrial
from .usage import CallerCounts
from .watching import Watching, say

#: Only this machine's own processes get here.
_HOST = "127.0.0.1"

#: Connections that wait for being taken: many may come at once, and each that finds no room tries again a second later.
_BACKLOG = 2048

#: Seconds between two looks at what is wanted, and between two of all else.
_LOOK, _TEND = 0.2, 1.0

#: Seconds, at the end, beside its patience with requests: to wait for a replica, or to find one that is stuck.
_LAST = 15.0


class ServiceRouter:
    """A service while it lives.

    Parameters
    ----------
    folder : its own. It is the only one that writes its state.
    host : where it listens.
    linger : seconds that it goes on when it is told to end, so that whoever sends callers here learns of it before.
    decisions : where what it decides goes; default: to its folder and the trail, of which it is the only router.
    """

    def __init__(
        self, folder: ServiceFolder, host: str = _HOST, linger: Seconds = 0.0, decisions: Decisions | None = None
    ) -> None:
        self._folder, self._host, self._linger = folder, host, linger
        self._usage, self._minutes = CallerCounts(folder.usage, say), MinuteCounts(folder.traffic, say)
        self.counts = TrafficCounts(folder.name, self._usage, self._minutes)
        self._traffic, self._watching, self._doorman = Traffic(), Watching(folder, say), Doorman(folder, say)
        self._changeover = Changeover(folder, self._traffic, self._watching, self._write)
        self._hindsight = Hindsight(folder, say)
        self._alone = decisions is None
        self._rollout = Rollout(folder, self._traffic, self._changeover, decisions or FolderDecisions(folder), say)
        self.body = self._spec.body
        self._server = FrontServer(self, most=most_connections(self._spec.connections))
        self._revision = ""
        self._problem: Problem | None = None
        self._address = ""
        self._written: ServiceState | None = None
        self._unwritten = ""
        self._end = asyncio.Event()
        self._stopped_at = 0.0
        self._stopped = False

    @property
    def _spec(self) -> ServiceSpec:
        """The wish that is so; of one that is just started, that is to be."""
        return self._changeover.spec

    # What the front asks.

    @property
    def model(self) -> str:
        """As `Answering`."""
        return self._spec.model

    @property
    def version(self) -> int:
        """As `Answering`."""
        return 0 if self._traffic.stable is None else self._traffic.stable.version

    @property
    def ready(self) -> dict[int, int]:
        """As `Answering`."""
        return self._traffic.ready

    @property
    def begun(self) -> bool:
        """As `Answering`: one of several that try a version has it first, so that each caller finds it at all."""
        return self._alone or bool(self._revision)

    def answers(self, version: int) -> bool:
        """As `Answering`."""
        return self._traffic.arm(version) is not None

    def metadata(self, version: int | None = None) -> dict[str, Any]:
        """As `Answering`."""
        arm = self._traffic.stable if version is None else self._traffic.arm(version)
        if arm is None:
            raise Unavailable("No version is ready", "the first one is being loaded", "Try again.")
        return metadata(arm.record)

    def watch(self, caller: str) -> ServiceWatch:
        """As `Answering`."""
        self._check_owner(caller)
        return self._folder.watch() or ServiceWatch()

    async def of_log(self, caller: str, question: str, body: bytes) -> bytes:
        """As `Answering`."""
        self._check_owner(caller)
        told = await asyncio.to_thread(log_door.answer, self._folder, question, body)
        await self._watching.log()  # what it has changed counts at once
        return told

    def _check_owner(self, caller: str) -> None:
        if caller != self._spec.owner:
            raise Refused("What others ask isn't told", f"only {self._spec.owner} is told it", "")

    def caller(self, token: str) -> str | None:
        """As `Answering`."""
        return self._doorman.caller(token)

    def choose(self, head: AskedHead, version: int | None = None) -> Arm:
        """As `Answering`."""
        return self._traffic.choose(head, version)

    async def ask(self, arm: Arm, code: int, body: bytes, head: AskedHead, *, named: bool) -> tuple[int, Frame]:
        """As `Answering`."""
        return await self._traffic.ask(arm, code, body, head, named=named)

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
        watches, tries = loop.create_task(self._watch()), loop.create_task(self._rollout.run())
        keeps = [loop.create_task(each.run(self._end)) for each in (self._usage, self._minutes)]
        await self._end.wait()
        await end_tasks(follows, tries)
        if self._linger and self._traffic.stable is not None:
            self._server.leaving = True
            await asyncio.sleep(self._linger)
        await self._server.finish(self._spec.patience + _LAST)
        await end_tasks(tends, watches)
        await self._rollout.end()
        await self._changeover.end()
        await self._watching.look()
        await self._watching.log(last=True)
        await asyncio.gather(*keeps)
        await self._usage.keep()
        await self._minutes.close()
        self._stopped, self._stopped_at = True, time.time()
        self._write()
        return self._problem is None

    def _listen(self) -> None:
        port = self._spec.port or 0
        try:
            sockets = bind_sockets(port, self._host, backlog=_BACKLOG)
        except OSError as error:
            raise StartFailed(
                f"The service can't listen on port {port}",
                error.strerror or str(error),
                "End what uses it, or choose another: mlops.deploy(…, port=…).",
            ) from error
        self._server.add_sockets(sockets)
        self._address = f"http://{self._host}:{sockets[0].getsockname()[1]}"
        self._write()
        say(f"{self._folder.name} listens at {self._address}")

    async def _follow(self) -> None:
        """Make so what is wanted, again and again. What is begun for a wish is given up for the next one."""
        seen: Stamp | None = None
        work: asyncio.Task[None] | None = None
        try:
            while not self._end.is_set():
                stamp = self._folder.wanted_at()
                if stamp is None:  # the folder was removed: nobody wants it any more
                    self._end.set()
                elif stamp != seen:
                    with contextlib.suppress(FileNotFoundError, Unreadable):  # it may be readable in a moment
                        wanted = self._folder.spec()
                        seen = stamp
                        if work is not None:
                            await end_tasks(work)
                        work = asyncio.get_running_loop().create_task(self._fulfil(wanted))
                await until_set(self._end, _LOOK)
        finally:
            if work is not None:
                await end_tasks(work)

    async def _fulfil(self, wanted: ServiceSpec) -> None:
        """Have what is wanted, or say why it isn't so: what was before goes on then."""
        changeover = self._changeover
        try:
            if self._traffic.stable is None or wanted.revision != self._spec.revision:
                await changeover.have(wanted)
                self._revision, self._problem = wanted.revision, None
                self.body, self._server.connections.most = wanted.body, most_connections(wanted.connections)
        except MlopsError as error:
            await self._refuse(wanted, error)
        except Exception as error:  # noqa: BLE001 - a service goes on, whatever is wanted of it
            say("".join(traceback.format_exception(error)))
            await self._refuse(wanted, StartFailed("The service can't be changed", f"{type(error).__name__}: {error}"))
        finally:
            changeover.coming, changeover.starting = 0, None
            self._write()

    async def _refuse(self, wanted: ServiceSpec, error: MlopsError) -> None:
        """Say why a version isn't served, and want the one before again, unless somebody already wants another."""
        say(f"{wanted.version_name if wanted.candidate is None else 'what is to be tried'} isn't served: {error}")
        self._problem, self._revision, self._changeover.coming = Problem.of(error), wanted.revision, 0
        if self._traffic.stable is None:
            self._end.set()
            return
        before = self._changeover.refused(wanted, self._problem)
        self._write()  # before the wish goes: whoever made it waits for this
        await self._want_again(before, wanted)

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
            trial = self._traffic.trial
            for arm in (self._traffic.stable, None if trial is None else trial.arm):
                if arm is not None:
                    arm.fleet.look()
            self._changeover.tend()
            self._write()
            bound_logs(self._folder.logs)
            await asyncio.sleep(_TEND)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._watching.pause)
            if (stable := self._traffic.stable) is not None:
                await stable.fleet.count()
                self._watching.hold(self._spec, stable.fleet, self._changeover.standby.memory)
                await self._watching.look()
                await self._watching.log()
                await self._changeover.aside(lambda: self._hindsight.look(self._spec))

    @property
    def trial(self) -> CandidateTrial | None:
        """The version that is tried."""
        return self._traffic.trial

    def hold(self, waits: bool) -> None:
        """Have the version that is tried answer nobody yet, or, from now on, its share."""
        trial, stable = self._traffic.trial, self._traffic.stable
        if trial is not None and stable is not None:
            trial.wait(waits, stable)

    def state(self) -> ServiceState:
        """What it is now."""
        changeover, spec = self._changeover, self._spec
        trial, stable = self._traffic.trial, self._traffic.stable
        fleets = [arm.fleet for arm in (stable, None if trial is None else trial.arm) if arm is not None]
        replicas = [replica.state() for fleet in fleets for replica in fleet.replicas]
        fault = stable.fleet.fault if stable is not None else None
        return ServiceState(
            name=self._folder.name,
            model=spec.model,
            version=self.version,
            coming=self._changeover.coming,
            owner=spec.owner,
            place=spec.place,
            phase="stopped" if self._stopped else "ready" if any(self.ready.values()) else "starting",
            created=spec.created,
            since=self._stopped_at or self._changeover.since,
            address=self._address,
            revision=self._revision,
            replicas=replicas + changeover.standby.states(),
            requests=self.counts.requests,
            errors=self.counts.errors,
            rate=self.counts.rate,
            problem=Problem.of(fault) if fault is not None else self._problem,
            alarm=self._hindsight.beside(spec, self._watching.alarm),
            unkept=self._unkept(),
            candidate=changeover.starting or (trial.state() if trial is not None else changeover.past),
            previous=spec.previous,
        )

    def _write(self) -> None:
        """Write the state where it has changed. A disk that refuses doesn't end a service."""
        state = self.state()
        if state == self._written:
            return
        try:
            self._folder.write_state(state)
            self._written, self._unwritten = state, ""
        except (MlopsError, OSError) as error:
            words = f"its state can't be written: {error}"
            if words != self._unwritten:
                say(words)
            self._unwritten = words

    def _unkept(self) -> Problem | None:
        parts = (self._watching, self._usage, self._minutes, self._rollout)
        words = next((each.unkept for each in parts if each.unkept), "")
        if not words:
            return None
        return Problem(
            what=f"Not all of what {self._folder.name} is asked can be kept",
            why=words,
            todo="It answers all the same, and writes what it holds when it can.",
        )


async def _run(folder: Path) -> bool:
    try:
        router = ServiceRouter(ServiceFolder(folder))
    except (FileNotFoundError, Unreadable) as fault:
        sys.exit(str(fault))
    return await router.run()


if __name__ == "__main__":
    write_what_can_be()
    gc.freeze()  # what was imported stays: to look through it again and again holds up answers, 40 ms each time
    sys.exit(0 if asyncio.run(_run(Path(sys.argv[1]))) else 1)

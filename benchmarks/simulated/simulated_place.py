"""A place with one cluster, whose workers are made up by a process that speaks the real wire."""

from __future__ import annotations

import asyncio
import atexit
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import ClassVar

from jupyter_mlops.controller.link import Link
from jupyter_mlops.controller.remote import open_link
from jupyter_mlops.core.cluster import ClusterSpec, ClusterState, Event, Receipt, Sample
from jupyter_mlops.core.errors import ClusterEnded, NameTaken, UnknownCluster
from jupyter_mlops.core.naming import ClusterName
from jupyter_mlops.core.price import Cost
from jupyter_mlops.core.profile import Group, Place, Profile
from jupyter_mlops.core.run import RunState
from jupyter_mlops.places.base import Address, Backend

NAME = "simulated"


class Controller:
    """The process, started when it is first asked for, and what is left of it when it has ended."""

    def __init__(self) -> None:
        self.created = time.time()
        self.ended: float | None = None
        self.process: subprocess.Popen[str] | None = None
        self._address = ""
        self._lock = threading.Lock()

    def address(self) -> str:
        """Where it listens; blocks for a second the first time."""
        with self._lock:
            if self.process is None:
                self._start()
        return self._address

    def _start(self) -> None:
        workers = os.environ.get("JUPYTER_MLOPS_SIMULATED", "1000")
        rate = os.environ.get("JUPYTER_MLOPS_SIMULATED_RATE", "2")
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("simulated_controller.py")), workers, rate],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        atexit.register(self.close)
        assert self.process.stdout is not None
        self._address = self.process.stdout.readline().strip()

    def alive(self) -> bool:
        """Whether it lives, or is still to be started."""
        if self.ended is None and self.process is not None and self.process.poll() is not None:
            self.ended = time.time()
        return self.ended is None

    def close(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout):
                if pipe is not None:
                    pipe.close()


_controller = Controller()


def restart() -> None:
    """End the cluster of this process and begin with a new one: for tests."""
    global _controller
    end()
    _controller = Controller()


def end() -> None:
    """End the cluster of this process: for tests."""
    _controller.close()


class SimulatedBackend(Backend):
    """The cluster named `simulated`. What it was is forgotten with the process that found it."""

    place: ClassVar[Place] = "simulated"
    title: ClassVar[str] = "simulated"

    async def start(self, spec: ClusterSpec) -> ClusterState:
        """Begin anew, when it was stopped."""
        if _controller.alive():
            raise NameTaken(f"The name {NAME!r} is taken", "there is one simulated cluster")
        restart()
        return self._state()

    async def clusters(self) -> list[ClusterState]:
        """The one."""
        return [self._state()]

    async def get(self, name: str) -> ClusterState:
        """The one."""
        self._check(name)
        return self._state()

    async def spec(self, name: str) -> ClusterSpec:
        """As if it had been asked for."""
        self._check(name)
        group = Group(workers=int(os.environ.get("JUPYTER_MLOPS_SIMULATED", "1000")), maximum=5000)
        profile = Profile(name="simulated", place="simulated", groups=[group])
        return ClusterSpec(name=NAME, owner="you", profile=profile, created=_controller.created)

    async def address(self, name: str, timeout: float = 30.0) -> Address:
        """No scheduler is there, but a controller."""
        self._check(name)
        if not _controller.alive():
            raise ClusterEnded(f"The cluster {name!r} has ended")
        return Address(await asyncio.to_thread(_controller.address))

    async def link(self, name: str, timeout: float = 30.0) -> Link:
        """The real link."""
        return await open_link((await self.address(name)).url)

    async def end(self, name: str, cause: str, why: str) -> None:
        """Its process is killed."""
        self._check(name)
        _controller.close()

    async def forget(self, name: str) -> None:
        """It can't be."""
        self._check(name)

    async def receipt(self, name: str) -> Receipt | None:
        """A sum, of nothing."""
        self._check(name)
        if _controller.alive():
            return None
        return Receipt(
            name=NAME,
            place="simulated",
            owner="you",
            profile="simulated",
            created=_controller.created,
            ended=_controller.ended or time.time(),
            cause="user",
            cost=Cost(),
        )

    async def events(self, name: str) -> list[Event]:
        """Only its controller knows them."""
        if not _controller.alive():
            return []
        return await self._asked(lambda link: link.view(workers=False), lambda view: view.events)

    async def timeline(self, name: str, since: float = 0) -> list[Sample]:
        """Only its controller knows it."""
        if not _controller.alive():
            return []
        return await self._asked(lambda link: link.timeline(since), lambda samples: samples)

    async def runs(self, name: str) -> list[RunState]:
        """None."""
        return []

    async def logs(self, name: str, worker: str | None = None, lines: int = 200) -> list[str]:
        """Made up."""
        self._check(name)
        return await self._asked(lambda link: link.logs(worker, lines), lambda answer: answer)

    async def _asked(self, question, answer):  # type: ignore[no-untyped-def]
        link = await self.link(NAME)
        try:
            return answer(await question(link))
        finally:
            await link.close()

    def _check(self, name: str) -> None:
        if not ClusterName.of(name).means(self._state().id):
            raise UnknownCluster.named(name, [NAME])

    def _state(self) -> ClusterState:
        alive = _controller.alive()
        return ClusterState(
            name=NAME,
            place="simulated",
            profile="simulated",
            owner="you",
            mine=True,
            phase="running" if alive else "ended",
            created=_controller.created,
            started=_controller.created,
            ended=_controller.ended,
            cause=None if alive else "user",
        )

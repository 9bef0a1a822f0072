"""A replica as its router has it: a process, the channel to it, and what it was asked."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import math
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..agent.forking import NATIVE
from ..core import errors
from ..core.base import Seconds
from ..core.errors import MlopsError, NotReady, StartFailed, Unavailable
from ..core.service import ReplicaPhase, ReplicaState, ServiceSpec
from ..core.waiting import wait_for
from ..core.words import span
from ..home.services import ServiceFolder
from .frames import COUNT, HELLO, Frame, FrameReader

#: Seconds that a replica has to load its version, and to end.
_LOADING, _ENDING = 180.0, 5.0

#: Seconds that one which ends has to tell what it has counted. It has nothing else to do then, and takes milliseconds:
#: this is for machines that have.
_COUNTING = 20.0

#: Seconds without an answer after which others are asked rather.
_SILENT = 1.0

#: Lines of its log that are told of a replica which didn't start.
_TAIL = 5


class ReplicaLost(Exception):
    """The process that was asked is gone."""


class ReplicaProcess(asyncio.Protocol):
    """A replica: its process, the channel to it, and what it was asked.

    Parameters
    ----------
    on_gone : called when it is gone without having been let go.
    on_counts : called with what it has counted, which it is asked for now and then.
    told : what it is told once it is ready, and whenever that changes: the code of a frame, and its body.
    """

    def __init__(
        self,
        name: str,
        spec: ServiceSpec,
        folder: ServiceFolder,
        on_gone: Callable[[], None],
        on_counts: Callable[[Frame], None],
        told: Mapping[int, bytes] | None = None,
    ) -> None:
        self.name, self._spec, self._folder, self._told = name, spec, folder, told if told is not None else {}
        self._on_gone, self._on_counts = on_gone, on_counts
        #: Whether it was asked something since it was to tell its counts, and what it is to tell.
        self._uncounted = False
        self._counts: asyncio.Future[Frame] | None = None
        self.phase: ReplicaPhase = "starting"
        self.since = time.time()
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._idle = asyncio.Event()
        self._idle.set()
        self._frames, self._numbers = FrameReader(), itertools.count(HELLO + 1)
        #: What goes to it as soon as all is read that callers have sent by now.
        self._outbox: list[bytes] = []
        #: What it was asked, and since when; counts nobody waits for.
        self._pending: dict[int, tuple[asyncio.Future[Frame], float]] = {}
        self._transport: asyncio.Transport | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._lost = False
        #: When it answered last, or had nothing before it.
        self._answered = 0.0

    @property
    def load(self) -> int:
        """Requests that it has before it."""
        return len(self._pending)

    @property
    def silent(self) -> bool:
        """Whether it hasn't answered for some time, though it was asked: it may hang."""
        return bool(self._pending) and time.monotonic() - self._answered > _SILENT

    def state(self) -> ReplicaState:
        """What it is now."""
        pid = None if self._process is None else self._process.pid
        return ReplicaState(name=self.name, version=self._spec.version, phase=self.phase, since=self.since, pid=pid)

    async def start(self) -> None:
        """Start it, and return when it answers.

        Raises
        ------
        MlopsError : why it won't.
        """
        loop = asyncio.get_running_loop()
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise StartFailed("A replica could not be started", str(error)) from error
        try:
            with theirs, self._folder.open_log(self.name) as log:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "jupyter_mlops.serving.replica",
                    self._spec.model,
                    str(self._spec.version),
                    self._spec.digest,
                    str(theirs.fileno()),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=[theirs.fileno()],
                    env={**os.environ, **dict.fromkeys(NATIVE, "1")},  # a replica is one core's worth
                )
        except BaseException as error:
            ours.close()
            if isinstance(error, OSError):
                raise StartFailed("A replica could not be started", str(error)) from error
            raise
        await loop.create_unix_connection(lambda: self, sock=ours)
        try:
            await wait_for(self._ready, _LOADING)
        except asyncio.TimeoutError:
            why = f"{self._spec.version_name} was not loaded within {_LOADING:.0f} s"
            raise NotReady("A replica didn't become ready", why, "") from None
        if self._lost:
            raise StartFailed("A replica ended as soon as it was ready")
        for code, body in self._told.items():
            self.tell(code, body)
        self.phase, self.since = "ready", time.time()

    def tell(self, code: int, body: bytes) -> None:
        """Tell it something that isn't answered."""
        if self._transport is not None and not self._lost:
            self._send(Frame(next(self._numbers), code, body))

    def ask(self, code: int, body: bytes, head: bytes = b"") -> asyncio.Future[Frame]:
        """Ask it; the answer fails with `ReplicaLost` when it goes meanwhile. `head` is an `AskedHead`."""
        future: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        if self._lost or self._transport is None:
            future.set_exception(ReplicaLost())
            return future
        number = next(self._numbers)
        if not self._pending:
            self._answered = time.monotonic()
        self._pending[number] = future, math.inf if code == COUNT else time.monotonic()
        self._uncounted = code != COUNT
        self._idle.clear()
        self._send(Frame(number, code, head + body, len(head)))
        return future

    def _send(self, frame: Frame) -> None:
        """What is asked at the same time is sent together: it becomes one batch, and is written and read once."""
        if not self._outbox:
            asyncio.get_running_loop().call_soon(self._flush)
        self._outbox.append(frame.packed())

    def _flush(self) -> None:
        if self._transport is not None:
            self._transport.write(b"".join(self._outbox))
        self._outbox.clear()

    def count(self) -> asyncio.Future[Frame] | None:
        """Have it tell what it has counted; None where that is nothing. The counts come even if nobody waits."""
        if self._uncounted:
            self._counts = self.ask(COUNT, b"")
            self._counts.add_done_callback(self._counted)
        return self._counts

    def greet(self) -> asyncio.Future[Frame]:
        """Have it say that it is there, by what it has counted."""
        self._uncounted = True
        counts = self.count()
        assert counts is not None
        return counts

    def _counted(self, future: asyncio.Future[Frame]) -> None:
        if not future.cancelled() and future.exception() is None:
            self._on_counts(future.result())

    def end_if_stuck(self) -> None:
        """Kill it when it has requests, and answered none for longer than the service has patience. What has waited for
        so long behind others that it answers isn't answered any more."""
        patience = self._spec.patience
        late = time.monotonic() - patience
        waited = [future for future, since in self._pending.values() if since < late and not future.done()]
        first = min((since for _, since in self._pending.values()), default=math.inf)
        stuck = max(first, self._answered) < late
        for future in waited:
            queued = busy(f"the request waited for {span(patience)} behind others")
            future.set_exception(asyncio.TimeoutError() if stuck else queued)
        if stuck:
            self._kill()  # what waits behind them is asked elsewhere

    async def settle(self, patience: Seconds) -> None:
        """Return when it has answered what it was asked, and told its counts, or is out of patience."""
        with contextlib.suppress(asyncio.TimeoutError):
            await wait_for(self._idle.wait(), patience)
        works = any(since < math.inf for _, since in self._pending.values())
        if not works and (counts := self.count()) is not None:
            await asyncio.wait([counts], timeout=_COUNTING)

    async def let_go(self, patience: Seconds = 0.0) -> None:
        """End it, once it has answered what it was asked, or is out of patience."""
        if self.phase == "ready":
            self.phase, self.since = "draining", time.time()
            await self.settle(patience)
        self._lost = True
        if self._transport is not None:
            self._transport.close()
        if self.phase == "starting":
            self._kill()  # it doesn't listen yet
        if self._process is not None:
            with contextlib.suppress(asyncio.TimeoutError):
                await wait_for(self._process.wait(), _ENDING)
            self._kill()
            await self._process.wait()

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The channel is there."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """It says something."""
        for frame in self._frames.feed(data):
            if frame.number == HELLO:
                self._greeted(frame)
                continue
            self._answered = time.monotonic()
            future, _ = self._pending.pop(frame.number, (None, 0.0))
            if future is not None and not future.done():
                future.set_result(frame)
        if not self._pending:
            self._idle.set()

    def connection_lost(self, error: Exception | None) -> None:
        """It is gone."""
        let_go, self._lost = self._lost, True
        if not self._ready.done():
            tail = "\n".join(line for line in self._folder.log(_TAIL) if line.startswith(f"{self.name}:"))
            self._ready.set_exception(StartFailed("A replica ended before it was ready", tail))
            self._ready.exception()  # nobody may wait for it any more
        for future, _ in self._pending.values():
            if not future.done():
                future.set_exception(ReplicaLost())
        self._pending.clear()
        self._idle.set()
        if self.phase == "ready" and not let_go:
            self._on_gone()

    def _greeted(self, frame: Frame) -> None:
        if self._ready.done():
            return
        if frame.code == 200:
            self._ready.set_result(None)
            return
        told: dict[str, Any] = json.loads(frame.body)
        kind = getattr(errors, told["error"], StartFailed)
        kind = kind if isinstance(kind, type) and issubclass(kind, MlopsError) else StartFailed
        self._ready.set_exception(kind(told["what"], told["why"], told["todo"]))


def busy(why: str) -> Unavailable:
    """Why a request isn't taken."""
    return Unavailable("The service is busy", why, "Try again later.")

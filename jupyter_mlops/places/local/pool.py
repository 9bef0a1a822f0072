"""The controller's hand on the fork server: workers of a local cluster."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...controller.pool import Notice
from ...core.cluster import Problem
from ...core.profile import Group
from ...core.waiting import until_set
from . import processes
from .causes import lost_with_server, why_lost
from .folder import Folder
from .orders import Order, encode

#: A fork server that dies more often than this within a minute isn't started again.
_RESTARTS = 5

_RESTART = "Start another cluster; the scheduler's log may say more."


class LocalPool:
    """Makes workers by orders to a fork server, and replaces the fork server when it dies.

    `channel` and `pid` are those of the fork server that the scheduler program forked off at its start; `first` are
    the workers that were ordered from it already, name → group.
    """

    def __init__(
        self, folder: Path, environment: dict[str, str], channel: socket.socket, pid: int, first: dict[str, str]
    ) -> None:
        self._folder, self._environment = Folder(folder), environment
        self._channel, self._pid = channel, pid
        self._first = first
        self._workers: dict[str, int | None] = dict.fromkeys(first)
        self._deaths: list[float] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._despair = ""
        #: As in `Pool`; there is nobody here who would not answer.
        self.problem: Problem | None = None
        self._gone = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        #: What is to be sent while there is no fork server.
        self._waiting: list[dict[str, Any]] = []
        #: Called with the number of each new fork server.
        self.on_server: Callable[[int], None] = lambda pid: None

    @property
    def server(self) -> int:
        """The number of the fork server's process."""
        return self._pid

    async def start(self, scheduler_address: str, notify: Callable[[Notice], None]) -> None:
        """As in `Pool`."""
        self._address, self._notify = scheduler_address, notify
        for name, group in self._first.items():
            notify(Notice(name, "starting", host=socket.gethostname(), details={"group": group}))
        await self._connect()

    async def create(self, group: Group, names: Sequence[str]) -> None:
        """As in `Pool`."""
        for name in names:
            self._workers[name] = None
            order = Order(
                name=name,
                group=group.name,
                threads=group.threads,
                memory=group.memory,
                scheduler=self._address,
                environment=self._environment,
            )
            if self._gone.is_set():
                self._lose(name, Problem(what=f"Worker {name} can't be started", why=self._despair, todo=_RESTART))
            else:
                self._send(do="fork", order=order)

    async def remove(self, names: Sequence[str], grace: float = 5.0) -> None:
        """As in `Pool`."""
        self._send(do="end", names=[name for name in names if name in self._workers], grace=grace)

    async def logs(self, name: str, lines: int = 200) -> list[str]:
        """As in `Pool`."""
        return await asyncio.to_thread(self._folder.log, name, lines) or []

    async def close(self) -> None:
        """As in `Pool`."""
        if self._closed:
            return
        self._closed = True
        self._folder.release()
        self._send(do="close", grace=2.0)
        await until_set(self._gone, 5.0)
        processes.kill(self._pid)
        if self._writer is not None:
            self._writer.close()
        await asyncio.to_thread(processes.kill_cluster, os.environ[processes.MARK])
        for name in list(self._workers):
            self._end(name)

    def _send(self, **message: Any) -> None:
        """Send to the fork server, or, while it is being replaced, to the next one."""
        if self._writer is None:
            self._waiting.append(message)
        else:
            self._writer.write(encode(**message))

    async def _connect(self) -> None:
        reader, self._writer = await asyncio.open_unix_connection(sock=self._channel)
        for message in self._waiting:  # none, as a rule: no lines of a generator are an error from Python 3.12 on
            self._writer.write(encode(**message))
        self._waiting.clear()
        self.on_server(self._pid)
        task = asyncio.create_task(self._listen(reader))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):
            async for line in reader:
                if line.endswith(b"\n"):  # not the half of one that died while it wrote
                    self._hear(json.loads(line))
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        await asyncio.to_thread(_bury, self._pid)
        if self._closed:
            self._gone.set()
        else:
            await self._replace()

    def _hear(self, notice: dict[str, Any]) -> None:
        name = notice["name"]
        if notice["event"] == "forked":
            self._workers[name] = notice["pid"]
            self._notify(Notice(name, "starting", host=socket.gethostname(), pid=notice["pid"]))
        elif notice["event"] == "failed":
            self._lose(
                name,
                Problem(
                    what=f"Worker {name} can't be started",
                    why=notice["why"],
                    todo="End other programs, or ask for fewer workers.",
                ),
            )
        elif notice["asked"]:
            self._end(name)
        else:
            self._lose(name, why_lost(notice, self._folder.log(name, 3) or []), notice)

    def _end(self, name: str) -> None:
        if name in self._workers:
            self._notify(Notice(name, "ended", pid=self._workers.pop(name)))

    def _lose(self, name: str, problem: Problem, notice: dict[str, Any] | None = None) -> None:
        details = {key: str(value) for key, value in (notice or {}).items() if key in {"code", "peak", "limit"}}
        self._notify(Notice(name, "lost", problem, pid=self._workers.pop(name, None), details=details))

    async def _replace(self) -> None:
        """A dead fork server's workers are lost; another one is started, unless it keeps dying, and asked for those
        that were wanted meanwhile."""
        later = {message["order"]["name"] for message in self._waiting if message["do"] == "fork"}
        for name, pid in [each for each in self._workers.items() if each[0] not in later]:
            if pid is not None:
                processes.kill(pid, group=True)
            self._lose(name, lost_with_server(name))
        now = time.monotonic()
        self._deaths = [*(death for death in self._deaths if now - death < 60), now]
        if len(self._deaths) > _RESTARTS:
            self._give_up("its fork server keeps dying")
            return
        try:
            self._channel, self._pid = await asyncio.to_thread(_spawn, self._folder.path)
        except OSError as error:
            self._give_up(f"its fork server can't be started: {error}")
        else:
            await self._connect()

    def _give_up(self, why: str) -> None:
        """There will be no fork server any more: workers that are wanted are lost at once."""
        self._gone.set()
        self._despair = why
        for name in list(self._workers):
            self._lose(name, Problem(what=f"Worker {name} can't be started", why=why, todo=_RESTART))


def _spawn(folder: Path) -> tuple[socket.socket, int]:
    """A fork server as a program of its own: this process has threads by now, and must not fork."""
    ours, theirs = socket.socketpair()
    with theirs, Folder(folder).log_file(None).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.forkserver", str(folder), str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[theirs.fileno()],
            cwd=folder,  # not the user's folder: its modules would hide those of the same name
        )
    process.returncode = 0  # it is waited for by its number, like the first one, which was forked
    return ours, process.pid


def _bury(pid: int) -> None:
    """Wait for a fork server whose channel has closed: it ends by itself, or is ended."""
    deadline = time.monotonic() + 5
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(pid, os.WNOHANG)[0] == 0:
            if time.monotonic() > deadline:
                processes.kill(pid, signal.SIGKILL)
            time.sleep(0.01)

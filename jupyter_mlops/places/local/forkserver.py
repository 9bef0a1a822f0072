"""The fork server: a process that has imported Dask once, and forks a worker in milliseconds.

The scheduler program forks it off before it has threads or an event loop; its own loop is a plain `select`, so that
forking stays safe. Orders come in and notices go out as lines of JSON over a socket pair. When the socket closes, the
scheduler is dead: all workers are killed at once, and this process ends.

Run as a program (`python -m jupyter_mlops.places.local.forkserver FOLDER FD`) it replaces one that died.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tornado.netutil
from distributed.versions import get_versions

from ...agent import forking
from ...controller.runs.install import load_agent
from ...home.clusters import ClusterFolder
from ...home.logs import bound_logs
from . import processes
from .orders import Order
from .worker import become_worker

#: Seconds between two looks at the workers' memory: as often as Dask's nanny.
_WATCH = 0.1

#: Seconds between two looks at the size of the logs.
_LOGS = 5.0

#: Part of its memory limit at which a worker is killed: Dask's own default for a nanny.
_TERMINATE = 0.95


@dataclass
class _Child:
    pid: int
    order: Order
    #: Most memory that was seen, in bytes.
    peak: int = 0
    out_of_memory: bool = False
    #: Whether it was asked to end, and when it is killed if it hasn't.
    asked: bool = False
    deadline: float | None = None


class ForkServer:
    """Forks, watches and ends workers for the scheduler at the other end of `channel`."""

    def __init__(self, channel: socket.socket, folder: Path) -> None:
        self._channel, self._folder = channel, folder
        self._children: dict[int, _Child] = {}
        self._inbox = b""
        self._closing = False
        self._logs_at = 0.0
        self._page = os.sysconf("SC_PAGE_SIZE")

    def serve(self) -> None:
        """Serve until the channel closes, or until `close` was asked for and all workers are gone."""
        self._wake, self._kept = forking.wake_on_children()
        try:
            while not (self._closing and not self._children):
                ready, _, _ = select.select([self._channel, self._wake], [], [], _WATCH)
                if self._wake in ready:
                    self._wake.recv(4096)
                self._reap()  # first: who has ended was not asked to by what comes now
                if self._channel in ready and not self._read():
                    break
                self._watch()
        finally:
            self._kill_all()

    def _read(self) -> bool:
        """Take in what was sent; False when the other end is gone."""
        try:
            data = self._channel.recv(65536)
        except ConnectionError:
            return False
        *lines, self._inbox = (self._inbox + data).split(b"\n")
        for line in lines:
            self._obey(json.loads(line))
        return bool(data)

    def _obey(self, message: dict[str, Any]) -> None:
        if message["do"] == "fork":
            self._fork(message["order"])
        elif message["do"] == "end":
            self._end(set(message["names"]), message["grace"])
        elif message["do"] == "close":
            self._closing = True
            self._end({child.order["name"] for child in self._children.values()}, message["grace"])

    def _fork(self, order: Order) -> None:
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            self._tell(event="failed", name=order["name"], why=error.strerror or str(error))
            return
        if pid == 0:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            self._channel.close()
            become_worker(order, self._folder, parent)
        self._children[pid] = _Child(pid, order)
        self._tell(event="forked", name=order["name"], pid=pid)

    def _end(self, names: set[str], grace: float) -> None:
        for child in self._children.values():
            if child.order["name"] in names and not child.asked:
                child.asked, child.deadline = True, time.monotonic() + grace
                processes.kill(child.pid, signal.SIGTERM if grace > 0 else signal.SIGKILL)

    def _reap(self) -> None:
        for ended in forking.ended_children():
            child = self._children.pop(ended.pid, None)
            if child is None:
                continue
            processes.kill(ended.pid, group=True)  # what the user's code started and left
            self._tell(
                event="exit",
                name=child.order["name"],
                pid=ended.pid,
                asked=child.asked,
                code=ended.code,
                out_of_memory=child.out_of_memory,
                peak=max(child.peak, ended.peak),
                limit=child.order["memory"],
            )

    def _watch(self) -> None:
        now = time.monotonic()
        for child in self._children.values():
            resident = self._resident(child.pid)
            child.peak = max(child.peak, resident)
            if not child.out_of_memory and resident > _TERMINATE * child.order["memory"]:
                child.out_of_memory = True
                processes.kill(child.pid)
            if child.deadline is not None and now > child.deadline:
                processes.kill(child.pid)
        if now - self._logs_at > _LOGS:
            self._logs_at = now
            bound_logs(ClusterFolder(self._folder).logs)

    def _resident(self, pid: int) -> int:
        if sys.platform == "linux":
            try:
                return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * self._page
            except (OSError, IndexError):
                return 0
        import psutil

        try:
            return int(psutil.Process(pid).memory_info().rss)
        except psutil.Error:
            return 0

    def _kill_all(self) -> None:
        for child in self._children.values():
            processes.kill(child.pid, group=True)
            processes.kill(child.pid)  # it may not have made its group yet
        if not self._closing:
            processes.kill_cluster(os.environ[processes.MARK])

    def _tell(self, **notice: Any) -> None:
        with contextlib.suppress(OSError):  # a dead scheduler is noticed by reading
            self._channel.sendall(json.dumps(notice).encode() + b"\n")


def warm_up() -> None:
    """Do once what each worker would do first: look for versions, load the machine's certificates, and the agent."""
    get_versions()
    load_agent()
    certificates = getattr(tornado.netutil, "_client_ssl_defaults", None)  # newer Tornados load them when needed
    if callable(certificates):
        certificates()


def serve(channel: socket.socket, folder: Path) -> None:
    """Be the fork server of the cluster in `folder` until its scheduler is gone. Does not return."""
    try:
        warm_up()
        gc.freeze()  # what is there now is shared by all workers: the collector mustn't write to it
        ForkServer(channel, folder).serve()
    except BaseException:  # noqa: BLE001 - to the log; the scheduler replaces this process
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[2])), Path(sys.argv[1]))

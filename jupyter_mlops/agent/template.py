"""The template: the process that runners are forked from.

It has imported what runs need and has never run a user's code, and it has one thread: so a fork of it is safe, takes
milliseconds, and shares its memory. Whoever connects gets one runner; when the connection ends, so does that runner
with all that it has started.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import selectors
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from . import forking, runner
from .wire import Message, Wire

#: Seconds that a template stays when nobody is connected.
LINGER = 5.0

#: Seconds that a runner has for its own clean-up when its run is over, and what it has started has after it.
GRACE = 1.0

#: What every runner needs.
BASE = ("cloudpickle", "msgpack", "asyncio", "multiprocessing", "linecache", "traceback")

#: Seconds that an heir may take to import what was learned.
PATIENCE = 60


@dataclass
class _Client:
    """A connection, and its runner: 0 before it is forked and after it has ended."""

    wire: Wire
    pid: int = 0


class Template:
    """Forks runners for whoever connects to `listener`.

    Parameters
    ----------
    listener : the socket at which seats ask for runners.
    tried : modules that its ancestors have imported, or could not.
    unsafe : packages that a process which forks others must not import.
    ancestor : to the template whose heir this one is: as long as that has runners, this one will be asked for more.
    """

    def __init__(
        self,
        listener: socket.socket,
        tried: Collection[str] = (),
        unsafe: Collection[str] = (),
        ancestor: Wire | None = None,
    ) -> None:
        self._listener: socket.socket | None = listener
        self._clients: dict[int, _Client] = {}
        self._selector = selectors.DefaultSelector()
        self._tried: set[str] = set(tried)
        self._unsafe: set[str] = set(unsafe)
        self._ancestor = ancestor
        self._heir: Wire | None = None
        #: The package that the heir imports now.
        self._importing = ""
        #: Those that wait until the heir serves, or has ended.
        self._waiting: list[_Client] = []
        #: To the heir that serves in this one's place; it hears when this one ends.
        self._successor: Wire | None = None
        #: Runners that nobody needs any more, and groups whose runner has ended: when they are killed.
        self._ending: dict[int, float] = {}
        self._left: dict[int, float] = {}
        self._idle_since = time.monotonic()

    def serve(self) -> None:
        """Serve until nobody has been connected for `LINGER` seconds; with an heir, until nobody is."""
        self._wake, self._kept = forking.wake_on_children()
        self._selector.register(self._wake, selectors.EVENT_READ, self._woken)
        assert self._listener is not None
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        if self._ancestor is not None:
            self._selector.register(self._ancestor.end, selectors.EVENT_READ, self._alone)
        gc.freeze()
        while self._is_needed() or self._selector.select(0):  # who asks at this moment is served, too
            for key, _ in self._selector.select(0.1 if self._ending or self._left else 1.0):
                key.data()
            self._reap()
            self._kill_late()

    def _is_needed(self) -> bool:
        if self._clients or self._heir or self._ancestor or self._ending or self._left:
            return True
        return self._listener is not None and time.monotonic() - self._idle_since < LINGER

    def _woken(self) -> None:
        self._wake.recv(4096)

    def _alone(self) -> None:
        """The ancestor has ended."""
        assert self._ancestor is not None
        self._selector.unregister(self._ancestor.end)
        self._ancestor.close()
        self._ancestor, self._idle_since = None, time.monotonic()

    def _accept(self) -> None:
        if self._listener is None:  # an heir has just taken over
            return
        try:
            end, _ = self._listener.accept()
        except BlockingIOError:  # an heir was quicker
            return
        end.setblocking(True)
        if not same_user(end):
            end.close()
            return
        client = _Client(Wire(end))
        self._clients[end.fileno()] = client
        self._selector.register(end, selectors.EVENT_READ, lambda: self._hear(client))

    def _hear(self, client: _Client) -> None:
        try:
            self._obey(client, client.wire.receive())
        except (OSError, ValueError):  # the client is gone in the middle of it; the template is for others, too
            self._leave(client)

    def _obey(self, client: _Client, message: Message | None) -> None:
        if message is None:
            self._leave(client)
        elif message["do"] == "fork":
            self._fork(client)
        elif message["do"] == "signal" and client.pid:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(client.pid, message["number"])
        elif message["do"] == "learn":
            learned = self._learn(message["modules"])
            if not message["wait"]:
                return
            if learned or self._heir is None:
                client.wire.send({"learned": learned})
            else:
                self._waiting.append(client)

    def _leave(self, client: _Client) -> None:
        self._selector.unregister(client.wire.end)
        del self._clients[client.wire.fileno()]
        if client in self._waiting:
            self._waiting.remove(client)
        client.wire.close()
        if client.pid:  # it hears that its seat has hung up, too, and ends by itself
            self._ending[client.pid] = time.monotonic() + GRACE
        self._idle_since = time.monotonic()

    def _fork(self, client: _Client) -> None:
        end, out, err, points = client.wire.files
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            pid = -1
            client.wire.send({"failed": error.strerror or str(error)})
        if pid == 0:
            self._become(
                lambda: runner.main(Wire(socket.socket(fileno=end)), out, err, points),
                keep={end, out, err, points},
                parent=parent,
            )
        for file in (end, out, err, points):
            os.close(file)
        client.wire.files = []
        if pid > 0:
            client.pid = pid
            client.wire.send({"pid": pid})

    def _relatives(self) -> list[socket.socket]:
        return [wire.end for wire in (self._ancestor, self._heir, self._successor) if wire is not None]

    def _become(self, work: Callable[[], None], keep: set[int], parent: int) -> NoReturn:
        """In a fork: forget what the template has open, and do something else. Does not return."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            if parent:
                forking.die_with(parent)
            self._selector.close()
            ends = [self._wake, self._kept, *(client.wire.end for client in self._clients.values())]
            ends += [end for end in (self._listener, *self._relatives()) if end is not None]
            for end in ends:
                if end.fileno() not in keep:
                    end.close()
            work()
            code = 0
        except BaseException:  # noqa: BLE001 - whatever it is belongs into the log; the template's stack ends here
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(code)

    # Learning

    def _learn(self, modules: Sequence[str]) -> bool:
        """Whether all of `modules` are here that can be. Otherwise this template has an heir: a fork that imports them
        and then takes over. Meanwhile this one goes on; afterwards it only watches its own runners."""
        tried = self._tried | set(sys.modules)
        fresh = [name for name in modules if name not in tried and package_of(name) not in self._unsafe]
        if fresh and self._heir is None and self._listener is not None:
            self._have_heir(self._listener, fresh)
        return not fresh

    def _have_heir(self, listener: socket.socket, modules: Sequence[str]) -> None:
        ours, theirs = socket.socketpair()
        tried = self._tried | set(modules)
        try:
            pid = os.fork()
        except OSError:  # then runners import them by themselves
            ours.close()
            theirs.close()
            self._tried = tried
            return
        if pid == 0:
            keep = {theirs.fileno(), listener.fileno()}
            ours.close()
            self._become(lambda: inherit(listener, modules, tried, self._unsafe, Wire(theirs)), keep, parent=0)
        theirs.close()
        self._heir, self._importing = Wire(ours), package_of(modules[0])
        self._selector.register(ours, selectors.EVENT_READ, self._told_by_heir)

    def _told_by_heir(self) -> None:
        """What it imports next, that it serves from here on, or nothing more: what it imported last isn't safe to fork,
        takes too long, or has ended it. The next heir does without that package."""
        assert self._heir is not None and self._listener is not None
        told = self._heir.receive() or {}
        if "importing" in told:
            self._importing = told["importing"]
            return
        heir, self._heir = self._heir, None
        self._selector.unregister(heir.end)
        if "ready" in told:
            self._selector.unregister(self._listener)
            self._listener.close()
            self._listener, self._successor = None, heir
        else:
            heir.close()
            self._unsafe.add(self._importing)
        waiting, self._waiting = self._waiting, []
        for client in self._clients.values() if "ready" in told else ():
            if client not in waiting:  # who has a spare runner gets one that has learned
                with contextlib.suppress(OSError):
                    client.wire.send({"renew": True})
        for client in waiting:  # last: they ask whoever serves now, and then take no spare one that has not learned
            with contextlib.suppress(OSError):
                client.wire.send({"learned": False})

    # The end of runners

    def _kill_late(self) -> None:
        """Kill what has had its time to end."""
        now = time.monotonic()
        for pid in [pid for pid, deadline in self._ending.items() if deadline < now]:
            del self._ending[pid]
            for kill in (os.killpg, os.kill):  # it may not lead its group yet
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    kill(pid, signal.SIGKILL)
        for group in [group for group, deadline in self._left.items() if deadline < now]:
            del self._left[group]
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)

    def _reap(self) -> None:
        for ended in forking.ended_children():
            self._ending.pop(ended.pid, None)
            with contextlib.suppress(ProcessLookupError, PermissionError):  # what its code started and left
                os.killpg(ended.pid, signal.SIGTERM)
                self._left[ended.pid] = time.monotonic() + GRACE
            for client in self._clients.values():
                if client.pid == ended.pid:
                    client.pid = 0
                    with contextlib.suppress(OSError):  # it has just hung up
                        client.wire.send({"code": ended.code, "peak": ended.peak})


def inherit(
    listener: socket.socket, modules: Sequence[str], tried: Collection[str], unsafe: Collection[str], told: Wire
) -> None:
    """Import `modules`, tell that it is done, and be the template; or end, when one of them isn't safe to fork."""
    signal.alarm(PATIENCE)  # a module that never comes back is no module for a template
    connections = sockets()
    for name in modules:
        told.send({"importing": package_of(name)})
        with contextlib.suppress(BaseException):  # a module may do anything when it is imported: then it isn't there
            importlib.import_module(name)
        if threads() > 1 or sockets() > connections:
            return
    signal.alarm(0)
    told.send({"ready": True})
    Template(listener, tried, unsafe, told).serve()


def package_of(module: str) -> str:
    """The name of the package that a module is in."""
    return module.partition(".")[0]


def start(file: int) -> None:
    """Be the template whose socket, at which it is asked for runners, is the open file `file`."""
    listener = socket.socket(fileno=file)
    listener.setblocking(False)
    for name in BASE:
        importlib.import_module(name)
    Template(listener).serve()


def threads() -> int:
    """Threads of this process, those of C libraries too."""
    return len(list(Path("/proc/self/task").iterdir()))


def sockets() -> int:
    """Connections that this process has: one that several processes use at the same time is of no use to any."""
    found = 0
    for file in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the one that this looks with
            found += str(file.readlink()).startswith("socket:")
    return found


def same_user(end: socket.socket) -> bool:
    """Whether the process at the other end is this user's: an abstract address can be reached by everybody."""
    credentials = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[1]) == os.getuid()

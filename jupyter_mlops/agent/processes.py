"""The seat's side of a runner: how it is made, reached, stopped, and how it ended."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from .forking import NATIVE, THRIFTY
from .template import same_user
from .wire import Message, Wire

#: The texts of the agent's modules, by their names; whoever installs the agent sets them.
TEXTS: dict[str, str] = {}

#: Seconds that a template may take until it listens.
PATIENCE = 60.0

#: Variables that keep libraries from starting a thread as soon as they are imported, which a process that forks others
#: must not have: pyarrow's allocator, which pandas loads, too.
ALONE = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}

#: Seconds that a runner which has hung up has for its end.
PARTING = 2.0

#: Seconds between two looks whether what is waited for is still wanted.
LOOK = 0.1

#: Folders from which only the worker of this process imports: Dask puts a worker's own first in `sys.path`.
OWN: set[str] = set()

#: What a new Python process runs: it gets the texts of these modules first, or half of them where its worker just died.
_BOOT = """
import json, sys
line = sys.stdin.buffer.readline()
if not line.endswith(b"\\n"):
    sys.exit()
told = json.loads(line)
sys.path[:] = told["path"]
loading = {}
exec(told["texts"]["loading"], loading)
loading["load"](told["package"], told["texts"])
"""


@dataclass(frozen=True)
class End:
    """How a process ended: its exit code (negative: the signal that killed it) and its most memory in bytes; None where
    nobody could see it."""

    code: int | None
    peak: int | None = None


class RunnerProcess(ABC):
    """A runner's process. `wire` reaches it; what it writes arrives at the files `out` and `err`, what it logs at
    `points`."""

    pid: int

    def __init__(self) -> None:
        ours, self._theirs = socket.socketpair()
        self.wire = Wire(ours)
        self.out, self._out = os.pipe()
        self.err, self._err = os.pipe()
        self.points, self._points = os.pipe()
        for file in (self.out, self.err, self.points):
            os.set_blocking(file, False)
        self._closing = threading.Lock()
        self._closed = False

    @property
    def _files(self) -> tuple[int, int, int, int]:
        return self._theirs.fileno(), self._out, self._err, self._points

    def _hand_over(self) -> None:
        """The process has its ends of the connections."""
        self._theirs.close()
        for file in (self._out, self._err, self._points):
            os.close(file)

    @abstractmethod
    def signal(self, number: int) -> None:
        """Send it a signal; a no-op when it is gone."""

    @abstractmethod
    def learn(self, modules: list[str]) -> None:
        """Let runners to come have these modules from the start, where they can."""

    @property
    @abstractmethod
    def outdated(self) -> bool:
        """Whether it can do less than a new one would."""

    @abstractmethod
    def end(self) -> End:
        """Wait for its end: it has hung up. One that has only closed its files, and goes on, is killed."""

    def close(self) -> None:
        """Let it end, with all that it has started; what doesn't within a second is killed."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        self.wire.close()
        for file in (self.out, self.err, self.points):
            os.close(file)
        self._kill()

    @abstractmethod
    def _kill(self) -> None:
        """As `close`, for the process itself."""


class Forked(RunnerProcess):
    """One that the template has forked.

    Parameters
    ----------
    environ : variables that the template has besides those of this process, or without which it is (None): many a
        module looks at them when it is imported.

    Raises
    ------
    OSError : there is no template and none can be started, or it can't fork.
    """

    def __init__(self, environ: Mapping[str, str | None] = MappingProxyType({})) -> None:
        self._control = Wire(_connected(environ))
        self._handle = -1
        super().__init__()
        try:
            self._control.send({"do": "fork"}, self._files)
            answer = self._answer() or {"failed": "the template is gone"}
        except OSError as error:
            answer = {"failed": str(error)}
        self._hand_over()
        if "failed" in answer:
            self.close()
            raise OSError(answer["failed"])
        self.pid = answer["pid"]
        self._handle = _handle_of(self.pid)

    def signal(self, number: int) -> None:
        """As `RunnerProcess.signal`: the template knows whether it is still the same process."""
        try:
            self._control.send({"do": "signal", "number": number})
        except OSError:  # the template is gone
            self._signal_directly(number)

    def _signal_directly(self, number: int) -> None:
        """Where there is no template to do it: a process that has ended gets none, nor who has its number now."""
        with contextlib.suppress(OSError):
            if self._handle >= 0:
                signal.pidfd_send_signal(self._handle, number)

    def learn(self, modules: list[str]) -> None:
        """As `RunnerProcess.learn`: the template imports them."""
        with contextlib.suppress(OSError):
            self._control.send({"do": "learn", "modules": modules, "wait": False})

    def end(self) -> End:
        """As `RunnerProcess.end`."""
        if not _readable(self._control, PARTING):
            self.signal(signal.SIGKILL)
        answer = self._answer()
        return End(answer["code"], answer["peak"]) if answer else End(None)

    def _answer(self) -> Message | None:
        """What the template says of this runner; that it has learned something meanwhile is passed over."""
        answer = self._control.receive()
        while answer and "renew" in answer:
            answer = self._control.receive()
        return answer

    def _orphaned(self) -> bool:
        """Whether there is no template to end it."""
        while _readable(self._control, 0.0):
            if self._control.receive() is None:
                return True
        return False

    @property
    def outdated(self) -> bool:
        """As `RunnerProcess.outdated`: its template has learned since, or is gone."""
        return _readable(self._control, 0.0)

    def _kill(self) -> None:
        if self._orphaned():
            with contextlib.suppress(OSError):
                if self._handle >= 0 and not _readable(self._handle, 0.0):
                    os.killpg(self.pid, signal.SIGKILL)
            self._signal_directly(signal.SIGKILL)
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
        self._control.close()


class Fresh(RunnerProcess):
    """One that was started anew, where forking isn't safe."""

    def __init__(self) -> None:
        super().__init__()
        end, out, err, points = self._files
        work = f"import socket\nfrom {__package__} import runner, wire\n"
        work += f"runner.main(wire.Wire(socket.socket(fileno={end})), {out}, {err}, {points})"
        self._process = _started(work, environment(), self._files)
        self._hand_over()
        self.pid = self._process.pid

    def signal(self, number: int) -> None:
        """As `RunnerProcess.signal`."""
        self._process.send_signal(number)

    def learn(self, modules: list[str]) -> None:
        """As `RunnerProcess.learn`: nobody learns."""

    @property
    def outdated(self) -> bool:
        """As `RunnerProcess.outdated`."""
        return self._process.poll() is not None

    def end(self) -> End:
        """As `RunnerProcess.end`."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return End(self._process.wait(PARTING))
        self._process.kill()
        return End(self._process.wait())

    def _kill(self) -> None:
        threading.Thread(target=self._kill_late, name="mlops-kill", daemon=True).start()

    def _kill_late(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()


def make(environ: Mapping[str, str | None]) -> RunnerProcess:
    """A new runner's process, with the paths and packages that this process has now. The template that it comes from
    has the variables `environ` besides this process's, or is without them (None): many a module looks at them when it
    is imported.

    Raises
    ------
    OSError
    """
    if sys.platform == "linux":
        for _ in range(2):  # a template may be at its end when it is asked
            with contextlib.suppress(OSError):  # no template can be had: slower, and the same in all else
                return Forked(environ)
    return Fresh()


def learn(modules: list[str], environ: Mapping[str, str | None], is_wanted: Callable[[], bool]) -> None:
    """Have the template import `modules`, and wait for that as long as `is_wanted`: they are imported once for all
    workers of this machine, instead of in each runner. A no-op where there is no template."""
    learned = sys.platform != "linux"
    while not learned and is_wanted():
        try:
            wire = Wire(_connected(environ))
        except OSError:  # whoever needs a runner finds out why
            return
        try:
            wire.send({"do": "learn", "modules": modules, "wait": True})
            while not _readable(wire, LOOK) and is_wanted():
                pass
            # an heir that serves now, or is to leave out a package, is asked again; and so is who follows a dead one,
            # or has just taken over, which is told to all who are connected
            answer = wire.receive() if _readable(wire, 0.0) else None
            learned = answer is not None and answer.get("learned", False)
        except OSError:
            pass
        finally:
            wire.close()


def environment() -> dict[str, str]:
    """The variables of this process, as its runners have them. Code that makes arrays in a loop would pay for `THRIFTY`
    with a page fault for each page, each time; and its process ends with its run."""
    return {name: value for name, value in os.environ.items() if (name, value) != THRIFTY}


def paths() -> list[str]:
    """What the template imports from: it serves all workers of a machine, whose own folders its runners get later."""
    return [path for path in sys.path if path not in OWN]


def address(environ: Mapping[str, str | None]) -> str:
    """The abstract address of the template of this process's cluster on this machine. A process with other packages
    has another template, and so has one in another container, and a notebook that has set other variables."""
    seen: list[Any] = [os.getuid(), sys.executable, paths(), os.environ.get("JUPYTER_MLOPS_CLUSTER", os.getpid())]
    seen.append(sorted(environ.items()))
    seen += [str(Path(f"/proc/self/ns/{name}").readlink()) for name in ("pid", "mnt")]
    texts = "".join(TEXTS.values())
    return f"\0jupyter-mlops-{hashlib.sha256((json.dumps(seen) + texts).encode()).hexdigest()[:40]}"


def _handle_of(pid: int) -> int:
    """A file that stands for the process of that number, whoever has the number later; -1 where there is none."""
    try:
        return os.pidfd_open(pid)
    except OSError:  # it has ended, or the system is too old
        return -1


def _readable(wire: Wire | int, timeout: float) -> bool:
    poll = select.poll()
    poll.register(wire, select.POLLIN)
    return bool(poll.poll(1000 * timeout))


_starting = threading.Lock()
#: The templates that this process has started.
_templates: list[subprocess.Popen[bytes]] = []


def _connected(environ: Mapping[str, str | None]) -> socket.socket:
    where = address(environ)
    deadline = time.monotonic() + PATIENCE
    with _starting:
        while time.monotonic() < deadline:
            end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                end.connect(where)
            except OSError:  # there is none, or it has more to do than it can
                end.close()
                if not _start_template(where, environ):
                    time.sleep(0.01)
            else:
                if same_user(end):
                    return end
                end.close()
                raise PermissionError("another user has taken the address at which runners are asked for")
    raise OSError("the process that runners are forked from doesn't start")


def _start_template(where: str, environ: Mapping[str, str | None]) -> bool:
    """Whether this process has started the template of the address `where`; else another one has. Whoever has the
    address starts it: so eight workers that begin together make one, and wait in the queue of its socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        try:
            listener.bind(where)
        except OSError:
            return False
        listener.listen(128)
        changed = {**environment(), **environ, **dict.fromkeys(NATIVE, "1"), **ALONE, "MPLBACKEND": "Agg"}
        own = {name: value for name, value in changed.items() if value is not None}
        file = listener.fileno()
        process = _started(f"from {__package__} import template\ntemplate.start({file})", own, (file,))
        _templates[:] = [each for each in _templates if each.poll() is None] + [process]
        return True


def _started(work: str, environ: dict[str, str], files: tuple[int, ...] = ()) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", _BOOT + work],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=environ,
        pass_fds=files,
        start_new_session=True,
    )
    told = {"package": __package__, "texts": TEXTS, "path": paths()}
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it ended at once: whoever waits for it finds out
        process.stdin.write(json.dumps(told).encode() + b"\n")
        process.stdin.close()
    return process

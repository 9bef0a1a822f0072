"""A seat: the Dask task that supervises a runner. It passes bytes on, tells the scheduler what the runner tells, and
says how the runner ended. No code of the user runs here."""

from __future__ import annotations

import codecs
import contextlib
import os
import pickle
import select
import signal
import threading
import time
from collections import deque
from typing import Any, Protocol

from . import memory
from .points import Column, PointsIn
from .processes import RunnerProcess
from .reports import Reporter
from .stacks import FATAL, StackFile, crash_without_ours
from .wire import Message

#: Lines that are kept of what a runner wrote last, to be shown with its death.
LINES = 5

#: How often the same item may end its runner before it is the item's fault: anybody may kill a process once.
DEATHS = 2

#: What a task may display.
DISPLAYS = 50

#: Seconds for Python to write all of a crash.
CRASH = 0.2

#: How often runners may end before they have begun an item.
EARLY = 5

Outcome = dict[str, Any]


class Died(Exception):
    """The runner ended in the middle of a task."""


class Stopped(Exception):
    """The run was stopped before this task had a runner."""


class Prints(Protocol):
    """Takes what a runner writes and logs."""

    def print(self, stream: str, text: str) -> None:
        """Something was written to `stdout` or `stderr`."""

    def points(self, columns: dict[str, Column], left_out: int, trial: int | None, begins: bool) -> None:
        """Metrics were logged, as `PointsIn` tells them."""


class RunnerHandle:
    """A runner at work for a run, as its seat knows it.

    Parameters
    ----------
    process : the runner's.
    reporter : gets what it writes and logs.
    """

    def __init__(self, process: RunnerProcess, reporter: Prints) -> None:
        self.process, self._reporter = process, reporter
        self._stacks = StackFile()
        #: Of a gang.
        self.rank: int | None = None
        #: Bytes that it shares with its template, about.
        self.shared, self._kills = memory.used(process.pid), memory.kills()
        self._decoders = {file: codecs.getincrementaldecoder("utf-8")("replace") for file in (process.out, process.err)}
        self._poll = select.poll()
        for file in (process.wire.fileno(), process.out, process.err):
            self._poll.register(file, select.POLLIN)
        self._points = PointsIn(process.points, reporter.points)
        #: When the points are looked at again, on the monotonic clock; None while the first ones are waited for.
        self._again: float | None = None
        self._poll.register(process.points, select.POLLIN)
        self._last: deque[str] = deque(maxlen=LINES)
        #: What Python writes of a crash, until that is whole; and when it surely is.
        self._crash, self._whole_at = "", 0.0
        #: Bytes that the worker used, and its limit, when the runner was ended for it.
        self._ended_at: tuple[int, int] | None = None
        #: Whether it ended because there was no memory left; known once it was asked why it ended.
        self.ran_out = False

    @property
    def pid(self) -> int:
        """Its process."""
        return self.process.pid

    @property
    def memory(self) -> int:
        """As `Eater.memory`."""
        return max(0, memory.used(self.process.pid) - self.shared)

    def end_for_memory(self, used: int, limit: int) -> None:
        """As `Eater.end_for_memory`."""
        self._ended_at = self._ended_at or (used, limit)
        self.process.signal(signal.SIGKILL)

    def open(self, opening: Message, files: tuple[int, ...] = (), listener: int = -1) -> None:
        """Tell it what it is to live with, before all else: the run's big variables, and a socket to listen at."""
        self.send(opening, (*files, self._stacks.number, *([listener] if listener >= 0 else [])))

    def stacks(self) -> str:
        """Where its Python code is at this moment. Takes a second at most; any thread may ask."""
        return self._stacks.ask(self.process.signal)

    def close(self) -> None:
        """Let it end, with all that it has started."""
        self.process.close()
        self._stacks.close()

    def send(self, message: Message, files: tuple[int, ...] = ()) -> None:
        """Send it something; that it died meanwhile is found out when it is heard."""
        with contextlib.suppress(OSError):
            self.process.wire.send(message, files)

    def hear(self) -> Message:
        """What it tells next; what it writes meanwhile goes to the run.

        Raises
        ------
        Died
        """
        while True:
            for file, _ in self._poll.poll(self._until_again()):
                if file == self.process.points:
                    self._poll.unregister(file)
                    self._again = time.monotonic() + self._points.read()
                    continue
                if file != self.process.wire.fileno():
                    self._read(file)
                    continue
                message = self.process.wire.receive()
                self.drain()
                if message is None:
                    raise Died
                return message
            if self._crash and time.monotonic() >= self._whole_at:
                self._tell_crash()

    def drain(self) -> None:
        """Take in what it has written so far."""
        for file in self._decoders:
            while self._read(file):
                pass
        self._tell_crash()
        self._points.drain()

    def why(self) -> tuple[str, str]:
        """How it ended: the name of the error, and a sentence; and what it wrote last."""
        end = self.process.end()
        if self._ended_at is not None:
            used, limit = (_size(number) for number in self._ended_at)
            text = f"OutOfMemory: the code's process was ended, since its worker used {used} of {limit}"
            self.ran_out = True
        elif end.code == -signal.SIGKILL and memory.kills() > self._kills:
            text = "OutOfMemory: the system ended the code's process, since the memory of its container was full"
            text += f"; the process had {_size(end.peak)}" if end.peak else ""
            self.ran_out = True
        elif end.code is None:
            text = "ProcessEnded: the code's process ended, and nobody saw how"
        elif end.code < 0:
            text = f"ProcessEnded: the code's process was ended by {_signal(-end.code)}"
        else:
            text = f"ProcessEnded: the code ended its own process with exit code {end.code}"
        last = "".join(self._last).rstrip()
        return text, f"The last that it wrote:\n{last}\n" if last else ""

    def _until_again(self) -> float | None:
        """Milliseconds until the points are looked at again: they are gathered meanwhile. Or for a crash to be told."""
        if self._crash:
            return 1000 * max(0.0, self._whole_at - time.monotonic())
        if self._again is None:
            return None
        left = self._again - time.monotonic()
        if left > 0:
            return 1000 * left
        self._again = None
        self._poll.register(self.process.points, select.POLLIN)
        return None

    def _read(self, file: int) -> bool:
        """Read some; whether there may be more."""
        try:
            data = os.read(file, 65536)
        except BlockingIOError:
            return False
        if not data:
            with contextlib.suppress(KeyError):
                self._poll.unregister(file)
            return False
        text = self._decoders[file].decode(data)
        if file == self.process.err and (self._crash or FATAL in text):
            self._whole_at = self._whole_at if self._crash else time.monotonic() + CRASH
            self._crash += text
        else:
            self._print("stdout" if file == self.process.out else "stderr", text)
        return True

    def _tell_crash(self) -> None:
        text, self._crash = crash_without_ours(self._crash), ""
        if text:
            self._print("stderr", text)

    def _print(self, stream: str, text: str) -> None:
        self._last.extend(text.splitlines(keepends=True)[-LINES:])
        self._reporter.print(stream, text)


class Runners(Protocol):
    """The runners of a run on this worker, as a seat knows them."""

    @property
    def stopped(self) -> bool:
        """Whether the run was stopped."""

    @property
    def turns(self) -> threading.Semaphore:
        """What a task holds while it is at work, once the code delegates."""

    #: Whether the code has waited for other tasks of the cluster.
    delegates: bool

    def take(self) -> RunnerHandle:
        """One for a task. Raises `OSError`, `Stopped`."""

    def give_back(self, runner: RunnerHandle) -> None:
        """The task is over."""

    def lost(self, runner: RunnerHandle) -> None:
        """It has ended by itself."""


class Seat:
    """One task of a run.

    Parameters
    ----------
    key : the task's, in Dask.
    part : what the task doesn't share with others.
    reporter : tells the scheduler.
    runners : gives runners of this run.
    """

    def __init__(
        self, key: str, head: dict[str, Any], part: dict[str, Any], reporter: Reporter, runners: Runners
    ) -> None:
        self._key, self._head, self._part, self._reporter, self._runners = key, head, part, reporter, runners
        self._careful = Careful(part, head["on_error"] == "raise")
        self._displays = Displayed()

    def sit(self) -> Outcome:
        """Have a runner execute the task; what it gave, as plain data."""
        try:
            return {**self._in_turn(), "displays": self._displays.kept}
        except Stopped:
            return {"stopped": True}

    def _in_turn(self) -> Outcome:
        """A run whose code waits for other tasks keeps no thread from them. So that not all of its tasks are at work at
        once, they take turns."""
        if not self._runners.delegates:
            return self._sit()
        secede()
        with self._runners.turns:
            return self._sit()

    def _sit(self) -> Outcome:
        runner = self._runners.take()
        runner.send(self._part)
        try:
            outcome = self._listen(runner)
        except Died:
            error, last = runner.why()
            self._runners.lost(runner)
            if self._runners.stopped:
                return {"stopped": True}
            if self._head["kind"] != "map":
                return {"errors": [dead(error, last, 0, "")]}
            return self._one_by_one()
        self._runners.give_back(runner)
        return outcome

    def _one_by_one(self) -> Outcome:
        """The batch again, item by item: an item whose runner ends is that item's error, and no other's."""
        while not self._careful.done and not self._runners.stopped:
            runner = self._runners.take()
            runner.send({**self._part, "careful": True, "after": self._careful.next})
            try:
                outcome = self._listen(runner)
            except Died:
                error, last = runner.why()
                self._runners.lost(runner)
                self._careful.died(error, last)
            else:
                self._runners.give_back(runner)
                if outcome.get("broken"):
                    return outcome
                break
        return {"stopped": True} if self._runners.stopped else self._careful.outcome()

    def _listen(self, runner: RunnerHandle) -> Outcome:
        while True:
            message = runner.hear()
            kind = message.pop("kind")
            if kind == "end":
                modules = message.pop("modules")
                if modules:
                    runner.process.learn(modules)
                return message
            if kind in ("progress", "report"):
                self._reporter.send(kind, key=self._key, **message)
            elif kind == "display":
                self._displays.add(message)
            elif kind in ("param", "rows"):
                self._reporter.send(kind, **message)
            elif kind == "secede":
                self._runners.delegates = True
                secede()
            elif kind in ("item", "result"):
                self._careful.hear(kind, message)
                self._reporter.send("progress", key=self._key, **self._careful.counts())


class Displayed:
    """What a task's code has displayed: it goes with the task's outcome."""

    def __init__(self) -> None:
        self.kept: list[Message] = []

    def add(self, message: Message) -> None:
        """Keep it, unless it is too much; a new look takes the place of an old one."""
        if message["update"]:
            self.kept = [each for each in self.kept if not (each["update"] and each["id"] == message["id"])]
        if len(self.kept) < DISPLAYS:
            self.kept.append(message)


class Careful:
    """A batch whose items are executed one by one: which are done, and what they gave."""

    def __init__(self, part: dict[str, Any], stop_at_error: bool) -> None:
        self._start, self._total = part.get("start", 0), part.get("n", 1)
        self._stop_at_error = stop_at_error
        self._pieces: list[bytes] = []
        self._errors: list[dict[str, Any]] = []
        self._now: tuple[int, str] | None = None
        self._deaths = self._early = 0

    @property
    def next(self) -> int:
        """The item that is next, counted from the batch's first."""
        return len(self._pieces)

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do."""
        return self.next >= self._total or (self._stop_at_error and bool(self._errors))

    def counts(self) -> dict[str, int]:
        """Items that are done, and that failed."""
        return {"done": self.next, "failed": len(self._errors)}

    def hear(self, kind: str, message: Message) -> None:
        """A runner begins an item, or has its result."""
        if kind == "item":
            self._now = message["position"], message["item"]
            return
        self._pieces.append(message["values"])
        self._errors += message["errors"]
        self._now, self._deaths, self._early = None, 0, 0

    def died(self, error: str, last: str) -> None:
        """The runner ended: when that has happened with this item before, it is the item's error."""
        begun, self._now = self._now, None
        if begun is None:
            self._early += 1
        else:
            self._deaths += 1
        if self._deaths < DEATHS and self._early < EARLY:
            return
        position, item = begun or (self.next, "")
        self._pieces.append(pickle.dumps([None], protocol=5))
        self._errors.append(dead(error, last, self._start + position, item))
        self._deaths = self._early = 0

    def outcome(self) -> Outcome:
        """What the batch gave."""
        return {"n": self.next, "start": self._start, "errors": self._errors, "pieces": self._pieces}


def dead(error: str, last: str, index: int, item: str) -> dict[str, Any]:
    """The record of an error that nobody could catch: as those of `failures.record`."""
    return {
        "error": error,
        "traceback": f"{error}\n{last}",
        "frames": [],
        "exception": None,
        "index": index,
        "item": item,
    }


def secede() -> None:
    """Give the worker's thread back: the code waits for other tasks, which may need it."""
    from distributed import secede as leave

    with contextlib.suppress(ValueError, KeyError):  # it has left already
        leave()


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"

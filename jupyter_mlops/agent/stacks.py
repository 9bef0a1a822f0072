"""The Python stacks of a runner, also of one that is blocked in C code: it writes them down when it gets a signal.

The runner itself has no part in that but to ask Python for it at its start. What it writes to is a file of the seat's
that has no name.
"""

from __future__ import annotations

import _thread
import contextlib
import faulthandler
import os
import re
import signal
import time
from collections.abc import Callable, Iterator

from . import buffers

#: A signal that hardly any other code uses.
SIGNAL = getattr(signal, "SIGRTMAX", signal.SIGUSR2 + 3) - 3

#: Seconds that a runner may take to write, and between two looks; it has ended when there is no more at the second.
PATIENCE, LOOK = 1.0, 0.05

#: What is written once the signal is heeded: before that it would end the process.
_HEEDS = b"\n"

#: The most that is read.
MOST = 100_000

#: How frames of our own code are told, and the one that calls the run's.
_OURS, _CALLER = '"<jupyter-mlops ', '"<jupyter-mlops kinds>"'

#: How it begins what Python writes of a crash, and our frames in it, with that of the program itself at their end.
FATAL = "Fatal Python error: "
_FRAMES = re.compile(r'(?:^  File "<jupyter-mlops \w+>", line .*\n)+(?:^  File "<string>", line .*\n)?', re.MULTILINE)


def heed(file: int) -> None:
    """In the runner: write the stacks of all threads to `file` whenever the signal comes."""
    os.set_inheritable(file, False)
    with contextlib.suppress(OSError, ValueError, AttributeError):  # a system without such signals has no stacks
        faulthandler.register(SIGNAL, file=file, all_threads=True)
        os.write(file, _HEEDS)


@contextlib.contextmanager
def heeded_elsewhere() -> Iterator[None]:
    """While the block lasts another thread heeds the signal, and interrupts no system call of this one: LightGBM takes
    that for the end of a connection."""
    over = _thread.allocate_lock()
    over.acquire()
    _thread.start_new_thread(_wait, (over,))  # before: a thread begins with the signals that its maker heeds
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {SIGNAL})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        over.release()


def _wait(over: _thread.LockType) -> None:
    over.acquire()


class StackFile:
    """The seat's end: where a runner writes its stacks."""

    def __init__(self) -> None:
        self._file = open(buffers.unnamed(), "rb", buffering=0)  # noqa: PTH123, SIM115 - it has no path; it stays open

    @property
    def number(self) -> int:
        """The open file, for the runner; raises `ValueError` once that has ended."""
        return self._file.fileno()

    def ask(self, send: Callable[[int], None]) -> str:
        """The stacks now, the innermost call first; empty where there are none to be had. Takes a second at most.

        Parameters
        ----------
        send : sends the runner a signal.
        """
        try:
            begin = os.fstat(self.number).st_size
            if begin < len(_HEEDS):
                return ""
            send(SIGNAL)
            return without_ours(os.pread(self.number, MOST, self._grown(begin)).decode(errors="replace"))
        except (OSError, ValueError):  # the runner ended meanwhile, and this with it
            return ""

    def _grown(self, begin: int) -> int:
        """Wait until it has been written to, and is no more; `begin` is where that began."""
        deadline, before = time.monotonic() + PATIENCE, begin
        while time.monotonic() < deadline:
            time.sleep(LOOK)
            now = os.fstat(self.number).st_size
            if now == before and now > begin:
                break
            before = now
        return begin

    def close(self) -> None:
        """The runner has ended."""
        self._file.close()


def without_ours(text: str) -> str:
    """Stacks as Python writes them, without the frames that have called the run's code, and the threads that have no
    others."""
    threads: list[list[str]] = []
    for line in text.splitlines():
        if line.startswith(" "):
            threads[-1].append(line)
        elif line:
            threads.append([line])
    shown = [[line, *_of_the_code(frames)] for line, *frames in threads]
    return "\n\n".join("\n".join(lines) for lines in shown if len(lines) > 1)


def crash_without_ours(text: str) -> str:
    """What Python wrote of a crash, without the frames that have called the run's code."""
    return _FRAMES.sub("", text)


def _of_the_code(frames: list[str]) -> list[str]:
    """Those that are the code's, or what it has called."""
    callers = next((number for number, frame in enumerate(frames) if _CALLER in frame), len(frames))
    own = frames[:callers]
    return own if any(_OURS not in frame for frame in own) else []

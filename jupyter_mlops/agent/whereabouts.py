"""Where a rank's code is, looked at about once a second from a thread of its own: whether it trains, waits for its
data, or is in a collective operation of PyTorch.

A look takes some ten microseconds, and reads only what Python and the system know anyhow. What it can't tell is said
to be unknown: operations on GPUs go on behind the code's back, and what waits in C code that user code calls by itself
(`Work.wait()`) looks as computing does.
"""

from __future__ import annotations

import _thread
import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any, Literal

#: Seconds between two looks, on average. They are spread, so that steps that take as long aren't always met at the
#: same place: the golden section does that without a random number, whose seed is the user's.
EVERY, SECTION = 1.0, 0.6180339887

#: Frames that are looked at, from the innermost one on.
DEEP = 100

#: The files of PyTorch that make batches, and of those the ones where a rank does so itself.
LOADS, READS = "/torch/utils/data/dataloader.py", "/torch/utils/data/_utils/fetch.py"

#: Where the innermost frame is of who waits in a collective, in any case; and where it may be, if all of the process
#: sleeps: in backward passes, in which DDP exchanges gradients, and in FSDP's own code.
TALKS = ("/torch/distributed/distributed_c10d.py", "/torch/distributed/_functional_collectives.py")
MAY_TALK = ("/torch/autograd/", "/torch/distributed/fsdp/", "/torch/distributed/_composable/")

#: What the system tells of the threads of this process: nothing but on Linux.
TASKS = Path("/proc/self/task")

#: Threads that send and receive while the others sleep.
GLOO = "pt_gloo"

Where = Literal["talking", "loading", "reading", "elsewhere", "unknown"]

#: Gets where the code was at a look, and whether nobody could say if it was in a collective.
Count = Callable[[Where, bool], None]


class RankLooks:
    """Looks at the thread that makes it, for as long as the process lives.

    Parameters
    ----------
    count : gets what each look gave, in another thread.
    """

    def __init__(self, count: Count) -> None:
        self._count, self._thread, self._native = count, threading.get_ident(), threading.get_native_id()
        _thread.start_new_thread(self._look_on, ())

    def _look_on(self) -> None:
        own, part = threading.get_native_id(), 0.0
        while True:
            part = (part + SECTION) % 1.0
            time.sleep(EVERY * (0.5 + part))
            where, talks = where_is(_files_of(self._thread)), exchanges()
            if where == "unknown":
                where = "talking" if talks and TASKS.exists() and _sleeps(self._native, own) else "elsewhere"
            self._count(where, talks and _is_blind())


def exchanges() -> bool:
    """Whether the process is in a group of PyTorch's: it has threads of its own for that, and one more is no harm."""
    distributed = sys.modules.get("torch.distributed")
    with contextlib.suppress(Exception):  # a build without it
        return bool(distributed is not None and distributed.is_initialized())
    return False


def _is_blind() -> bool:
    """Whether nobody can see from here that the process is in a collective: where these go on on GPUs, or the system
    doesn't tell who sleeps."""
    torch: Any = sys.modules.get("torch")
    with contextlib.suppress(Exception):  # another version
        elsewhere = torch.cuda.is_initialized() or torch.distributed.get_backend() != "gloo"
        return bool(elsewhere or not TASKS.exists())
    return True


def where_is(files: Iterable[str]) -> Where:
    """Where code is whose frames are in these files, the innermost first; "unknown" where that depends on whether its
    process sleeps."""
    files = list(files)
    if any(file.endswith(READS) for file in files):
        return "reading"
    if any(file.endswith(LOADS) for file in files):
        return "loading"
    innermost = files[0] if files else ""
    if innermost.endswith(TALKS):
        return "talking"
    return "unknown" if any(part in innermost for part in MAY_TALK) else "elsewhere"


def _files_of(thread: int) -> list[str]:
    """The files of a thread's frames, the innermost first. Nothing here waits: for as long as a frame is held, its
    variables live."""
    frame: FrameType | None = sys._current_frames().get(thread)  # noqa: SLF001 - as Python's own profilers do
    files: list[str] = []
    while frame is not None and len(files) < DEEP:
        files.append(frame.f_code.co_filename)
        frame = frame.f_back
    return files


def _sleeps(thread: int, own: int) -> bool:
    """Whether a thread of this process waits, and no other one computes for it, the asking one (`own`) apart."""
    for task in TASKS.iterdir():
        if task.name == str(own):
            continue
        with contextlib.suppress(OSError, ValueError):
            name, _, rest = (task / "stat").read_text().partition("(")[2].rpartition(")")
            if rest.split()[0] == "R" and (task.name == str(thread) or not name.startswith(GLOO)):
                return False
    return True

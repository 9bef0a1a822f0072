"""The files of a cluster's folder, and of its runs', written in one thread, so that a slow or full disk never stops the
scheduler.

What can't be written is kept in memory in its order and tried again, and `problem` says so until it worked.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from ..core.base import Seconds
from ..core.cluster import Problem
from ..home import torn, write_whole

#: Opens a path as `os.open` does; swapped in tests.
Opener = Callable[[str, int], int]

_Job = tuple[Literal["append", "replace"], str, str]


def open_private(path: str, flags: int) -> int:
    """Open a file that only its owner may read."""
    return os.open(path, flags, 0o600)


class Disk:
    """Appends lines to files of `folder` and replaces files, in the order in which it was asked.

    Parameters
    ----------
    folder : where the files are; None keeps nothing, for clusters without a folder.
    opener : opens files, as `os.open`.
    thread : the one in which it is written; default: one of its own, which ends with it.
    """

    def __init__(
        self, folder: Path | None, opener: Opener = open_private, thread: ThreadPoolExecutor | None = None
    ) -> None:
        self.folder = folder
        self.problem: Problem | None = None
        self._opener = opener
        self._jobs: deque[_Job] = deque()
        #: Files that are known to end with a whole line.
        self._whole: set[str] = set()
        self._lock = threading.Lock()
        self._draining = self._closed = False
        self._own = thread is None
        self._thread = thread or ThreadPoolExecutor(1, thread_name_prefix="mlops-disk")

    def beside(self, folder: Path | None) -> Disk:
        """That of another folder, written by turns with this one, in the same thread: to be closed before this one."""
        return Disk(folder, self._opener, self._thread)

    def read(self, name: str) -> str:
        """The text of a file; empty when there is none. Blocks: only for the start."""
        if self.folder is None:
            return ""
        try:
            return (self.folder / name).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def changed(self, name: str) -> float | None:
        """When a file was last written or touched, in seconds since the epoch; None when there is none."""
        if self.folder is None:
            return None
        try:
            return (self.folder / name).stat().st_mtime
        except OSError:
            return None

    def append(self, name: str, line: str) -> None:
        """Add a line to the file `name`, soon."""
        self._add(("append", name, line + "\n"))

    def replace(self, name: str, text: str) -> None:
        """Make `text` the content of the file `name`, soon and at once: a reader sees the old or the new."""
        self._add(("replace", name, text))

    def touch(self, name: str) -> None:
        """Set the file's time of change to now, soon: a heartbeat that needs no space on the disk."""
        if self.folder is not None:
            path = self.folder / name
            self._thread.submit(_touch, path)

    def retry(self) -> None:
        """Try again what could not be written."""
        if self._jobs:
            self._start()

    async def flush(self, timeout: Seconds = 5.0) -> bool:
        """Write what is left, for at most `timeout` seconds. False when something could not be written."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while (self._jobs or self._draining) and (left := deadline - loop.time()) > 0:
            self.retry()
            await (asyncio.sleep(min(0.2, left)) if self.problem is not None else self._turn(left))
        return not self._jobs

    async def _turn(self, timeout: Seconds) -> None:
        """Return when the thread has done what it was told so far."""
        try:
            turn = asyncio.wrap_future(self._thread.submit(int))
        except RuntimeError:  # it is closed, and ends what it has begun
            await asyncio.sleep(min(0.02, timeout))
            return
        await asyncio.wait({turn}, timeout=timeout)

    async def close(self, timeout: Seconds = 5.0) -> None:
        """Write what is left, for at most `timeout` seconds, and then no more; end the thread, if it is its own."""
        await self.flush(timeout)
        self._closed = True
        if self._own:
            self._thread.shutdown(wait=False)

    def _add(self, job: _Job) -> None:
        if self.folder is None:
            return
        with self._lock:
            self._jobs.append(job)
        if self.problem is None:
            self._start()

    def _start(self) -> None:
        with self._lock:
            if self._draining or self._closed:
                return
            self._draining = True
        if not self._take_turn():
            self._draining = False

    def _take_turn(self) -> bool:
        """Have something written when those before are through; whether there is a thread for that still."""
        try:
            self._thread.submit(self._drain)
        except RuntimeError:  # closed
            return False
        return True

    def _drain(self) -> None:
        """Write some of it, and then let others write: one that is told something all the time keeps nobody waiting."""
        while self._wrote_some():
            if self._take_turn():
                return

    def _wrote_some(self) -> bool:
        """Whether something was written; there may be more then."""
        with self._lock:
            batch = self._batch()
            if not batch:
                self.problem = None
                self._draining = False  # last: who waits for the end may not find the problem still there
                return False
        try:
            self._write(batch)
        except OSError as error:
            with self._lock:
                self.problem = _problem(error, self.folder)
                self._draining = False
            return False
        with self._lock:
            for _ in batch:
                self._jobs.popleft()
        return True

    def _batch(self) -> list[_Job]:
        """The jobs at the front that one write can do: a replacement, or all lines for the same file."""
        batch: list[_Job] = []
        for job in self._jobs:
            if batch and (job[0] == "replace" or job[:2] != batch[0][:2]):
                break
            batch.append(job)
            if job[0] == "replace":
                break
        return batch

    def _write(self, batch: list[_Job]) -> None:
        assert self.folder is not None
        kind, name, _ = batch[0]
        path = self.folder / name
        data = "".join(job[2] for job in batch).encode()
        if kind == "append":
            if name not in self._whole and torn(path):
                data = b"\n" + data
            self._write_all(path, data, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            self._whole.add(name)
            return
        temporary = path.with_name(f".{name}.new")
        self._write_all(temporary, data, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        temporary.replace(path)

    def _write_all(self, path: Path, data: bytes, flags: int) -> None:
        file = self._opener(str(path), flags)
        try:
            write_whole(file, data)
        finally:
            os.close(file)


def _touch(path: Path) -> None:
    with contextlib.suppress(OSError):  # no file yet, or the folder is gone: there is nothing to keep alive
        os.utime(path)


def _problem(error: OSError, folder: Path | None) -> Problem:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Problem(
            what="The disk is full",
            why=f"the cluster's records can't be written to {folder}; they are kept in memory",
            todo="Make room on the disk; nothing is lost while the cluster runs.",
        )
    return Problem(
        what="The cluster's records can't be written",
        why=str(error),
        todo=f"Look at the folder {folder}; nothing is lost while the cluster runs.",
    )

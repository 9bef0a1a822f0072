"""One object holds all that a user's process (a notebook's kernel, a script) needs while it works on clusters.

A forked child gets an object of its own: the user's choices are copied, connections and threads are not shared.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from ..loop_thread import LoopThread
from ..quiet import keep_dask_quiet

if TYPE_CHECKING:
    from ...core.run import RunState
    from .session import Sessions

#: Called on the loop's thread with a run that began or is over; returns at once and raises nothing.
Observer = Callable[["RunState"], None]


class Kernel:
    """The choices of a process's user, its connections and its threads. Threads are made on first use."""

    def __init__(self) -> None:
        #: The id of the cluster of all runs that name none.
        self.selected: str | None = None
        #: The ids of this user's clusters that runs went to, or that were started here; runs go on at the last one.
        self.used: list[str] = []
        #: The ids of clusters that get the packages that they lack without being asked for each time.
        self.synced: set[str] = set()
        #: The ids of the runs that this process has begun.
        self.begun: set[str] = set()
        #: Who hears of runs.
        self.observers: list[Observer] = []
        self._lock = threading.Lock()
        self._loop_thread: LoopThread | None = None
        self._sessions: Sessions | None = None
        self._writer: ThreadPoolExecutor | None = None

    @property
    def recent(self) -> str | None:
        """The cluster that was used last."""
        return self.used[-1] if self.used else None

    def use(self, cluster: str) -> None:
        """From now on the cluster with this id is the one that was used last."""
        self.used = [*(each for each in self.used if each != cluster), cluster]

    @property
    def loop_thread(self) -> LoopThread:
        """The thread in which everything asynchronous goes on."""
        with self._lock:
            if self._loop_thread is None:
                self._loop_thread = LoopThread()
            return self._loop_thread

    @property
    def sessions(self) -> Sessions:
        """The open connections to clusters, for use on the loop's thread."""
        from .session import Sessions  # Dask: not before there is something to connect to

        with self._lock:
            if self._sessions is None:
                keep_dask_quiet()
                self._sessions = Sessions()
            return self._sessions

    @property
    def writer(self) -> ThreadPoolExecutor:
        """One thread that writes the records of all runs, so that no run waits for the disk."""
        with self._lock:
            if self._writer is None:
                self._writer = ThreadPoolExecutor(1, thread_name_prefix="mlops-record")
            return self._writer

    def observe(self, observer: Observer) -> None:
        """From now on tell `observer` of the start and the end of each run; once is enough."""
        if observer not in self.observers:
            self.observers.append(observer)

    def tell(self, run: RunState) -> None:
        """Tell the observers how `run` is now."""
        for observer in self.observers:
            observer(run)

    def forked(self) -> Kernel:
        """The kernel of a forked child: the same choices, nothing else."""
        child = Kernel()
        child.selected, child.used = self.selected, list(self.used)
        child.synced, child.observers, child.begun = set(self.synced), list(self.observers), set(self.begun)
        return child


_kernel = Kernel()

#: Those of a forked child's parents. Kept, and never used: letting go of one would close what its process uses.
_parents: list[Kernel] = []


def kernel() -> Kernel:
    """The one of this process."""
    return _kernel


def loop_thread() -> LoopThread:
    """The loop thread of this process."""
    return _kernel.loop_thread


def _after_fork() -> None:
    global _kernel
    _parents.append(_kernel)
    _kernel = _kernel.forked()


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=_after_fork)

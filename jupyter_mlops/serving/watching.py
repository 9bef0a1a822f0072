"""The watching of the version that serves: its watcher, and what is done about that in threads."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

import psutil

from ..core.base import Seconds
from ..core.cluster import Problem
from ..core.service import ServiceSpec
from ..home.services import ServiceFolder
from .fleet import Fleet
from .frames import Frame
from .watcher import Watcher

#: Seconds between two looks while there is nothing to watch.
_PAUSE: Seconds = 1.0

_T = TypeVar("_T")


class Watching:
    """Watches what a service is asked, version after version. It works on data that people's code has made: whatever
    comes of that, the service goes on.

    Parameters
    ----------
    say : called with a line for the log.
    """

    def __init__(self, folder: ServiceFolder, say: Callable[[str], None]) -> None:
        self._folder, self._say = folder, say
        self._watcher: Watcher | None = None
        self._one, self._logging = asyncio.Lock(), asyncio.Lock()

    @property
    def alarm(self) -> Problem | None:
        """As `Watcher.alarm`."""
        return None if self._watcher is None else self._watcher.alarm

    @property
    def unkept(self) -> str:
        """As `Watcher.unkept`."""
        return "" if self._watcher is None else self._watcher.unkept

    @property
    def pause(self) -> Seconds:
        """Seconds until the next look."""
        return _PAUSE if self._watcher is None else self._watcher.pause

    async def of(self, wanted: ServiceSpec) -> Watcher | None:
        """The watcher of the wanted version: more replicas of the same version are watched with those before."""
        if self._watcher is not None and self._watcher.digest == wanted.digest:
            return self._watcher
        return await self.aside(lambda: Watcher(self._folder, wanted, self._say))

    def follow(self, watcher: Watcher | None, wanted: ServiceSpec) -> Watcher | None:
        """Watch the wanted version from now on; the watcher of the one before, which is to be ended."""
        before, self._watcher = self._watcher, watcher
        if watcher is not None:
            watcher.follow(wanted)
        return before if before is not watcher else None

    def hear(self, told: Frame) -> None:
        """What a replica has counted."""
        if self._watcher is not None:
            self._watcher.hear(told)

    def hold(self, spec: ServiceSpec, fleet: Fleet, idle: Iterable[int] = ()) -> None:
        """Count what the replicas hold: a CPU each, and their memory; or, of a pod, what its profile gives it.

        Parameters
        ----------
        idle : processes that are kept beside them, and hold memory only.
        """
        if self._watcher is None or not fleet.replicas:
            return
        if (profile := spec.profile) is not None:
            self._watcher.hold(profile.groups[0].cpus, profile.groups[0].memory)
        else:
            pids = [*(each.state().pid for each in fleet.replicas), *idle]
            self._watcher.hold(len(fleet.replicas), sum(map(_memory, pids)))

    async def look(self) -> None:
        """Have the watcher look: the one that is there when it comes to that."""
        await self.aside(lambda: None if self._watcher is None else self._watcher.look())

    async def log(self, *, last: bool = False) -> None:
        """Have it keep what was logged; no look waits for it, and so no wish. `last`: whether nobody does so again."""
        await self.aside(lambda: None if self._watcher is None else self._watcher.log(last=last), logs=True)

    async def aside(self, act: Callable[[], _T], *, logs: bool = False) -> _T | None:
        """Have something done about watching, one after another, in a thread: no answer waits for it.

        Parameters
        ----------
        logs : whether it is about the log, which may take long.
        """
        try:
            async with self._logging if logs else self._one:
                return await asyncio.to_thread(act)
        except Exception as error:  # noqa: BLE001 - as told above
            self._say(f"it can't be watched: {type(error).__name__}: {error}")
            return None


def _memory(pid: int | None) -> int:
    """Bytes of a process that isn't gone."""
    try:
        return 0 if pid is None else int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def say(line: str) -> None:
    """A line of the service's log."""
    sys.stderr.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")
    sys.stderr.flush()

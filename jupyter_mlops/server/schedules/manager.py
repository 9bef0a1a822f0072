"""Notebooks that run by themselves, as browsers see them. A process of its own runs them here, Kubernetes there; here
they are listed, asked for and ended."""

from __future__ import annotations

import asyncio
import time
from logging import Logger
from typing import Any

from ...core.base import Seconds, read_request
from ...core.errors import Conflict, InvalidInput, NotFound
from ...core.schedule import (
    HERE,
    Schedule,
    ScheduleAnswer,
    ScheduleAsked,
    ScheduleList,
    ScheduleRequest,
    ScheduleView,
)
from ...home.process import answer_of
from ...home.schedules import ask_for_run, end_of_log, read_all_placed, read_schedules, remove_schedule
from ...pipelines.clock import ensure_clock
from ...pipelines.there import SchedulesThere, end_there, log_there, schedules_there
from ..stream.hub import Hub
from ..stream.looker import Looker
from .notebooks import Root, program_of
from .views import Views, by_name, id_of

#: Seconds between two looks at those of this machine, while there is a browser; and at those of other places, where
#: there are any, and where there are none: each is a request to Kubernetes at least.
_LOOK: Seconds = 2.0
_LOOK_THERE: Seconds = 30.0
_LOOK_FOR_FIRST: Seconds = 300.0

#: Seconds that it may take to have one run by itself: packages are looked up, and Kubernetes is asked.
_PATIENCE: Seconds = 300.0

#: Bytes of a log that are sent, and of its lines.
_MOST_LOG, _MOST_LINES = 300_000, 3000


class ScheduleManager:
    """The door to notebooks that run by themselves, off the event loop; tells browsers of them.

    Parameters
    ----------
    root : the folder that the server shows.
    """

    def __init__(self, hub: Hub, log: Logger, root: str) -> None:
        self._hub, self._root = hub, Root(root)
        self._views = Views(self._root)
        self._there = SchedulesThere([], [], [])
        self._placed = list[Schedule]()
        self._look_again = 0.0
        self._asking = asyncio.Lock()
        self._looker = Looker(hub, log, "schedules", _LOOK, self.publish)
        self._looker_there = Looker(hub, log, "schedules of other places", _LOOK, self._look_there)

    def start(self) -> None:
        """Begin to look."""
        self._looker.start()
        self._looker_there.start()

    async def close(self) -> None:
        """Stop looking. What is scheduled goes on."""
        await self._looker.close()
        await self._looker_there.close()

    async def publish(self) -> None:
        """Tell browsers of those that there are now; of other places, what these said last."""
        self._hub.put("schedules", "", await asyncio.to_thread(self._list))

    async def listed(self) -> ScheduleList:
        """All. Other places are asked as often as for browsers."""
        await self._look_there()
        return await asyncio.to_thread(self._list)

    async def schedule(self, body: dict[str, Any], kernels: Any = None) -> ScheduleAnswer:
        """Have a notebook run by itself, and tell what there is to say of that; raises as `Pipeline.schedule`.

        Parameters
        ----------
        kernels : the server's `KernelSpecManager`.
        """
        asked = read_request(ScheduleRequest, body, "schedule")
        notebook = await asyncio.to_thread(self._root.file, asked.path)
        before = next((each for each in self._all() if each.notebook == str(notebook)), None)
        files = before.files if before is not None and asked.place not in (None, HERE) else []
        work = ScheduleAsked(notebook=str(notebook), files=files, **asked.model_dump(exclude={"path"}))
        what = f"{notebook.name} doesn't run by itself"
        program = await asyncio.to_thread(program_of, notebook, kernels)
        try:
            return await answer_of(
                "jupyter_mlops.pipelines.worker", work, ScheduleAnswer, what, _PATIENCE, program=program
            )
        finally:
            await self._changed(asked.place)

    async def unschedule(self, schedule: str) -> None:
        """Have one run by itself no more; raises `NotFound`, `Unavailable`, `Refused`."""
        found = await self._find(schedule)
        end = end_there if found.place != HERE else lambda found: remove_schedule(found.notebook)
        try:
            await asyncio.to_thread(end, found)
        finally:
            await self._changed(found.place)

    async def run_now(self, schedule: str) -> ScheduleView:
        """Have one of this machine run at once; raises `NotFound`, `InvalidInput`, `Conflict`."""
        found = await self._find(schedule)
        if found.place != HERE:
            raise InvalidInput("It can't be run between times", "that can be done for those of this machine only", "")
        if self._views.of(found, time.time()).phase == "running":
            raise Conflict("It runs already", "a notebook never runs twice at the same time", "Wait until it is done.")
        asked = await asyncio.to_thread(ask_for_run, found.notebook, time.time())
        if asked is None:
            raise _unknown()
        await asyncio.to_thread(ensure_clock)
        await self.publish()
        return self._views.of(asked, time.time())

    async def log(self, schedule: str) -> list[str]:
        """The end of what the last run of one printed; raises `NotFound`, `Unavailable`, `Refused`."""
        found = await self._find(schedule)
        if found.place == HERE:
            lines = await asyncio.to_thread(end_of_log, found.notebook, _MOST_LOG)
        else:
            lines = await asyncio.to_thread(log_there, found)
        return lines[-_MOST_LINES:]

    def _all(self) -> list[Schedule]:
        return [*read_schedules(), *self._there.found, *(each for each, _ in self._there.unheard)]

    async def _find(self, schedule: str) -> Schedule:
        for look in (False, True):
            if look:
                await self._look_there()
            for each in await asyncio.to_thread(self._all):
                if id_of(each) == schedule:
                    return each
        raise _unknown()

    def _list(self) -> ScheduleList:
        now, there = time.time(), self._there
        views = [self._views.of(each, now) for each in (*read_schedules(), *there.found)]
        views += [self._views.of(each, now, silence) for each, silence in there.unheard]
        return ScheduleList(schedules=by_name(views), silent=there.problems)

    async def _changed(self, place: str | None) -> None:
        """Something was asked for, perhaps in another place."""
        await (self.publish() if place == HERE else self._look_there(at_once=True))

    async def _look_there(self, *, at_once: bool = False) -> None:
        """Ask other places, `at_once`, or where it is time to, or something else was asked of them from here."""
        async with self._asking:
            placed = await asyncio.to_thread(read_all_placed)
            if not at_once and time.monotonic() < self._look_again and placed == self._placed:
                return
            await asyncio.to_thread(ensure_clock)  # it may have been ended
            self._there, self._placed = await asyncio.to_thread(schedules_there), placed
            some = bool(self._there.found or self._there.unheard or self._there.problems)
            self._look_again = time.monotonic() + (_LOOK_THERE if some else _LOOK_FOR_FIRST)
        await self.publish()


def _unknown() -> NotFound:
    return NotFound("It doesn't run by itself", "somebody has ended that meanwhile", "")

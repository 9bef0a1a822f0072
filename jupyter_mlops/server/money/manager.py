"""Months and exports, from the bills that are kept and the clusters that are watched."""

from __future__ import annotations

import asyncio
import contextlib
import time

from ...client.costs.export import Format, format_of
from ...client.costs.gather import bills_of
from ...client.costs.report import CostReport
from ...core.base import Seconds
from ...core.errors import MlopsError
from ...core.money import MoneyView
from ...core.month import Month
from ...core.waiting import end_tasks
from ...places.profiles import all_profiles
from ..clusters.watcher import ClusterWatcher

#: Kinds of runs whose unit costs a browser is told of.
_MOST_TRENDS = 5

#: Seconds after which bills that could not be kept are tried again.
_AGAIN: Seconds = 600.0


class MoneyManager:
    """The door to what things cost over time. Bills of clusters that end are kept while the server runs, whether
    anybody asks or not."""

    def __init__(self, watcher: ClusterWatcher) -> None:
        self._watcher = watcher
        #: Ended clusters whose bills have been kept, or are in the making.
        self._seen: set[str] = set()
        self._keeping: asyncio.Task[None] | None = None
        self._kept_at = time.monotonic()
        watcher.on_look.append(self._look)

    async def close(self) -> None:
        """Let go of what is under way: what isn't kept now is kept the next time."""
        if self._keeping is not None:
            await end_tasks(self._keeping)

    async def costs(self, month: str) -> CostReport:
        """What a month cost; the current one, where `month` is empty. Raises `InvalidInput`, `Unreadable`."""
        now = time.time()
        asked = Month.typed(month) if month else Month.at(now)
        bills = await bills_of(list(self._watcher.states.values()))
        return CostReport(asked, bills, self._watcher.silent, now, await asyncio.to_thread(all_profiles))

    async def view(self, month: str) -> MoneyView:
        """The same for a browser."""
        return await asyncio.to_thread(self._view_of, await self.costs(month))

    def _view_of(self, found: CostReport) -> MoneyView:
        return MoneyView(
            month=found.month,
            title=found.title,
            sums=found.sums,
            trends=found.trends[:_MOST_TRENDS],
            followed=found.followed,
            silent=[silent.problem.what for silent in found.silent],
        )

    async def export(self, month: str, asked: str) -> tuple[bytes, str, Format]:
        """A month as a file: what is in it, what the month is called, and the format. Raises as `costs`, `InvalidInput`
        for a format that isn't there, and `Unavailable` where Parquet can't be written."""
        wanted = format_of("", asked or "csv")
        found = await self.costs(month)
        return await asyncio.to_thread(found.content, wanted), found.month, wanted

    async def _look(self, whole: bool) -> None:
        ended = {state.id for state in self._watcher.states.values() if state.phase == "ended"}
        is_time = time.monotonic() - self._kept_at > _AGAIN  # a place may have been away, or the disk full
        if (ended <= self._seen and not is_time) or (self._keeping is not None and not self._keeping.done()):
            return
        self._seen, self._kept_at = ended, time.monotonic()
        self._keeping = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        """Keep the bills of those that ended. Who asks for them is told what is in the way."""
        with contextlib.suppress(MlopsError, OSError):
            await bills_of([state for state in list(self._watcher.states.values()) if state.phase == "ended"])

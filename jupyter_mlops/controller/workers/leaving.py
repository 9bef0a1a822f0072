"""Workers on their way out: they end what they run, their data moves, then they go; or they are wanted after all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ...core.base import Time
from ...core.cluster import Problem
from .. import dask
from ..background import Background
from ..pool import Pool
from .entry import WorkerEntry, present
from .groupscale import GroupScale
from .registry import WorkerRegistry
from .retire import releasable, release

if TYPE_CHECKING:
    from distributed import Scheduler


class Leaving:
    """Lets workers go.

    Parameters
    ----------
    groups : by name.
    announce : gets, in words, which workers had to stay.
    background : where what takes time is done.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        pool: Pool,
        workers: WorkerRegistry,
        groups: Mapping[str, GroupScale],
        announce: Callable[[str, Problem | None], None],
        background: Background,
    ) -> None:
        self._scheduler, self._pool, self._workers = scheduler, pool, workers
        self._groups, self._announce, self._background = groups, announce, background
        self._draining: dict[WorkerEntry, Time] = {}

    def stay(self, scale: GroupScale, count: int) -> None:
        """At most `count` workers that drain are wanted again after all: cheaper than new ones."""
        drain = [m for m in self._draining if m.group == scale.group.name and not m.replaced]
        for entry in drain[:count]:
            self._keep(entry)

    def keep_replaced(self, entries: Sequence[WorkerEntry]) -> None:
        """These workers aren't to be replaced after all: those that still end what they run go on."""
        for entry in entries:
            if entry in self._draining:
                self._keep(entry)

    def let_go(self, scale: GroupScale, count: int, now: Time) -> None:
        """Let `count` workers go, those that cost least first; of a spot group with a base those on demand last."""
        free, busy = releasable(self._workers.of(scale.group.name))
        if scale.group.base:
            free.sort(key=lambda entry: entry.on_demand is True)
            busy.sort(key=lambda entry: entry.on_demand is True)
        chosen = free[:count]
        rest = busy[: count - len(chosen)]
        if scale.now:
            chosen, rest = chosen + rest, []
        if chosen:
            self.let_go_of(scale, chosen)
        if rest and not scale.adaptive:  # adaptive scaling has time: its work is about to end
            self._drain(rest, now)

    def replace(self, scale: GroupScale, entries: Sequence[WorkerEntry], now: Time) -> None:
        """Let exactly these workers go. Others take their places once they are gone, and not before: what runs on for
        hours isn't paid for twice, and a worker that has to stay for its data isn't one too many."""
        free, busy = releasable(entries)
        for entry in entries:
            entry.replaced = True
        if free:
            self.let_go_of(scale, free)
        self._drain(busy, now)

    def let_go_of(self, scale: GroupScale, entries: Sequence[WorkerEntry]) -> None:
        """Let go of these workers, which have no task; their data moves."""
        self._workers.expect(entries)
        self._background.spawn(self._release(scale, list(entries)))

    def _drain(self, entries: Sequence[WorkerEntry], now: Time) -> None:
        self._workers.expect(entries)
        for entry in entries:
            self._draining[entry] = now
            if entry.dask is not None:
                dask.drain(self._scheduler, entry.dask)

    def finish(self) -> None:
        """Those that have ended what they ran go; tasks that wait behind it run elsewhere."""
        done: dict[str, list[WorkerEntry]] = {}
        for entry in list(self._draining):
            ws = entry.dask
            if ws is None or entry.over:
                del self._draining[entry]
                if not entry.over:  # nobody hears any more when it has ended; it was to go, and costs on
                    self._background.spawn(self._pool.remove([entry.name]))
            elif self._groups[entry.group].now or not ws.processing:
                del self._draining[entry]
                done.setdefault(entry.group, []).append(entry)
            elif ws.last_seen > self._draining[entry] + dask.CERTAIN:
                dask.move_waiting_tasks(self._scheduler, ws)
        for group, entries in done.items():
            self._background.spawn(self._release(self._groups[group], entries))

    def _keep(self, entry: WorkerEntry) -> None:
        del self._draining[entry]
        self._take_back(entry)
        self._workers.expect([entry], going=False)

    def _take_back(self, entry: WorkerEntry) -> None:
        """The worker gets tasks again."""
        if entry.dask is not None:
            dask.drain(self._scheduler, entry.dask, going=False)

    async def _release(self, scale: GroupScale, entries: list[WorkerEntry]) -> None:
        stayed = await release(self._scheduler, self._pool, entries)
        if not stayed:
            return
        for entry in stayed:
            self._take_back(entry)
            entry.stayed = self._workers.arrivals if entry.replaced else None
        self._workers.expect(stayed, going=False)
        # nobody wanted fewer where one was only to be replaced, and it is no trouble that it stays
        unwanted = [entry for entry in stayed if entry.stayed is None]
        if not unwanted:
            return
        scale.keep(unwanted, present(self._workers.counts[scale.group.name]))
        if (problem := scale.trouble) is not None:
            self._announce(problem.what, problem)

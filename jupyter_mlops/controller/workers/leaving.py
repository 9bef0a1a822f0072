"""Workers on their way out: they end what they run, their data moves, then they go; or they are wanted after all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ...core.base import Seconds, Time
from ...core.cluster import Problem
from ..background import Background
from ..pool import Pool
from .groupscale import GroupScale
from .member import Member, present
from .retire import drain, move_waiting_tasks, releasable, release
from .roster import Roster

if TYPE_CHECKING:
    from distributed import Scheduler

#: Seconds after which a heartbeat of a draining worker surely tells what it runs at last.
CERTAIN: Seconds = 1.0


class Leaving:
    """Lets workers go.

    Parameters
    ----------
    groups : by name.
    said : told, in words, of workers that had to stay.
    background : where what takes time is done.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        pool: Pool,
        roster: Roster,
        groups: Mapping[str, GroupScale],
        said: Callable[[str, Problem | None], None],
        background: Background,
    ) -> None:
        self._scheduler, self._pool, self._roster = scheduler, pool, roster
        self._groups, self._said, self._background = groups, said, background
        self._draining: dict[Member, Time] = {}

    def stay(self, scale: GroupScale, count: int) -> None:
        """At most `count` workers that drain are wanted again after all: cheaper than new ones."""
        for member in [m for m in self._draining if m.group == scale.group.name][:count]:
            del self._draining[member]
            drain(self._scheduler, member, going=False)
            self._roster.expect([member], going=False)

    def let_go(self, scale: GroupScale, count: int, now: Time) -> None:
        """Let `count` workers go, those that cost least first."""
        free, busy = releasable(self._roster.of(scale.group.name))
        chosen = free[:count]
        rest = busy[: count - len(chosen)]
        if scale.now:
            chosen, rest = chosen + rest, []
        if chosen:
            self._roster.expect(chosen)
            self._background.spawn(self._release(scale, chosen))
        if rest and not scale.adaptive:  # adaptive scaling has time: its work is about to end
            self._roster.expect(rest)
            for member in rest:
                self._draining[member] = now
                drain(self._scheduler, member)

    def finish(self) -> None:
        """Those that have ended what they ran go; tasks that wait behind it run elsewhere."""
        done: dict[str, list[Member]] = {}
        for member in list(self._draining):
            ws = member.dask
            if ws is None or member.over:
                del self._draining[member]
            elif self._groups[member.group].now or not ws.processing:
                del self._draining[member]
                done.setdefault(member.group, []).append(member)
            elif ws.last_seen > self._draining[member] + CERTAIN:
                move_waiting_tasks(self._scheduler, ws)
        for group, members in done.items():
            self._background.spawn(self._release(self._groups[group], members))

    async def _release(self, scale: GroupScale, members: list[Member]) -> None:
        stayed = await release(self._scheduler, self._pool, members)
        if not stayed:
            return
        for member in stayed:
            drain(self._scheduler, member, going=False)
        self._roster.expect(stayed, going=False)
        scale.wanted = max(scale.wanted, present(self._roster.counts[scale.group.name]))
        names = ", ".join(member.name for member in stayed[:5])
        self._said(
            f"{len(stayed)} workers stay: {names}",
            Problem(
                what="Workers could not be let go",
                why="they hold data that no other worker has room for",
                todo="Release the data (del the futures) or stop the cluster.",
            ),
        )

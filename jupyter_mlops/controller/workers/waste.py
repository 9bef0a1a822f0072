"""Workers that cost money and do nothing: looks at what each does, and says which are idle, starved or stuck."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ...core.base import Time
from ...core.costs import Share
from ...core.idle import NAMED, WASTES, IdleWatch, Look, Waste, WasteKind, use_of
from ...core.price import GB, HOUR, Price, sources
from .. import dask
from ..changes import ChangeTracker
from .entry import WorkerEntry
from .registry import WorkerRegistry

if TYPE_CHECKING:
    from distributed import Scheduler
    from distributed.scheduler import WorkerState as DaskWorker


class _Work(NamedTuple):
    """What a worker had to do at the last look, since when that has been so, and the bytes that it had moved."""

    tasks: tuple[int, int]
    since: Time
    moved: float | None


class WasteWatch:
    """Looks every `idle.INTERVAL` at what workers do.

    Parameters
    ----------
    share : a worker, by name, with the rates that count for it; None where it holds nothing.
    price : the cluster's, whose currency money is in.
    spare : how many workers of a group may go.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        workers: WorkerRegistry,
        changes: ChangeTracker,
        share: Callable[[str], Share | None],
        price: Price,
        spare: Callable[[str], int],
    ) -> None:
        #: What there is to say, as of the last look.
        self.found: list[Waste] = []
        self._scheduler, self._workers, self._changes = scheduler, workers, changes
        self._share, self._price, self._spare = share, price, spare
        self._watch = IdleWatch()
        self._seen: dict[str, _Work] = {}
        self._named: dict[str, WorkerEntry] = {}
        self._at: Time = 0.0

    def look(self, now: Time) -> None:
        """Look, if it is time for it."""
        if not self._watch.due(now):
            return
        there = self._there()
        waits = bool(self._scheduler.queued or self._scheduler.unrunnable)
        waits = waits or any(len(ws.processing) > ws.nthreads for _, ws in there)
        before, self._seen = self._seen, {}
        looks = {entry.name: self._look_at(entry, ws, before.get(entry.name), now, waits) for entry, ws in there}
        self._watch.see(now, {name: use_of(look) for name, look in looks.items()})
        self._at = now
        self.tell()

    def tell(self) -> None:
        """Say anew what there is to say: workers are about to go."""
        named: dict[tuple[WasteKind, str], list[WorkerEntry]] = {}
        before, self._named = self._named, {}
        for entry, _ in self._there():
            verdict = self._watch.verdict(entry.name)
            waste = WASTES.get(verdict.use) if verdict is not None else None
            if waste is not None:
                named.setdefault((waste, entry.group), []).append(entry)
                self._named[entry.name] = entry
                before.pop(entry.name, None)
                self._mark(entry, waste)
        for entry in before.values():
            self._mark(entry, None)
        self.found = [self._waste(kind, group, entries) for (kind, group), entries in sorted(named.items())]

    def idle(self, group: str) -> list[WorkerEntry]:
        """The workers of a group that have been idle for so long that they may be let go, the longest first. None that
        has got a task since the last look."""
        found = []
        for entry in self._workers.of(group):
            verdict, ws = self._watch.verdict(entry.name), entry.dask
            if ws is None or ws.processing or entry.expected or verdict is None:
                continue
            if verdict.use == "idle" and verdict.sure:
                found.append((verdict.since, entry))
        return [entry for _, entry in sorted(found, key=lambda each: each[0])]

    def _mark(self, entry: WorkerEntry, waste: WasteKind | None) -> None:
        if entry.waste != waste:
            entry.waste = waste
            self._changes.changed("worker", entry.name)

    def _there(self) -> list[tuple[WorkerEntry, DaskWorker]]:
        return [(entry, ws) for entry in self._workers.entries.values() if (ws := entry.dask) and not entry.expected]

    def _look_at(self, entry: WorkerEntry, ws: DaskWorker, before: _Work | None, now: Time, waits: bool) -> Look:
        tasks, moved, rate = (entry.done, len(ws.processing)), dask.moved_by(ws), None
        since = before.since if before is not None and before.tasks == tasks and before.since <= now else now
        if before is not None and before.moved is not None and moved is not None and now > self._at:
            rate = abs(moved - before.moved) / (now - self._at)  # of another process, where it fell
        self._seen[entry.name] = _Work(tasks, since, moved)
        return Look(
            heard=dask.unheard_for(ws),
            busy=now - since if ws.processing else None,
            cpu=dask.cpu_of_tasks(ws),
            moved=rate,
            holds=bool(ws.has_what),
            waits=waits,
        )

    def _waste(self, kind: WasteKind, group: str, entries: list[WorkerEntry]) -> Waste:
        seconds, amount, per_hour, known, rates = 0.0, 0.0, 0.0, bool(entries), []
        for entry in entries:
            verdict, share = self._watch.verdict(entry.name), self._share(entry.name)
            lasted = self._at - verdict.since if verdict is not None else 0.0
            seconds += lasted
            _, cpus, gb, gpus = share.shape if share is not None else (0.0, 0.0, 0.0, 0.0)
            rate = share.rates.per_hour(cpus, gb * GB, gpus) if share is not None else None
            known = known and rate is not None
            if rate is not None and share is not None:
                rates.append(share.rates)
                amount, per_hour = amount + rate * lasted / HOUR, per_hour + rate
        counts = self._workers.counts[group]
        return Waste(
            kind=kind,
            group=group,
            workers=len(entries),
            of=counts["idle"] + counts["busy"],
            seconds=seconds / len(entries),
            amount=amount if known else None,
            per_hour=per_hour if known else None,
            currency=self._price.currency,
            source=sources(rates)[0] if known else None,
            spare=min(len(self.idle(group)), self._spare(group)) if kind == "idle" else 0,
            names=[entry.name for entry in entries[:NAMED]],
        )

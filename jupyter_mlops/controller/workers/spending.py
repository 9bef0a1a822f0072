"""What workers' time is spent on: adds up what they tell of themselves, and keeps it in `spend.jsonl`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ...core.base import Seconds, Time
from ...core.lines import read_lines
from ...core.spend import GroupHost, Spend, SpendEntry, SpendParts, Told, WorkerTime, add, measured_in, spend_of
from ...home.clusters import SPEND
from .. import dask
from ..disk import Disk
from ..ledger_file import LedgerFile
from .entry import WorkerEntry

if TYPE_CHECKING:
    from distributed.scheduler import WorkerState as DaskWorker

#: Seconds between two looks at what workers tell, and between two copies on the disk.
INTERVAL: Seconds = 10.0
KEPT: Seconds = 30.0


class _HeldWorker:
    """A worker that holds resources: its time, and Dask's worker, which keeps what it told last when it goes."""

    def __init__(self, entry: WorkerEntry, since: Time) -> None:
        self.entry, self.time = entry, WorkerTime(since)
        self.ws: DaskWorker | None = None


class Spending:
    """Listens to the registry of workers, and looks at what they tell every `INTERVAL`.

    Parameters
    ----------
    ledger : has the time and the money that all of it adds up to.
    clock : seconds since the epoch.
    """

    def __init__(self, disk: Disk, ledger: LedgerFile, clock: Callable[[], Time]) -> None:
        self._disk, self._ledger, self._clock = disk, ledger, clock
        self._done = measured_in(read_lines(SpendEntry, disk.read(SPEND)))
        #: After an earlier scheduler: what its workers did until now is in the file, or nobody knows it.
        self._from: Time = clock() if ledger.earlier else 0.0
        self._held: dict[str, _HeldWorker] = {}
        self._looked = self._kept = 0.0
        self._measured = self._done
        #: As of the last look.
        self.spend = Spend()

    def look(self, now: Time) -> None:
        """Look, if it is time for it."""
        if abs(now - self._looked) >= INTERVAL:
            self.close(now)

    def close(self, now: Time) -> None:
        """Look for the last time, or now."""
        self._looked = now
        found = dict(self._done)
        for held in self._held.values():
            self._go(held, now)
            add(found, _place(held.entry), held.time.seconds)
        self._measured = found
        self.spend = spend_of(self._ledger.ledger, self._ledger.price, now, self._measured)
        if abs(now - self._kept) >= KEPT:
            self.keep(now)

    def keep(self, now: Time) -> list[SpendEntry]:
        """Write what was measured so far; returns it."""
        self._kept = now
        lines = [
            SpendEntry(group=group, host=host, seconds=SpendParts.of(seconds))
            for (group, host), seconds in self._measured.items()
        ]
        self._disk.replace(SPEND, "".join(line.model_dump_json(exclude_defaults=True) + "\n" for line in lines))
        return lines

    def began(self, entry: WorkerEntry, at: Time | None) -> None:
        """It costs money since `at`, or from now on."""
        if entry.name not in self._held:
            since = self._clock() if at is None else at
            self._held[entry.name] = _HeldWorker(entry, max(since, self._from))

    def joined(self, entry: WorkerEntry) -> None:
        """It boots no longer; what it tells begins at nothing."""
        held = self._held.get(entry.name)
        if held is None:
            return
        self._go(held, self._clock(), joins=True)
        if held.ws is not None:
            held.time.begin_anew()
        held.ws = entry.dask

    def ceased(self, entry: WorkerEntry, at: Time | None) -> None:
        """It costs nothing any more, since `at` or now."""
        held = self._held.pop(entry.name, None)
        if held is not None:
            self._go(held, self._clock() if at is None else at)
            add(self._done, _place(entry), held.time.seconds)

    def ended(self, entry: WorkerEntry) -> None:
        """That it holds nothing any more is what counts."""

    def died(self, entry: WorkerEntry) -> None:
        """As `ended`."""

    def explained(self, entry: WorkerEntry) -> None:
        """As `ended`."""

    def _go(self, held: _HeldWorker, now: Time, joins: bool = False) -> None:
        """Count a worker's time until now."""
        entry, ws = held.entry, held.ws
        if ws is None:
            held.time.go(now, "booting", None, entry.threads)
            return
        spent = dask.spent_by(ws, Told._fields)
        told = None if spent is None else Told._make(spent)
        if joins:  # it was away, nobody knows since when
            held.time.go(now, "leaving", told, entry.threads)
            return
        connected = entry.dask is ws
        leaves = entry.expected and not ws.processing if connected else entry.phase in ("retiring", "lost")
        held.time.go(min(now, entry.since) if leaves else now, "there", told, entry.threads)
        held.time.go(now, "leaving", None, entry.threads)


def _place(entry: WorkerEntry) -> GroupHost:
    """Whose rates count for it: as in the ledger, where only a place says on which host a worker is."""
    return entry.group, "" if entry.foreign else entry.host

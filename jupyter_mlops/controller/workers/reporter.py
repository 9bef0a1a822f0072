"""What becomes of a change of a worker: ledger entries, events, and the scaling hears of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from ...core.base import Time
from ...core.profile import Group
from ..events import Events
from ..ledger_file import LedgerFile
from ..pulse import Pulse
from .entry import WorkerEntry
from .scaling import Scaling

#: Deaths that get an event each at one look; more are told together.
SINGLE = 5

#: Of workers on spot machines that don't answer.
_GONE = ": spot machines may be taken away at any time"


class WorkerReporter:
    """Listens to the registry of workers. Comings and goings between two looks are one event.

    Parameters
    ----------
    scaling : hears of deaths, and knows whether all workers that are wanted are there.
    pulse : asked for a look soon, since something happened.
    """

    def __init__(
        self, groups: Sequence[Group], ledger: LedgerFile, events: Events, scaling: Scaling, pulse: Pulse
    ) -> None:
        #: Whether any worker ever joined.
        self.any_joined = False
        self._groups = {group.name: group for group in groups}
        self._ledger, self._events, self._scaling, self._pulse = ledger, events, scaling, pulse
        self._joined: defaultdict[str, list[str]] = defaultdict(list)
        self._ended: defaultdict[str, list[str]] = defaultdict(list)
        self._died: defaultdict[str, list[WorkerEntry]] = defaultdict(list)
        self._taken: defaultdict[str, list[str]] = defaultdict(list)
        self._unheard: defaultdict[str, list[str]] = defaultdict(list)

    def began(self, entry: WorkerEntry, at: Time | None) -> None:
        """It costs money since `at`, or from now on."""
        if entry.foreign:  # where it runs is nobody's word but its own
            self._ledger.open(entry.name, entry.group, entry.threads, entry.memory, at=at)
            return
        group = self._groups[entry.group]
        shape = entry.shape or (group.cpus, group.memory, group.gpus)
        self._ledger.open(entry.name, entry.group, *shape, host=entry.host, at=at)

    def ceased(self, entry: WorkerEntry, at: Time | None) -> None:
        """It costs nothing any more, since `at` or now."""
        self._ledger.close(entry.name, at)

    def joined(self, entry: WorkerEntry) -> None:
        """It is connected to the scheduler. The first one, and the last that is wanted, are waited for by people."""
        first, self.any_joined = not self.any_joined, True
        self._joined[entry.group].append(entry.name)
        if first or self._scaling.complete(entry.group):
            self._pulse.look_now()
        else:
            self._pulse.look_soon()

    def ended(self, entry: WorkerEntry) -> None:
        """It went as it was asked to."""
        self._ended[entry.group].append(entry.name)
        self._pulse.look_soon()

    def died(self, entry: WorkerEntry) -> None:
        """It went and was not asked to."""
        self._pulse.look_soon()
        self._scaling.died(entry)

    def explained(self, entry: WorkerEntry) -> None:
        """Why it died is known, or never will be."""
        self._pulse.look_soon()
        if entry.taken:
            self._taken[entry.group].append(entry.name)
        elif entry.unheard and entry.may_be_taken:  # its place says why, or it was taken: no fault, as far as is known
            self._unheard[entry.group].append(entry.name)
        else:
            self._died[entry.group].append(entry)
        self._scaling.explained(entry)

    def flush(self) -> None:
        """Write the events of what happened since the last time."""
        self._write(self._joined, "joined")
        self._write(self._ended, "ended")
        self._write(self._taken, "went with its spot machine", "went with their spot machines")
        self._write(self._unheard, f"isn't heard of any more{_GONE}", f"aren't heard of any more{_GONE}")
        for group, entries in self._died.items():
            for entry in entries[:SINGLE]:
                self._events.add("worker", f"Worker {entry.name} died", worker=entry.name, problem=entry.problem)
            if len(entries) > SINGLE:
                last = entries[-1]
                text = f"{len(entries) - SINGLE} more workers of group {group} died"
                self._events.add("worker", text, problem=last.problem)
        self._died.clear()

    def _write(self, happened: defaultdict[str, list[str]], verb: str, verbs: str = "") -> None:
        for group, names in happened.items():
            if len(names) == 1:
                self._events.add("worker", f"Worker {names[0]} {verb}", worker=names[0])
            else:
                self._events.add("worker", f"{len(names)} workers of group {group} {verbs or verb}")
        happened.clear()

"""What becomes of a change of a worker: ledger entries, events, and word to the scaling."""

from __future__ import annotations

from collections import defaultdict

from ...core.base import Time
from ...core.profile import Group
from ..events import Events
from ..ledger_file import LedgerFile
from ..pulse import Pulse
from .member import Member
from .scaling import Scaling

#: Deaths that get an event each at one look; more are told together.
SINGLE = 5


class Reporter:
    """Listens to the roster. Comings and goings between two looks are told as one event.

    Parameters
    ----------
    pulse : asked for a look soon, since something happened.
    """

    def __init__(self, groups: dict[str, Group], book: LedgerFile, events: Events, pulse: Pulse) -> None:
        self.scaling: Scaling | None = None
        #: Whether any worker ever joined.
        self.any_joined = False
        self._groups, self._book, self._events, self._pulse = groups, book, events, pulse
        self._joined: defaultdict[str, list[str]] = defaultdict(list)
        self._ended: defaultdict[str, list[str]] = defaultdict(list)
        self._died: defaultdict[str, list[Member]] = defaultdict(list)

    def began(self, member: Member, at: Time | None) -> None:
        """It costs money since `at`, or from now on."""
        if member.foreign:  # where it runs is nobody's word but its own
            self._book.open(member.name, member.group, member.threads, member.memory, at=at)
            return
        group = self._groups[member.group]
        shape = member.shape or (group.cpus, group.memory, group.gpus)
        self._book.open(member.name, member.group, *shape, host=member.host, at=at)

    def ceased(self, member: Member, at: Time | None) -> None:
        """It costs nothing any more, since `at` or now."""
        self._book.close(member.name, at)

    def joined(self, member: Member) -> None:
        """It is connected to the scheduler. The first one, and the last that is wanted, are waited for by people."""
        first, self.any_joined = not self.any_joined, True
        self._joined[member.group].append(member.name)
        if first or (self.scaling is not None and self.scaling.complete(member.group)):
            self._pulse.hurry()
        else:
            self._pulse.nudge()

    def ended(self, member: Member) -> None:
        """It went as it was asked to."""
        self._ended[member.group].append(member.name)
        self._pulse.nudge()

    def died(self, member: Member) -> None:
        """It went and was not asked to."""
        self._pulse.nudge()
        if self.scaling is not None:
            self.scaling.died(member)

    def explained(self, member: Member) -> None:
        """Why it died is known, or never will be."""
        self._pulse.nudge()
        self._died[member.group].append(member)
        if self.scaling is not None:
            self.scaling.explained(member)

    def flush(self) -> None:
        """Write the events of what happened since the last time."""
        self._tell(self._joined, "joined")
        self._tell(self._ended, "ended")
        for group, members in self._died.items():
            for member in members[:SINGLE]:
                self._events.add("worker", f"Worker {member.name} died", worker=member.name, problem=member.problem)
            if len(members) > SINGLE:
                last = members[-1]
                text = f"{len(members) - SINGLE} more workers of group {group} died"
                self._events.add("worker", text, problem=last.problem)
        self._died.clear()

    def _tell(self, happened: defaultdict[str, list[str]], verb: str) -> None:
        for group, names in happened.items():
            if len(names) == 1:
                self._events.add("worker", f"Worker {names[0]} {verb}", worker=names[0])
            else:
                self._events.add("worker", f"{len(names)} workers of group {group} {verb}")
        happened.clear()

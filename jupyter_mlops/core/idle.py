"""Workers that cost money and do nothing, found by what they do and not by their age. Pure; the looks are the
controller's."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

from . import words
from .base import Label, Name, Record, Seconds, Time, otherwise
from .price import Source

#: What a worker is doing. `waiting` has no task, and holds data that something needs; `starved` has none although some
#: wait; `stuck` has one that has neither computed nor moved anything for long; `unknown` wasn't heard of lately.
WorkerUse = Literal["busy", "waiting", "idle", "starved", "stuck", "unknown"]

#: Those of them that are worth a word.
WasteKind = Annotated[Literal["idle", "starved", "stuck"], otherwise("idle")]

#: The uses that are wastes.
WASTES: dict[str, WasteKind] = {"idle": "idle", "starved": "starved", "stuck": "stuck"}

#: Seconds between two looks; what they are judged by; and the part of it that must be of one kind.
INTERVAL: Seconds = 15.0
WINDOW: Seconds = 300.0
PART = 0.9

#: Seconds since a worker was heard of, after which nobody knows what it does.
UNHEARD: Seconds = 30.0

#: A task that is done with less than this part of a CPU, and fewer bytes a second, for so long, hangs.
STILL = 0.02
STILL_BYTES = 20e3
HANGS: Seconds = 300.0

#: Looks in a window: one less than fit in, so that a verdict comes within it; those of them that must be of one kind.
_LOOKS = int(WINDOW / INTERVAL) - 1
_MOST = math.ceil(PART * _LOOKS)

#: Names that are told.
NAMED = 5


class Look(NamedTuple):
    """What one look at a worker found.

    `heard` are seconds since its last sign of life, `busy` those since a task of it began or ended, None where it has
    no task. `cpu` are CPUs that its tasks use, `moved` is bytes a second, None where nobody can tell. `holds`: it has
    data that something needs. `waits`: tasks wait for a worker.
    """

    heard: Seconds
    busy: Seconds | None
    cpu: float = 0.0
    moved: float | None = None
    holds: bool = False
    waits: bool = False


def use_of(look: Look) -> WorkerUse:
    """What a worker is doing. What isn't certain is never called idle."""
    if not 0 <= look.heard <= UNHEARD:
        return "unknown"
    if look.busy is not None:
        still = look.moved is not None and look.moved < STILL_BYTES and look.cpu < STILL
        return "stuck" if still and look.busy > HANGS else "busy"
    if look.waits:
        return "starved"
    return "waiting" if look.holds else "idle"


class Judgement(NamedTuple):
    """What a worker has been doing since a moment. `sure`: for two windows, so that it may be let go for it."""

    use: WorkerUse
    since: Time
    sure: bool


class IdleWatch:
    """Judges workers by what was seen of them in the last minutes.

    Looks come every `INTERVAL`. Where one is missing, or the clock was set, nobody knows what happened meanwhile: what
    was seen before says nothing any more.
    """

    def __init__(self) -> None:
        self._seen: dict[str, deque[tuple[Time, WorkerUse]]] = {}
        self._judged: dict[str, Judgement] = {}
        self._at: Time | None = None

    def due(self, now: Time) -> bool:
        """Whether it is time for a look."""
        return self._at is None or not 0 <= now - self._at < INTERVAL

    def see(self, now: Time, uses: Mapping[str, WorkerUse]) -> None:
        """Take a look in, at all workers at once; those that it leaves out are forgotten. Too early a one is none."""
        if not self.due(now):
            return
        if self._at is not None and not 0 <= now - self._at <= 2 * INTERVAL:
            self._seen.clear()
        self._at = now
        self._seen = {worker: self._seen.get(worker, deque(maxlen=2 * _LOOKS)) for worker in uses}
        for worker, use in uses.items():
            self._seen[worker].append((now, use))
        self._judged = {worker: found for worker in uses if (found := self._judge(worker)) is not None}

    def verdict(self, worker: str) -> Judgement | None:
        """What a worker has been doing for a window; None while it can't be told."""
        return self._judged.get(worker)

    def _judge(self, worker: str) -> Judgement | None:
        seen = [each for _, each in self._seen[worker]]
        use, before = seen[-1], seen[:-_LOOKS]
        if len(seen) < _LOOKS or seen[-_LOOKS:].count(use) < _MOST:
            return None
        known = self._judged.get(worker)
        if known is not None and known.use == use:
            since = known.since
        else:
            since = next(at for at, each in list(self._seen[worker])[-_LOOKS:] if each == use)
        return Judgement(use, since, len(before) == _LOOKS and before.count(use) >= _MOST)


class Waste(Record):
    """Workers of a group that cost money and do nothing."""

    kind: WasteKind
    group: Name
    workers: int
    #: Those of the group that are connected.
    of: int
    #: For how long, on average; what they cost meanwhile; and an hour.
    seconds: Seconds
    amount: float | None = None
    per_hour: float | None = None
    currency: str = "USD"
    source: Source = None
    #: Those of them that may be let go: idle for two windows, and not needed for the group's minimum.
    spare: int = 0
    #: The first of them.
    names: list[Label] = []

    def sentence(self, named: bool = False) -> str:
        """What they do, how long, and what that costs: "7 of 40 workers idle for 12 min: $0.84 so far, $4.20/h"; with
        the group's name, if it is to be `named`."""
        of = f" of group {self.group}" if named else ""
        doing = _DOING[self.kind].format(words.about(self.seconds))
        head = f"{self.workers:,} of {words.count(self.of, 'worker')}{of} {doing}"
        if self.amount is None:
            return head
        spent = words.money(self.amount, self.currency)
        return f"{head}: {spent} so far, {words.per_hour(self.per_hour, self.currency)}"

    @property
    def advice(self) -> str:
        """What may be behind it, and what to do, where they aren't simply idle."""
        return _ADVICE[self.kind]


_DOING = {
    "idle": "idle for {}",
    "starved": "without a task for {} though some wait",
    "stuck": "busy for {} without doing anything",
}

_ADVICE = {
    "idle": "",
    "starved": "Their memory may be full, or the tasks may not run on them: look at groups and restrictions.",
    "stuck": "Their tasks use no CPU and move no data: see where their code is, in the run's details.",
}

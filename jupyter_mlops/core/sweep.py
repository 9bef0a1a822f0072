"""Sweeps: one objective, tried with many settings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from .asha import Goal
from .base import Record, Saying, Seconds, Time, first, otherwise

TrialPhase = Annotated[Literal["running", "done", "pruned", "failed", "stopped"], otherwise("stopped")]

#: What there is in one trial, at most.
MOST = 200

#: Phases of trials that aren't tried again when the sweep goes on.
FINISHED: frozenset[TrialPhase] = frozenset({"done", "pruned", "failed"})


class Trial(Record):
    """One setting that was tried. `value` is what the sweep looks for; of a trial that was pruned, what it reported
    last."""

    number: int
    #: The objective's arguments.
    params: Annotated[dict[str, Any], first(MOST)] = {}
    phase: TrialPhase = "running"
    value: float | None = None
    #: What else the objective returned, by name.
    metrics: Annotated[dict[str, float | None], first(MOST)] = {}
    #: How many values it has reported.
    reports: int = 0
    began: Time
    ended: Time | None = None
    error: Saying = ""

    @property
    def finished(self) -> bool:
        """Whether it need not be tried again."""
        return self.phase in FINISHED


class Extent(Record):
    """What an argument of the objective may be: any number between two, or one of some values. Neither is said of one
    with very many values."""

    low: float | None = None
    high: float | None = None
    #: Whether each power of ten is as likely as the next.
    log: bool = False
    values: Annotated[list[Any], first(MOST)] = []


class SweepOptions(Record):
    """What was asked of a sweep, as its run's options say it."""

    goal: Annotated[Goal, otherwise("max")] = "max"
    #: Which of the objective's numbers it is about; None where there is one only.
    metric: str | None = None
    #: Money and seconds after which it ends.
    budget: float | None = None
    time: Seconds | None = None
    prune: str | None = None
    #: What the runs before, of the same sweep, cost.
    spent: float = 0.0
    space: Annotated[dict[str, Extent], first(MOST)] = {}


class TrialsView(Record):
    """A sweep, and those of its trials that changed after the `seq` that was asked from. `seq` is to be handed in the
    next time; at once, if there are `more`."""

    seq: int = 0
    sweep: SweepOptions = SweepOptions()
    trials: list[Trial] = []
    more: bool = False


class TrialReport(Record):
    """A value that a trial reported while it ran: `count` is which of its reports, from 1. Or the `error` of one that
    is a gang and none of whose ranks can tell of it."""

    trial: int
    count: int = 0
    value: float = 0.0
    error: Saying = ""


def latest(trials: Iterable[Trial]) -> list[Trial]:
    """The last word on each trial, by number."""
    last = {trial.number: trial for trial in trials}
    return [last[number] for number in sorted(last)]


def in_order(trials: Iterable[Trial], goal: Goal) -> list[Trial]:
    """Those that came to their end, the best ones first and the earlier of two equals; then the others."""
    sign = -1.0 if goal == "max" else 1.0

    def order(trial: Trial) -> tuple[bool, bool, float, int]:
        return trial.phase != "done", trial.value is None, sign * (trial.value or 0.0), trial.number

    return sorted(trials, key=order)


def best_of(trials: Iterable[Trial], goal: Goal) -> Trial | None:
    """The best one that came to its end, the earliest of several; None while there is none."""
    return next(
        iter(in_order((each for each in trials if each.phase == "done" and each.value is not None), goal)), None
    )

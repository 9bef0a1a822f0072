"""A candidate: another version, tried beside the one that serves, the *stable* one, before it takes its place.

A *canary* answers a share of the callers, which grows by itself. In an *A/B test* the share stays until somebody
decides. A *shadow* answers nobody: it is asked what the stable version was asked, and its answers are compared.
"""

from __future__ import annotations

import itertools
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from .base import Input, Label, Record, Saying, Seconds, Time, first, otherwise
from .cluster import Problem
from .expected import Expected
from .words import percent, sentences

Way = Annotated[Literal["canary", "ab", "shadow"], otherwise("canary")]

#: `won`: it answers all, and is about to be the version that serves. `back`: it was taken back.
CandidatePhase = Annotated[Literal["starting", "trying", "paused", "won", "back"], otherwise("trying")]

#: How a candidate compares with the stable version: `same` is decided, too: it does no harm that matters.
ComparisonState = Annotated[Literal["better", "worse", "same", "undecided", "no data"], otherwise("undecided")]

#: What a candidate answers first, and then; after the last step it answers all.
STEPS = (0.05, 0.25, 0.5)

#: The share of an A/B test, and of requests that are copied to a shadow, where nobody says otherwise.
AB, SHADOW = 0.5, 1.0

#: Steps that a canary may have.
MOST_STEPS = 20

#: A part of the requests, of those that there are.
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False, examples=[0.05])]


def _rising(steps: list[float]) -> list[float]:
    if any(later <= earlier for earlier, later in itertools.pairwise(steps)):
        raise ValueError("must rise, as in [0.05, 0.25, 0.5]")
    return steps


#: What people ask for.
Steps = Annotated[
    list[Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False, examples=[0.05])]],
    Field(min_length=1, max_length=MOST_STEPS),
    AfterValidator(_rising),
]


class Candidate(Record):
    """What is wanted of a candidate."""

    version: int
    #: As in `ServiceSpec`.
    digest: Label
    way: Way = "canary"
    #: The part of the requests that it answers; of those that are copied to a shadow.
    share: float = 0.0
    #: Counts its shares, from 1: what was answered at one isn't compared with what was answered at another.
    turn: int = 1
    #: Of a canary; after the last it answers all.
    steps: Annotated[list[float], first(MOST_STEPS)] = list(STEPS)
    #: Of this experiment: who asks with a key is in it whenever `crc32(salt + key) % 10000` is below the share.
    salt: Label = ""
    #: It doesn't move on by itself; it goes back all the same where it harms.
    paused: bool = False
    created: Time = 0
    #: Features that are never logged. While it is tried, those of the stable version aren't either.
    private: Annotated[list[Label], first(10_000)] = []
    #: How its answers are expected to differ; None where nobody knows, so that they are to be alike.
    expected: Expected | None = None


class SplitChange(Input):
    """What people ask of a candidate that is there. What is None stays as it was."""

    #: A canary whose share somebody has set stays there until it is told to go on.
    share: Share | None = None
    paused: bool | None = None
    #: For the trail.
    why: Annotated[str, Field(max_length=5000)] = ""
    #: The wish that whoever asks has seen (`ServiceState.wanted`): where there is another one since, nothing is done.
    expected: Label = ""


class SplitEnd(Input):
    """How people end the trial of a candidate, or take back the version that serves."""

    why: Annotated[str, Field(max_length=5000)] = ""
    #: As in `SplitChange`.
    expected: Label = ""


class Comparison(Record):
    """One comparison with the stable version, of what both answered at the same time."""

    #: What is compared: "errors", "latency", "missing", "answers", or the metric: "accuracy".
    name: Label
    state: ComparisonState = "no data"
    #: Means of the two.
    stable: float | None = None
    candidate: float | None = None
    #: What the candidate has more than the stable version lies between these two, however often one looks.
    low: float | None = None
    high: float | None = None
    #: About so many more requests to the service until it is decided, and so long at the present rate.
    needs: int | None = None
    seconds: Seconds | None = None
    #: Whether a canary waits until it is decided; it goes back all the same where it turns out to be worse.
    waits: bool = True
    #: "undecided: needs about 4,600 requests, about 3 days".
    words: Saying = ""


class CandidateState(Record):
    """What a candidate is now."""

    version: int
    way: Way = "canary"
    phase: CandidatePhase = "starting"
    #: The part of the requests that it answers, or that are copied to it.
    share: float = 0.0
    paused: bool = False
    #: The steps of a canary.
    steps: Annotated[list[float], first(MOST_STEPS)] = []
    #: Since when it has this share, or is what it is.
    since: Time = 0
    #: What it was asked since it is tried, and failed to answer.
    requests: int = 0
    errors: int = 0
    #: Requests that it gets in a second.
    rate: float | None = None
    #: Copies for a shadow that were left out: there were too many at a time, or they were large.
    dropped: int = 0
    #: One line: "canary 25 %: undecided, about 3 h".
    words: Saying = ""
    verdicts: Annotated[list[Comparison], first(20)] = []
    #: Why it isn't ready, or went back.
    problem: Problem | None = None

    def taken_back(self, share: float, now: Time, why: str = "") -> CandidateState:
        """What it is from now on, once it is taken back from a share: nothing decides what is undecided."""
        closed = {"needs": None, "seconds": None, "words": ""}
        verdicts = [each if each.needs is None else each.model_copy(update=closed) for each in self.verdicts]
        words = f"taken back from {percent(share)}{f': {why}' if why else ''}"
        gone = {"phase": "back", "share": 0.0, "since": now, "rate": None, "verdicts": verdicts, "words": words}
        return self.model_copy(update=gone)

    def __repr__(self) -> str:
        told = None if self.problem is None else sentences(self.problem.why, self.problem.todo)
        return f"<version {self.version}: {self.words}>" + (f"\n! {told}" if told else "")

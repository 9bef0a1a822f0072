"""Who answers at a service whose replicas each have both versions, while one is tried beside the other: as all of them,
and whoever looks, read and write it."""

from __future__ import annotations

from typing import Annotated, Literal

from .base import Label, Record, Saying, Time, first, otherwise
from .candidate import Candidate, CandidateState
from .cluster import Problem
from .evidence import Evidence, LabelledMetric
from .formats import FORMAT
from .service import MOST_PRIVATE, ServiceSpec

#: Moves that are kept: each is in the trail soon.
_MOST_MOVES = 200


class Move(Record):
    """What a service has decided by itself about a version that is tried, as a line of the trail."""

    time: Time = 0
    #: Nothing else is decided by itself, whatever a pod says, which runs what people wrote.
    verb: Annotated[Literal["went on", "rolled back"], otherwise("went on")] = "went on"
    #: As people name the version: "churn@4".
    object: Label = ""
    before: Saying = ""
    after: Saying = ""
    why: Saying = ""
    digest: Label = ""


class Split(Record):
    """The part of a wish that changes while a version is tried: people change it, and so does the service.

    `noted` are the moves, the first ones, that are in the trail. Other fields are those of `ServiceSpec`.
    """

    format: int = FORMAT
    revision: Label = ""
    version: int = 0
    digest: Label = ""
    private: Annotated[list[Label], first(MOST_PRIVATE)] = []
    previous: int = 0
    #: 0: nobody said.
    chosen: Time = 0
    #: None: it was taken back, or serves.
    candidate: Candidate | None = None
    #: What it was, once it was taken back.
    past: CandidateState | None = None
    moves: Annotated[list[Move], first(_MOST_MOVES)] = []
    noted: int = 0
    #: The candidate answers nobody yet: one replica or another hasn't got it, and would give its callers the other one.
    waits: bool = False

    @classmethod
    def of(cls, spec: ServiceSpec) -> Split:
        """That of a wish."""
        return cls().following(spec)

    def following(self, spec: ServiceSpec) -> Split:
        """The same trial with another wish."""
        return self.model_copy(update={name: getattr(spec, name) for name in _OF_WISH})

    def within(self, spec: ServiceSpec) -> ServiceSpec:
        """A wish with this split."""
        own = {name: getattr(self, name) for name in _OF_WISH}
        return spec.model_copy(update={**own, "chosen": self.chosen or spec.chosen})


#: What a split says of a wish.
_OF_WISH = ("revision", "version", "digest", "private", "previous", "chosen", "candidate")


class ReplicaReport(Record):
    """What one of these replicas knows of the trial, which it tells the others."""

    format: int = FORMAT
    time: Time = 0
    #: The version that serves in it, and the wish that is so in it, or can't be; `problem` says why.
    version: int = 0
    revision: Label = ""
    problem: Problem | None = None
    #: What the candidate is, by what all have told.
    candidate: CandidateState | None = None
    #: What this one has seen itself, and the requests that its candidate gets in a second.
    evidence: Evidence | None = None
    metric: LabelledMetric = LabelledMetric()
    rate: float | None = None
    #: Whether its candidate waits, as of `Split`.
    waits: bool = False

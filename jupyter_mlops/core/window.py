"""Windows: what a service was asked in a stretch of time, and what it answered, as counts.

They are counts in the bins of the version's baseline, so that they can be compared with it, and nobody's row can be
read out of them. Those of several replicas, and of one stretch and the next, are added.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import Annotated

from .base import Amount, Label, Record, Time, first
from .formats import FORMAT

#: As many features as a baseline has at most.
_MOST = 10_000


class FeatureCounts(Record):
    """How the values of a feature were distributed: `counts` belongs to the bins, or values, of its baseline.

    `below` and `above` are numbers outside of what the baseline had, `other` what isn't among its commonest values.
    `low` and `high` are the least and the greatest number of all; they are kept of answers only.
    """

    name: Label
    counts: Annotated[list[Amount], first(100)] = []
    below: Amount = 0
    above: Amount = 0
    other: Amount = 0
    missing: Amount = 0
    low: float | None = None
    high: float | None = None

    @property
    def known(self) -> int:
        """Values that aren't missing."""
        return sum(self.cells)

    @property
    def cells(self) -> list[int]:
        """They, by where they are."""
        return [self.below, *self.counts, self.above, self.other]

    @property
    def rows(self) -> int:
        """All values."""
        return self.known + self.missing

    def plus(self, more: FeatureCounts) -> FeatureCounts:
        """The counts of both."""
        return FeatureCounts(
            name=self.name,
            counts=[one + other for one, other in zip_longest(self.counts, more.counts, fillvalue=0)],
            below=self.below + more.below,
            above=self.above + more.above,
            other=self.other + more.other,
            missing=self.missing + more.missing,
            low=min((each for each in (self.low, more.low) if each is not None), default=None),
            high=max((each for each in (self.high, more.high) if each is not None), default=None),
        )


class Window(Record):
    """The counts of a stretch of time. `digest` is the version's: only windows of the same one are added.

    `cpu_seconds` and `byte_seconds` are what its replicas held meanwhile, busy or not: CPUs and memory.
    """

    format: int = FORMAT
    version: int = 0
    digest: Label = ""
    since: Time = 0
    until: Time = 0
    rows: Amount = 0
    features: Annotated[list[FeatureCounts], first(_MOST)] = []
    answers: FeatureCounts | None = None
    #: Answers of a version that is compared with another one, in bins that both count by. Its name tells which.
    compared: FeatureCounts | None = None
    cpu_seconds: float = 0.0
    byte_seconds: float = 0.0

    def plus(self, more: Window) -> Window:
        """The counts of both, which are of the same version."""
        features, answers = self.features, self.answers
        if not features:
            features = more.features
        elif more.features:
            features = [one.plus(other) for one, other in zip(features, more.features, strict=False)]
        if answers is not None and more.answers is not None:
            answers = answers.plus(more.answers)
        return Window(
            version=self.version,
            digest=self.digest,
            since=min(self.since, more.since),
            until=max(self.until, more.until),
            rows=self.rows + more.rows,
            features=features,
            answers=answers or more.answers,
            cpu_seconds=self.cpu_seconds + more.cpu_seconds,
            byte_seconds=self.byte_seconds + more.byte_seconds,
        )

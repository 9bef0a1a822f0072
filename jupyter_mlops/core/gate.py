"""Gates: what a version has to fulfil before it becomes its model's champion."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator
from typing_extensions import Self

from .base import Bytes, Input, Label, Period, Record, Saying, Time
from .formats import FORMAT
from .words import count

Finite = Annotated[float, Field(allow_inf_nan=False)]


class Bound(Input):
    """What a number may be at least, or at most."""

    least: Finite | None = None
    most: Finite | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.least is None and self.most is None:
            raise ValueError("must say least or most")
        if self.least is not None and self.most is not None and self.least > self.most:
            raise ValueError("has a least that is more than its most")
        return self

    def holds(self, value: float) -> bool:
        """Whether `value` is within; NaN never is."""
        return (
            value == value and (self.least is None or value >= self.least) and (self.most is None or value <= self.most)
        )

    def words(self) -> str:
        """ "at least 0.8"."""
        parts = [
            f"{word} {value:g}"
            for word, value in (("at least", self.least), ("at most", self.most))
            if value is not None
        ]
        return " and ".join(parts)


class Improvement(Input):
    """By how much a version has to be better than the present champion for a change to be worth it.

    `least` is in the metric's own unit; of metrics like an error, where less is better, it is by how much that falls.
    """

    metric: str = ""
    least: Finite = 0.0


class SliceRule(Input):
    """A bound on a metric for each value of a column. Values with less than `rows` rows are passed over."""

    column: str
    metric: str = ""
    least: Finite | None = None
    most: Finite | None = None
    rows: Annotated[int, Field(ge=1)] = 30

    @model_validator(mode="after")
    def _is_a_bound(self) -> Self:
        Bound(least=self.least, most=self.most)
        return self


class PackageRules(Input):
    """What the packages may be that a version needs.

    Lists that are empty allow everything. `checked_within` demands that they were looked up for known weaknesses
    within that time, and that none was found.
    """

    licences: list[str] = []
    allowed: list[str] = []
    forbidden: list[str] = []
    checked_within: Period | None = None


class GateRules(Input):
    """The gates of one model."""

    format: int = FORMAT
    metrics: dict[str, Bound] = {}
    improvement: Improvement | None = None
    #: For one row, at the 95th of a hundred calls.
    latency: Period | None = None
    size: Bytes | None = None
    slices: list[SliceRule] = []
    packages: PackageRules | None = None

    @property
    def empty(self) -> bool:
        """Whether no gate is set."""
        return self == GateRules(format=self.format)


class GateResult(Record):
    """How a version did at one gate."""

    gate: Label
    passed: bool
    #: With its figures.
    words: Saying
    value: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def line(self) -> str:
        """It in a line."""
        return f"  {'passed' if self.passed else 'FAILED'}  {self.gate}: {self.words}"


class Verdict(Record):
    """How a version did at all gates, and which champion it was compared with."""

    format: int = FORMAT
    version: int
    champion: int | None = None
    time: Time
    results: list[GateResult] = []

    @property
    def failed(self) -> list[GateResult]:
        """Those that it failed."""
        return [result for result in self.results if not result.passed]

    def __repr__(self) -> str:
        gates = count(len(self.results), "gate")
        told = f"fails {len(self.failed)} of {gates}" if self.failed else f"passes {gates}"
        return "\n".join([f"version {self.version} {told}", *(result.line for result in self.results)])

"""Scoring: what is noted in a folder of scores, and in each of its parts, so that scoring goes on where it stopped."""

from __future__ import annotations

from typing import Annotated

from .base import Label, Record, Saying, first
from .formats import FORMAT


class Scoring(Record):
    """What a folder of scores is of: a version, and how it was asked. Scores of another version, or with other columns,
    don't go into the same folder."""

    format: int = FORMAT
    model: Label
    number: int
    #: The version's.
    digest: Label
    #: The columns of the input that stand beside the answers.
    keys: Annotated[list[Saying], first(10_000)] = []
    chances: bool = False
    #: The columns of the input that the version was asked with, in their order: that of arrays is the first file's.
    takes: Annotated[list[Saying], first(10_000)] = []
    #: The columns of each part, by Arrow's names and types: "id: int64", "prediction: string".
    columns: Annotated[list[Saying], first(10_000)] = []
    #: The run that scored last; empty until there is one.
    run: Label = ""
    #: Of the call that scored last: workers that find another one here write nothing any more.
    claim: Label = ""

    @property
    def name(self) -> str:
        """The version, as people name it: "churn@3"."""
        return f"{self.model}@{self.number}"


class PartMark(Record):
    """What a part says of itself: of which version and input it is, and how many rows it has."""

    format: int = FORMAT
    #: The version's.
    digest: Label
    #: What the rows were that were scored: changes with them.
    input: Label
    rows: int

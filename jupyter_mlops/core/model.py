"""Models: a name with versions. A version never changes; which one the name means does."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .base import Amount, Label, Record, Saying, Time, first, otherwise
from .cluster import Problem
from .errors import Unreadable
from .formats import FORMAT
from .price import Cost

Task = Annotated[Literal["classification", "regression", "other"], otherwise("other")]

#: Entries of a table of a version that are read: columns, files, packages.
_MOST = 10_000


class ColumnSpec(Record):
    """A column that a model takes: its name, its type as numpy or pandas writes it, whether it may be missing."""

    name: Label
    dtype: Label
    optional: bool = False


class Signature(Record):
    """What a model takes and gives: a table with named columns, or an array.

    `shape` is that of one row of an array, `answer_shape` that of the answer to one row; empty is a number or label.
    """

    kind: Annotated[Literal["table", "array", "unknown"], otherwise("unknown")] = "unknown"
    columns: Annotated[list[ColumnSpec], first(_MOST)] = []
    shape: list[int] = []
    dtype: Label = ""
    answer: Label = ""
    answer_shape: list[int] = []


class Measured(Record):
    """A metric on held-out rows, with the 95 % interval of a bootstrap; a metric that was given has none."""

    value: float
    low: float | None = None
    high: float | None = None
    rows: int = 0
    #: Whether more is better.
    more: bool = True


class Lineage(Record):
    """Where a version comes from: run, notebook and cell, data, and what making it cost."""

    run: Label = ""
    run_name: Label = ""
    notebook: Saying = ""
    cell: Label = ""
    number: int | None = None
    #: When the notebook that is kept had been saved last, and whether the code that ran hadn't been saved in it.
    notebook_saved: Time | None = None
    unsaved: bool = False
    #: The Python that saved it.
    program: Saying = ""
    #: SHA-256 of the rows that it was trained on, and of those that were held out, as far as they were given.
    train: Label = ""
    valid: Label = ""
    cost: Cost | None = None


class ModelVersion(Record):
    """One version of a model, as it was saved."""

    format: int = FORMAT
    model: Label
    number: int
    created: Time
    owner: Label
    task: Task = "other"
    #: What its artifact is: sklearn, function, pytorch, xgboost, lightgbm, onnx.
    flavor: Label = ""
    #: Whether loading the artifact runs code that is in it, as unpickling does.
    runs_code: bool = True
    note: Saying = ""
    #: SHA-256 of `files`, and of each file: path in the version's folder → digest.
    digest: Label = ""
    files: Annotated[dict[str, Label], first(_MOST)] = {}
    #: Bytes of all files.
    size: int = 0
    signature: Signature = Signature()
    metrics: Annotated[dict[str, Measured], first(1000)] = {}
    python: Label = ""
    platform: Label = ""
    #: What it needs to be loaded: distribution → version.
    packages: Annotated[dict[str, Label], first(_MOST)] = {}
    made: Lineage = Lineage()
    #: Where it is, when others registered it in MLflow; empty for what was saved here.
    registered: Saying = ""
    #: What is wrong with its record; set by who reads it, never stored.
    problem: Problem | None = None

    @property
    def name(self) -> str:
        """As people name it: "churn@3"."""
        return f"{self.model}@{self.number}"


class Aliases(Record):
    """Which version a model's name means, and where its trail had come to when that was written."""

    format: int = FORMAT
    champion: int | None = None
    since: Time | None = None
    by: Label = ""
    #: The trail's last line then: its number and digest, so that lines that are gone from its end are missed.
    trail: int = 0
    trail_digest: Label = ""


#: Tags that a model may have, characters of one, and of what is said of a model.
MOST_TAGS, LONGEST_TAG, LONGEST_TEXT = 20, 40, 500


class Description(Record):
    """What people say of a model, so that others find it: what it is for, its tags, and whose it is.

    An empty owner is the one of the version that its name means.
    """

    format: int = FORMAT
    text: Saying = ""
    tags: Annotated[list[Label], first(MOST_TAGS)] = []
    owner: Label = ""


class ModelState(Record):
    """A model: its versions, newest first, and which of them is its champion."""

    name: Label
    versions: list[ModelVersion] = []
    aliases: Aliases = Aliases()
    description: Description = Description()
    #: Whether gates are set for it.
    gated: bool = False
    problem: Problem | None = None

    @property
    def champion(self) -> ModelVersion | None:
        """The version that its name means; None where none was promoted."""
        return next((one for one in self.versions if one.number == self.aliases.champion), None)

    @property
    def owner(self) -> str:
        """Whose it is, as somebody said; else who saved its champion, or its newest version."""
        shown = self.champion or next(iter(self.versions), None)
        return self.description.owner or (shown.owner if shown else "")


def unreadable_version(model: str, number: int, fault: Unreadable) -> ModelVersion:
    """How a version is shown whose record can't be read."""
    return ModelVersion(model=model, number=number, created=0, owner="", problem=Problem.of(fault))


class Bins(Record):
    """How the values of a feature were distributed: counts in bins between quantiles, or of the commonest values.

    `edges` are those of a numeric feature: `counts` has one entry less. `values` are the commonest of any other;
    `counts` belongs to them, and `other` counts the rest. `apart` says that these are counts of other rows than
    those by which the values were chosen: what was common by luck isn't so in others.
    """

    name: Label
    edges: Annotated[list[float], first(100)] = []
    values: Annotated[list[Label], first(100)] = []
    counts: Annotated[list[Amount], first(100)] = []
    other: Amount = 0
    missing: Amount = 0
    apart: bool = False


class Baseline(Record):
    """What the data looked like that a version was made with, to see later whether it still does."""

    format: int = FORMAT
    #: Which rows: "train" or "valid".
    rows_of: Label = ""
    rows: int = 0
    features: Annotated[list[Bins], first(_MOST)] = []
    #: The same of what the version answered.
    answers: Bins | None = None


class Finding(Record):
    """One thing that was looked at in a version, and whether it is as it should be: its files, its environment."""

    what: Label
    passed: bool
    words: Saying


class Vulnerability(Record):
    """A known weakness of a package: its name there, and the versions that don't have it."""

    package: Label
    version: Label
    id: Label
    fixed: list[Label] = []


class PackageCheck(Record):
    """What a look for known weaknesses of a version's packages found, and when."""

    format: int = FORMAT
    time: Time
    found: Annotated[list[Vulnerability], first(1000)] = Field(default_factory=list)
    #: Packages of which nothing is known there: private ones, say, and versions that were never published.
    unknown: Annotated[list[Label], first(1000)] = Field(default_factory=list)

"""Operations: a start, scale or stop that was asked for."""

from __future__ import annotations

from typing import Annotated, Literal

from .base import Record, Time, otherwise
from .cluster import Problem

OperationKind = Annotated[
    Literal["start", "scale", "let_go", "adapt", "limit", "stop", "cancel", "again"], otherwise("start")
]
OperationPhase = Annotated[Literal["running", "done", "failed"], otherwise("running")]


class Operation(Record):
    """What was asked for, how far it is (`progress` 0 to 1, None when it can't be said), and its error."""

    id: str
    kind: OperationKind
    #: The cluster's name or the run's id.
    subject: str
    phase: OperationPhase = "running"
    progress: float | None = None
    created: Time
    ended: Time | None = None
    text: str = ""
    problem: Problem | None = None
    #: The id of the run that `again` made.
    result: str = ""

"""Retraining: the pipeline that a service's model comes from is run, and what it saves is judged and tried."""

from __future__ import annotations

from typing import Annotated, Literal

from .base import Label, Record, Saying, Time, otherwise
from .cluster import Problem
from .formats import FORMAT
from .trail import Actor

#: Who begins it: somebody, or the service's alarm as well.
RetrainWhen = Annotated[Literal["by hand", "on alarm"], otherwise("by hand")]

#: Rows that have to be new since the last training before an alarm begins one, where nobody says otherwise.
RETRAIN_ROWS = 1000

#: `passed`: the version passed its gates, and isn't deployed. `dead`: the process is gone before it was done.
RetrainingPhase = Annotated[
    Literal["running", "canary", "passed", "refused", "failed", "cancelled", "dead"], otherwise("failed")
]


class Retraining(Record):
    """The last retraining of a service, as its process wrote it."""

    format: int = FORMAT
    service: Label
    model: Label
    phase: RetrainingPhase = "running"
    #: The pipeline's file, and the program that runs it; empty for the one that runs this.
    notebook: Saying = ""
    program: Saying = ""
    by: Actor = Actor(name="")
    why: Saying = ""
    began: Time = 0
    ended: Time | None = None
    #: The step that runs, or ran last.
    step: Label = ""
    #: The version that served when it began, and the newest one that there was.
    served: int = 0
    newest: int = 0
    #: The version that came of it; 0 before that.
    version: int = 0
    #: Why that isn't deployed, or why there is none.
    problem: Problem | None = None
    #: Where what the pipeline printed is kept.
    log: Saying = ""
    #: In a line; set by who sends it, never stored.
    words: Saying = ""

    @property
    def version_name(self) -> str:
        """As people name what came of it: "churn@5"; the model's name before."""
        return f"{self.model}@{self.version}" if self.version else self.model

    def __repr__(self) -> str:
        return f"<{self.service}: {self.words or self.phase}>"


class AlarmWatch(Record):
    """That the alarm of a service which lives elsewhere retrains it from here, and how it went to look at it."""

    format: int = FORMAT
    service: Label
    place: Label
    #: When the last look began that is over; 0 before the first.
    looked: Time = 0
    #: Why that couldn't tell, and when the first of those began that couldn't.
    problem: Problem | None = None
    since: Time = 0

    def seen(self, began: Time, problem: Problem | None) -> AlarmWatch:
        """The same after a look."""
        since = 0.0 if problem is None else self.since or began
        return self.model_copy(update={"looked": began, "problem": problem, "since": since})

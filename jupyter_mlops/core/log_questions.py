"""What is asked of a service's log from outside of where it lies, as in a pod, and what it says."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from .base import Label, Record, Saying, Time, first
from .performance import Tally

#: Ids or labels of one question.
MOST_ASKED = 20_000


class LoggedTallies(Record):
    """What is logged of the version that is wanted, added up by time; its task, and why it can't say how sure it is."""

    digest: Label = ""
    tallies: Annotated[list[Tally], first(100_000)] = []
    task: Label = ""
    unsure: Saying = ""


class LoggedIds(Record):
    """Ids of rows."""

    ids: Annotated[list[str], Field(max_length=MOST_ASKED)] = []


class SomeLabels(Record):
    """Ids, each with its label."""

    labels: Annotated[list[tuple[str, Any]], Field(max_length=MOST_ASKED)] = []


class LoggedSince(Record):
    """The time from which rows are wanted."""

    since: Time = 0.0


class ForgottenKey(Record):
    """Whose requests are to leave nothing."""

    key: str = ""

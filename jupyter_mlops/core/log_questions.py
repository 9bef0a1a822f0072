"""What is asked of a service's log and counts from outside of where these lie, as in a pod, and what is said."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from .base import Label, Record, Saying, Time, first
from .callers import DAYS, UsageDay
from .logged import MOST_FEATURES

#: Ids or labels of one question, and rows of one answer.
MOST_ASKED, MOST_COPIED = 20_000, 5000


class LoggedIds(Record):
    """Ids of rows."""

    ids: Annotated[list[str], Field(max_length=MOST_ASKED)] = []


class SomeLabels(Record):
    """Ids, each with its label."""

    labels: Annotated[list[tuple[str, Any]], Field(max_length=MOST_ASKED)] = []


class LoggedSince(Record):
    """Rows that were logged or labelled since then are wanted; of those at that very moment the ones after this id."""

    since: Time = 0.0
    after: str = ""


class CopiedVersion(Record):
    """A version, as its replicas told of it: its task, and why it can't say how sure it is."""

    digest: Label
    version: int = 0
    task: Label = ""
    unsure: Saying = ""


class CopiedRow(Record):
    """A row of a log, with all that is kept of it. `changed` is when it was answered or, later, labelled; `features` is
    empty where they aren't kept any more. `key` is a digest."""

    id: Label
    digest: Label
    changed: Time
    key: Label = ""
    time: Time = 0
    answer: Saying = ""
    expected: float | None = None
    label: Saying | None = None
    labelled: Time | None = None
    score: float | None = None
    features: Annotated[str, first(MOST_FEATURES)] = ""


class LogCopy(Record):
    """A part of a log: rows by the time of their change. `salt` is what keys were digested with, `forgotten` are the
    digests of those that were forgotten lately, and when. `more` is whether other rows follow."""

    salt: Label = ""
    versions: list[CopiedVersion] = []
    forgotten: list[tuple[Label, Time]] = []
    rows: Annotated[list[CopiedRow], first(MOST_COPIED)] = []
    more: bool = False


class UsageDays(Record):
    """What callers asked, by the day."""

    days: Annotated[list[UsageDay], first(DAYS)] = []


class ForgottenKey(Record):
    """Whose requests are to leave nothing."""

    key: str = ""

"""Logged requests: the part of what a service is asked that is kept, so that it can be looked at and labelled later.

Which rows these are depends on their ids alone: so whoever has an id can tell a row that was never kept from one that
was never asked.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from typing import Annotated

from .base import LONGEST, Label, Record, Saying, Time, first
from .model import Task

#: Rows that a replica keeps between two looks, and characters that the features of one may have as JSON.
MOST_ROWS, MOST_FEATURES = 2000, 20_000

#: 2³² divided by the golden ratio: its multiples are spread evenly over 2³², so that of a request's rows the share is
#: kept.
GOLDEN, ALL = 2_654_435_769, 2**32


class SampleSettings(Record):
    """What a replica is to keep: a share of the rows, so many of an hour at most, without the private features."""

    share: float = 0.0
    rows: int = 0
    private: list[str] = []


class LoggedRow(Record):
    """A row that was answered.

    `answer` is JSON, of what the answer means for the model's task: a label, or a number. `expected` is the chance that
    it is right, as far as the version's own doubts tell. `features` is JSON, too: a value for each by its name.
    """

    id: Label
    #: Whose request it was; empty where nobody said so. Of this only a digest is stored.
    key: str = ""
    time: Time = 0
    answer: Saying = ""
    expected: float | None = None
    features: Annotated[str, first(MOST_FEATURES)] = ""


class RequestSample(Record):
    """What a replica has kept since it was asked for last. `unsure` says why it can't tell how good it is."""

    rows: Annotated[list[LoggedRow], first(MOST_ROWS)] = []
    task: Task = "other"
    unsure: Saying = ""


class Allowance:
    """How many rows may be logged: so many in an hour, of which those that weren't needed are there later.

    Parameters
    ----------
    rows : of an hour.
    now : in seconds.
    """

    def __init__(self, rows: int, now: Time) -> None:
        self.rows, self._left, self._at = rows, float(rows), now

    def take(self, wanted: int, now: Time) -> int:
        """How many of `wanted` rows may be logged."""
        earned = max(0.0, now - self._at) * self.rows / 3600  # the clock may have been set back
        self._left, self._at = min(float(self.rows), self._left + earned), now
        taken = min(wanted, int(self._left))
        self._left -= taken
        return taken


def place_of(request: str) -> int:
    """Where the first row of a request of several stands among all, from 0 to `ALL`; each other is `GOLDEN` further."""
    return zlib.crc32(request.encode(errors="replace"))


def row_id(id: str, row: int, rows: int) -> str:
    """The id of a row: that of its request, with the row's number where the request has several."""
    return id if rows == 1 else f"{id}/{row}"


def is_kept(id: str, share: float) -> bool:
    """Whether a row of this id is among those that are kept, as far as the share goes."""
    place = place_of(id)
    if "/" in id:
        request, _, row = id.rpartition("/")
        if request and row.isascii() and row.isdigit():
            place = (place_of(request) + int(row) * GOLDEN) % ALL
    return place < share * ALL


def is_id(text: object) -> bool:
    """Whether a caller may call a request so, and label it later."""
    return isinstance(text, str) and 0 < len(text) <= LONGEST - 20 and text.isprintable()


def key_digest(key: str, salt: str) -> str:
    """What is kept of a key: by it one finds what has the same key, and not the key."""
    return hashlib.sha256(f"{salt}\n{key}".encode(errors="replace")).hexdigest()[:32]


def most_even(rows: Sequence[LoggedRow], most: int) -> list[LoggedRow]:
    """So many of the rows, by no order that they came in."""
    return list(rows) if len(rows) <= most else sorted(rows, key=lambda row: place_of(f"{row.id} again"))[:most]

"""The trail: who did what to a model and its services, and why. Each line has the digest of the one before, so that a
change shows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated, Literal

from .base import Label, Record, Saying, Time, first, otherwise, read_record
from .errors import Unreadable
from .formats import FORMAT
from .gate import GateResult

Door = Annotated[Literal["notebook", "run", "cli", "sidebar", "router", "pipeline", "other"], otherwise("other")]

#: `failed` is a deployment that came to nothing; a candidate's share is changed by somebody (`split`), or by itself
#: (`went on`); callers are let in and shut out; a service that has stopped is forgotten, and one forgets what the
#: requests of a key left in its log. A retraining begins, and may come to nothing.
Deed = Annotated[
    Literal[
        "saved",
        "promoted",
        "refused",
        "ruled",
        "checked",
        "described",
        "deployed",
        "failed",
        "split",
        "went on",
        "rolled back",
        "began to retrain",
        "didn't retrain",
        "stopped",
        "forgotten",
        "forgot a key",
        "let in",
        "shut out",
        "other",
    ],
    otherwise("other"),
]


class Actor(Record):
    """Who did something, and by which door."""

    name: Label
    how: Door = "other"


class TrailEntry(Record):
    """One line. `before` and `after` are what changed, as for a promotion the champions' numbers."""

    format: int = FORMAT
    seq: int
    time: Time
    actor: Actor
    verb: Deed
    #: As people name it: "churn@3", or "churn".
    object: Label
    #: The service that it was done to, if it was one.
    service: Label = ""
    before: Saying = ""
    after: Saying = ""
    why: Saying = ""
    #: Whether it was done although a gate failed.
    override: bool = False
    gates: Annotated[list[GateResult], first(1000)] = []
    #: Of the version.
    digest: Label = ""
    #: SHA-256 of the line before; empty in the first.
    previous: Label = ""


class Break(Record):
    """Where a trail isn't as it was written: the line, counted from 1, and what is wrong with it."""

    line: int
    what: Saying
    #: Whether it is no change by somebody: a line that a crash cut short.
    harmless: bool = False


def digest_of(line: str) -> str:
    """The digest by which the next line refers to this one."""
    return hashlib.sha256(line.encode()).hexdigest()


def entries_of(text: str) -> list[tuple[str, TrailEntry]]:
    """The lines of a trail that can be read, each with its entry."""
    found = []
    for line in text.split("\n"):
        if (entry := _entry(line)) is not None:
            found.append((line, entry))
    return found


def breaks(text: str, known: int = 0, known_digest: str = "") -> list[Break]:
    """Where the trail `text` isn't as it was written.

    A line that can't be read is what a crash left, when the line after it refers to the last whole one: nothing that
    was written is gone then.

    Parameters
    ----------
    known, known_digest : number and digest of a line that was there once, of which somebody else has a note.
    """
    found: list[Break] = []
    lines = text.split("\n")
    previous, seq, cut = "", 0, list[int]()
    digests: dict[int, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        entry = _entry(line)
        if entry is None:
            cut.append(number)
            continue
        if entry.previous != previous or entry.seq != seq + 1:
            found.append(Break(line=number, what=_difference(entry, seq)))
        previous, seq = digest_of(line), entry.seq
        digests[seq] = previous
    found += [Break(line=number, what="this line was cut short", harmless=True) for number in cut]
    if known and known not in digests:
        found.append(Break(line=len(lines), what=f"entries up to number {known} were there, and {seq} is the last now"))
    elif known and digests[known] != known_digest:
        found.append(Break(line=0, what=f"entry {known} isn't the one that was written"))
    return sorted(found, key=lambda each: each.line)


def _difference(entry: TrailEntry, seq: int) -> str:
    if entry.seq > seq + 1:
        missing = f"entry {seq + 1} is" if entry.seq == seq + 2 else f"entries {seq + 1} to {entry.seq - 1} are"
        return f"{missing} missing before this line"
    if entry.seq <= seq:
        return f"entry {entry.seq} stands after entry {seq}"
    return "the line before this one isn't the one that was written"


def after(lines: Sequence[tuple[str, TrailEntry]]) -> tuple[int, str]:
    """The number of the next line, and the digest that it refers to."""
    if not lines:
        return 1, ""
    line, entry = lines[-1]
    return entry.seq + 1, digest_of(line)


def _entry(line: str) -> TrailEntry | None:
    try:
        return read_record(TrailEntry, line, "line")
    except Unreadable:
        return None

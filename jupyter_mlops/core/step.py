"""A step of a notebook: a cell whose values are kept, and taken from there while nothing that they rest on changes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Annotated

from .base import Label, Record, Saying, Seconds, Time, first
from .errors import InvalidSpec
from .formats import FORMAT
from .price import Cost
from .words import first_of

#: The part that is its code.
CODE = "its code"

#: Parts, files and names of a step that its record has, and names that a sentence has.
MOST, _NAMED = 10_000, 3

_NAME = re.compile(r"[A-Za-z][\w-]{0,47}", re.ASCII)

Digests = Annotated[dict[str, str], first(MOST)]


class StepRecord(Record):
    """What a step rested on when it was computed last, and what became of it.

    `parts` has a digest of all that it rests on, by what that is called: its code, the variables that it reads,
    packages and modules; `key` is one of all of these. `files` are those that its code names, as they were when it
    was done. `seen` is when it was found to be as it was the last time. `makes` has a digest of each variable that
    it made; `changes` are those of its inputs that it changed in place. `started` and `made` are when it began and
    was done, `took` the seconds between; `error` says why it failed, and `unkept` why its values aren't kept.
    """

    format: int = FORMAT
    name: Label
    key: Label
    parts: Digests = {}
    files: Digests = {}
    makes: Digests = {}
    changes: Annotated[list[Label], first(MOST)] = []
    run: Label = ""
    started: Time = 0
    made: Time = 0
    took: Seconds = 0
    seen: Time = 0
    cost: Cost = Cost()
    error: Saying = ""
    unkept: Saying = ""


def check_step_name(name: str) -> str:
    """`name`, if a step may have it.

    Raises
    ------
    InvalidSpec : it may not.
    """
    if _NAME.fullmatch(name) is None:
        why = "it may have up to 48 letters, digits, _ and -, and starts with a letter"
        raise InvalidSpec(f"A step can't be called {name!r:.80}", why, "Use a name like train.")
    return name


def key_of(parts: Mapping[str, str]) -> str:
    """One digest of all parts."""
    return hashlib.sha256(repr(sorted(parts.items())).encode()).hexdigest()[:24]


def what_differs(before: StepRecord, parts: Mapping[str, str], files: Mapping[str, str]) -> str:
    """What is another than it was, in words: "its code, 'alpha' and numpy"; empty where nothing is."""
    names = [name for name in {**before.parts, **parts} if before.parts.get(name) != parts.get(name)]
    if CODE in names:  # another code reads other things, which have not changed
        names = [name for name in names if name == CODE or (name in before.parts and name in parts)]
    names += [name for name in {**before.files, **files} if before.files.get(name) != files.get(name)]
    return first_of(names, _NAMED) if names else ""

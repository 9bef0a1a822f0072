"""Files of lines of JSON: read with whatever is wrong with some of them."""

from __future__ import annotations

from typing import TypeVar

from .base import read_record
from .errors import Unreadable

_T = TypeVar("_T")


def read_lines(kind: type[_T], text: str) -> list[_T]:
    """The lines of `text` as `kind`s, in their order.

    A line that can't be read is left out: one that a crash, a full disk or a copy cut short, one that is damaged, and
    one of a sort that only a newer version knows.
    """
    found = []
    for line in text.split("\n"):  # not `splitlines`, which also cuts at separators that may stand within a text
        try:
            found.append(read_record(kind, line))
        except Unreadable:
            continue
    return found

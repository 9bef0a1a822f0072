"""Many records at once, read with whatever is wrong with some of them: files of lines of JSON, lists in answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from .base import read_record
from .errors import Unreadable

_T = TypeVar("_T")


def read_lines(kind: type[_T], text: str) -> list[_T]:
    """The lines of `text` as `kind`s, in their order.

    A line that can't be read is left out: one that a crash, a full disk or a copy cut short, one that is damaged, and
    one of a sort that only a newer version knows.
    """
    # Not `splitlines`, which also cuts at separators that may stand within a text.
    return _readable(kind, text.split("\n"))


def read_list(kind: type[_T], rows: object) -> list[_T]:
    """The rows of an answer as `kind`s, in their order; those that can't be read, as no lines can, are left out.

    Raises
    ------
    Unreadable : it is no list at all.
    """
    try:
        return read_record(list[kind], rows)  # type: ignore[valid-type]  # a type that is a value
    except Unreadable:
        if not isinstance(rows, (list, tuple)):  # Dask's messages make tuples of lists
            raise
    return _readable(kind, rows)


def _readable(kind: type[_T], rows: Iterable[object]) -> list[_T]:
    found = []
    for row in rows:
        try:
            found.append(read_record(kind, row))
        except Unreadable:
            continue
    return found

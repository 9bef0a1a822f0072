"""The bills of all clusters that ended, kept for good in the home folder: lines of one file, added and never changed.

Places forget clusters after some days; what they cost stays here, so that months can be compared.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from .. import home
from ..core.bill import Bill


def kept() -> dict[str, Bill]:
    """All bills that are kept, by their clusters' ids.

    Raises
    ------
    Unreadable : the file is there, and can't be read.
    """
    return {bill.id: bill for bill in home.read_lines(Bill, _path())}


def keep(bills: Iterable[Bill]) -> None:
    """Add bills of clusters that ended. One that two processes add at the same time is there twice, and counts once.

    Raises
    ------
    StorageFull, Refused, Unavailable : they can't be written.
    """
    if found := list(bills):
        home.append(_path(), found)


def _path() -> Path:
    return home.home() / "bills.jsonl"

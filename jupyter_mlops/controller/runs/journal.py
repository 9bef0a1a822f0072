"""The journal of a run: what it printed and logged; whole on disk up to a size, its end in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...core.base import Time
from ...core.changes import ChangeLog
from ...core.run import Entry

#: Characters of the journal's end that are kept in memory, and entries.
KEPT = 4_000_000
ENTRIES = 20_000

#: Characters of a journal that are written to its file.
ON_DISK = 64_000_000

#: Characters of one entry: a longer text becomes several, so that no message to a watcher is huge.
LONGEST = 100_000


class Journal:
    """Numbers entries from 1 on.

    Parameters
    ----------
    write : takes each line for the file.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._entries: ChangeLog[Entry] = ChangeLog()
        self._size = 0
        self._written = 0
        self.seq = 0

    def add(self, change: int, time: Time, **what: Any) -> None:
        """Add an entry, which came with the run's change number `change`; more than one for a long text."""
        text = what.pop("text", "")
        for start in range(0, max(1, len(text)), LONGEST):
            self.seq += 1
            self._add(change, Entry(seq=self.seq, time=time, text=text[start : start + LONGEST], **what))

    def since(self, change: int) -> list[Entry]:
        """The entries that came after `change` and are still in memory."""
        return self._entries.after(change)

    def _add(self, change: int, entry: Entry) -> None:
        self._entries.add(entry, change)
        self._size += len(entry.text)
        while self._size > KEPT or len(self._entries) > ENTRIES:
            self._size -= len(self._entries.drop_oldest().text)
        self._to_disk(entry)

    def _to_disk(self, entry: Entry) -> None:
        if self._written > ON_DISK:
            return
        line = entry.model_dump_json(exclude_defaults=True)
        self._written += len(line)
        if self._written > ON_DISK:
            note = "\n[this journal is full: what comes after isn't kept]\n"
            line = Entry(seq=entry.seq, time=entry.time, kind="print", text=note).model_dump_json(exclude_defaults=True)
        self._write(line)

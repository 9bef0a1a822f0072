"""The folder of scores: what is there already, of which version and which input."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ...core.base import read_record
from ...core.errors import Conflict, InvalidInput, Refused, Unavailable, Unreadable
from ...core.scoring import PartMark, Scoring
from ...core.words import count, first_of
from .part import MARK, files_at, is_here, write

#: The file that says what a folder is of. Who reads the folder as a table passes it over.
NOTE = "_scoring.json"

#: What a part or the note is called that was being written when its writer was killed.
_DRAFT = re.compile(rf"\.(.+\.parquet|{re.escape(NOTE)})\.\d+-\d+")

#: Files whose ends are read at the same time, and names that an error lists.
_AT_ONCE, _NAMED = 16, 3


class ScoreFolder:
    """A folder or URL that scores go to.

    Parameters
    ----------
    place : as its user wrote it.

    Raises
    ------
    InvalidInput : nothing is known that could write there.
    """

    def __init__(self, place: str) -> None:
        try:
            self._files, self._root = files_at(place)
        except (ImportError, ValueError) as error:
            raise InvalidInput(f"Nothing can be written to {place!r}", str(error), "") from None
        #: As workers are told: absolute.
        self.place = self._root if is_here(self._files) else place.rstrip("/")

    def note(self) -> Scoring | None:
        """What it is of; None where it isn't there, or has nothing in it.

        Raises
        ------
        Conflict : it has something in it that is no scores.
        Unreadable
        """
        with self._told():
            self._files.invalidate_cache()
            names = self._names()
            if NOTE in names:
                return read_record(Scoring, self._files.cat_file(f"{self._root}/{NOTE}"), f"file {NOTE}")
        if names := {name for name in names if not _DRAFT.fullmatch(name)}:
            why = f"it has {first_of(sorted(names), _NAMED)} in it, and no scores"
            raise Conflict(f"Scores can't go to {self.place}", why, "Name a new folder, or one of earlier scores.")
        return None

    def claim(self, seen: Scoring | None, note: Scoring, old: Iterable[str] = ()) -> None:
        """Make it `note`'s, where it is as it was `seen`, without its `old` parts.

        Raises
        ------
        Conflict : somebody else scores into it since.
        """
        with self._told():
            self._files.makedirs(self._root, exist_ok=True)
            with self._held():
                there = self.note()
                if there is not None and there != seen:
                    todo = "Wait for it, or name another folder."
                    raise Conflict(f"{self.place} is being scored into", f"run {there.run} began meanwhile", todo)
                self._write_note(note)  # first: from now on no worker of another run writes anything
            self.remove([*old, *filter(_DRAFT.fullmatch, self._names())])

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        """While nobody else on this machine changes what it is of; in a store the last one has it."""
        if not is_here(self._files):
            yield
            return
        folder = os.open(self._root, os.O_RDONLY)
        try:
            with contextlib.suppress(OSError):  # a network drive may have no locks
                fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _write_note(self, note: Scoring) -> None:
        with self._told():
            write(self._files, self._root, NOTE, note.model_dump_json(indent=1).encode())

    def parts(self) -> dict[str, PartMark]:
        """Its parts, each with what it says of itself.

        Raises
        ------
        Conflict : it has Parquet files in it that are no parts: who reads the folder would have their rows, too, and
            nobody says whether they may be removed.
        """
        with self._told():
            names = sorted(name for name in self._names() if name.endswith(".parquet"))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            marks = dict(zip(names, pool.map(self._mark, names), strict=True))
        if others := [name for name, mark in marks.items() if mark is None]:
            why = f"{first_of(others, _NAMED)} can't be told to be a part of them"
            raise Conflict(
                f"{self.place} has something else in it than scores", why, "Move it elsewhere, or remove it."
            )
        return {name: mark for name, mark in marks.items() if mark is not None}

    def remove(self, names: Iterable[str]) -> None:
        """Remove files of it."""
        with self._told():
            for name in names:
                self._files.rm_file(f"{self._root}/{name}")

    def _names(self) -> set[str]:
        try:
            return {str(path).rpartition("/")[2] for path in self._files.ls(self._root, detail=False)} - {""}
        except FileNotFoundError:
            return set()

    def _mark(self, name: str) -> PartMark | None:
        from pyarrow import ArrowInvalid, parquet

        try:
            with self._files.open(f"{self._root}/{name}", "rb") as file:
                told = parquet.read_metadata(file).metadata or {}
            return read_record(PartMark, told.get(MARK, b""), "mark of a part")
        except (ArrowInvalid, OSError, Unreadable):
            return None

    @contextlib.contextmanager
    def _told(self) -> Any:
        """What a disk or a store refuses, in our words."""
        try:
            yield
        except PermissionError as error:
            raise Refused(f"Scores can't go to {self.place}", str(error), "Name a folder that is yours.") from error
        except NotADirectoryError as error:
            raise InvalidInput(f"{self.place} is no folder", "", "Name a folder for the scores.") from error
        except OSError as error:
            raise Unavailable(f"{self.place} can't be used now", str(error), "Look whether it is there.") from error


def check_same(folder: ScoreFolder, there: Scoring, wanted: Scoring) -> None:
    """Raise `Conflict` where the scores in a folder are others than those that are wanted."""
    todo = "Name another folder, or begin anew with fresh=True (--fresh), which removes them."
    if there.digest != wanted.digest:
        raise Conflict(f"{folder.place} has scores of {there.name}", f"and not of {wanted.name}", todo)
    if there.takes != wanted.takes:
        why = f"{first_of(there.takes, _NAMED)} there, {first_of(wanted.takes, _NAMED)} now"
        raise Conflict(f"{folder.place} has scores of other columns, or of them in another order", why, todo)
    if there.columns != wanted.columns:
        others = [
            first_of([name for name in one.columns if name not in other.columns], _NAMED)
            for one, other in ((there, wanted), (wanted, there))
        ]
        why = (
            f"{others[0] or 'nothing else'} there, {others[1] or 'nothing else'} now"
            if any(others)
            else "in another order"
        )
        raise Conflict(f"{folder.place} has scores with other columns", why, todo)


def check_all_wanted(folder: ScoreFolder, there: Iterable[str], wanted: Iterable[str]) -> None:
    """Raise `Conflict` where a folder has parts that none of the input belongs to: who reads it would have rows in it
    that aren't asked for."""
    if others := sorted(set(there) - set(wanted)):
        raise Conflict(
            f"{folder.place} has scores of another input",
            f"{count(len(others), 'part')} of it {'is' if len(others) == 1 else 'are'} no part of this one: "
            f"{first_of(others, _NAMED)}",
            "Name another folder, or begin anew with fresh=True (--fresh), which removes them.",
        )

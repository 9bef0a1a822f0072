"""A run's folder: the names of what is in it, and how that is read and written. One per run, whatever its cluster.

Pydantic is imported only when a record or a journal is read: looking for folders costs next to nothing.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from .. import home

if TYPE_CHECKING:
    from ..core.base import Record
    from ..core.curve import Copied, CurveLine, Curves
    from ..core.errors import Unreadable
    from ..core.run import Entry, RunState
    from ..core.sweep import Trial

    _RecordT = TypeVar("_RecordT", bound=Record)

#: Its state, what it printed, and its metrics.
RECORD, JOURNAL, CURVES = "record.json", "journal.jsonl", "curves.jsonl"

#: The trials of a sweep.
TRIALS = "trials.jsonl"

#: How the mark of a run is named that was removed, and seconds that it is kept.
_REMOVED, _MARKED = ".removed", 400 * 86400.0

#: Bytes of points, and of trials for a browser, that are read at once.
_SOME, _FEW = 4_000_000, 500_000

_ID = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run."""

    path: Path

    @property
    def run(self) -> str:
        """The run's id."""
        return self.path.name

    @property
    def record_file(self) -> Path:
        """Where its state is."""
        return self.path / RECORD

    @property
    def payload(self) -> Path:
        """What to send to run it again; complete when it is there."""
        return self.path / "payload.pkl"

    @property
    def new_payload(self) -> Path:
        """The same while it is being written."""
        return self.path / "payload.new"

    @property
    def no_payload(self) -> Path:
        """Why there is no payload, in words."""
        return self.path / "payload.why"

    @property
    def key_file(self) -> Path:
        """The key that the parts of its result are sealed with (`agent/seals.py`)."""
        return self.path / "seal.key"

    @property
    def result(self) -> Path:
        """The folder with the parts of a detached run's result."""
        return self.path / "result"

    @property
    def checkpoints(self) -> Path:
        """The folder with the checkpoints of a gang, unless its user wants them elsewhere."""
        return self.path / "checkpoints"

    @property
    def marker(self) -> Path:
        """What of the run is in MLflow."""
        return self.path / "mlflow.json"

    def make(self) -> RunFolder:
        """The folder, made when it is missing; raises `StorageFull`, `Refused`."""
        home.private(self.path)
        return self

    def stamp(self) -> tuple[int, int] | None:
        """When the record was written, in nanoseconds since the epoch, and its size; None while there is none."""
        try:
            stat = self.record_file.stat()
        except OSError:  # not yet written, or removed just now
            return None
        return stat.st_mtime_ns, stat.st_size

    def record(self) -> RunState:
        """The run's state.

        Raises
        ------
        FileNotFoundError : there is no record.
        Unreadable : there is one that can't be read.
        """
        from ..core.run import RunState

        return home.read(RunState, self.record_file)

    def row(self, fault: Unreadable) -> RunState:
        """The run as it is shown when its record can't be read."""
        from ..core.run import unreadable_run

        return unreadable_run(self.run, "", (self.stamp() or (0, 0))[0] / 1e9, fault)

    def write_record(self, state: RunState) -> None:
        """Write the run's state; raises `StorageFull`, `Refused`."""
        home.write(self.make().record_file, state.model_dump_json())

    def remove(self) -> None:
        """Remove all that was kept of the run. It is out of sight at once, whatever is in it. What stays is a mark for
        those who may hear of the run again: its cluster tells of it for as long as it lives.

        Raises
        ------
        Refused : it isn't ours to remove.
        """
        gone = self.path.with_name(f".{self.run}-removed")
        with home.guarded(self.path):
            shutil.rmtree(gone, ignore_errors=True)  # an earlier one was cut short
            with contextlib.suppress(FileNotFoundError):  # a run of which others keep something
                self.path.rename(gone)
            self.path.with_name(f"{self.run}{_REMOVED}").touch(mode=0o600)
            shutil.rmtree(gone, ignore_errors=True)

    def new_key(self) -> bytes:
        """A key for the run's results, written down; raises `StorageFull`, `Refused`."""
        key = secrets.token_bytes(32)
        home.write(self.make().key_file, key)
        return key

    def key(self) -> bytes:
        """The key of the run's results; empty for a run that was sent from another home, or by a version before 0.2."""
        try:
            return self.key_file.read_bytes()
        except FileNotFoundError:
            return b""

    def journal(self, since: int = 0) -> list[Entry]:
        """What it printed and logged after the number `since`, each entry once: several processes may copy it here."""
        from ..core.run import Entry

        entries = {entry.seq: entry for entry in home.read_lines(Entry, self.path / JOURNAL) if entry.seq > since}
        return [entries[seq] for seq in sorted(entries)]

    def add_to_journal(self, entries: Iterable[Entry]) -> None:
        """Add what it printed and logged; raises `StorageFull`, `Refused`."""
        home.append(self.path / JOURNAL, entries)

    def curves(self) -> list[CurveLine]:
        """All points of its metrics, in lines. Those of runs of earlier versions are in their journals.

        Raises
        ------
        Unreadable : the file is closed to us.
        """
        from ..core.curve import CurveLine

        if lines := home.read_lines(CurveLine, self.path / CURVES):
            return lines
        entries = [entry for entry in self.journal() if entry.kind == "metric" and isinstance(entry.value, float)]
        lines = []
        for number, entry in enumerate(entries):
            step = number if entry.step is None else entry.step
            lines.append(CurveLine(key=entry.key, steps=[step], values=[entry.value], times=[entry.time]))
        return lines

    def copied_points(self) -> Copied:
        """What of its points is here. Raises as `curves`."""
        from ..core.curve import Copied

        return Copied(self.curves())

    def curves_after(self, offset: int) -> tuple[list[CurveLine], int]:
        """Some of the lines of points that come after so many bytes, and the bytes until their end."""
        from ..core.curve import CurveLine

        return self._lines_after(CurveLine, CURVES, offset, _SOME)

    def drawn_curves(self) -> Curves:
        """The curves of its metrics, thinned; however many points there are, few are in memory. Raises as `curves`."""
        from ..core.curve import Curves

        curves, offset = Curves(), 0
        while True:
            lines, end = self.curves_after(offset)
            if end == offset:
                return curves if offset else Curves.of(self.curves())
            for line in lines:
                curves.take(line)
            offset = end

    def curves_stamp(self) -> int:
        """Bytes of its points; 0 while there are none."""
        try:
            return (self.path / CURVES).stat().st_size
        except OSError:
            return 0

    def add_to_curves(self, lines: Iterable[CurveLine]) -> None:
        """Add points; raises `StorageFull`, `Refused`."""
        home.append(self.path / CURVES, lines)

    def trials(self) -> list[Trial]:
        """The trials of a sweep, by number; the last line of each counts. Raises as `curves`."""
        from ..core.sweep import Trial, latest

        return latest(home.read_lines(Trial, self.path / TRIALS))

    def trials_after(self, offset: int) -> tuple[list[Trial], int, bool]:
        """What some of the lines of trials say that come after so many bytes, by number, the last one of each; the
        bytes until their end, and whether there are more."""
        from ..core.sweep import Trial, latest

        lines, end = self._lines_after(Trial, TRIALS, offset, _FEW)
        return latest(lines), end, end - offset >= _FEW

    def add_to_trials(self, trials: Iterable[Trial]) -> None:
        """Add what became of trials; raises `StorageFull`, `Refused`."""
        home.append(self.path / TRIALS, trials)

    def _lines_after(self, kind: type[_RecordT], name: str, offset: int, some: int) -> tuple[list[_RecordT], int]:
        """About `some` bytes of a file's whole lines after so many bytes, as records, and the bytes until their end."""
        from ..core.lines import read_lines

        try:
            with (self.path / name).open("rb") as file:
                file.seek(offset)
                text = file.read(some) + file.readline()
        except FileNotFoundError:
            return [], offset
        text = text[: text.rfind(b"\n") + 1]
        return read_lines(kind, text.decode("utf-8", "replace")), offset + len(text)

    def parts(self) -> list[Path]:
        """The parts of its result that are here: pickled outcomes of its tasks."""
        return sorted(self.result.glob("*.pkl"))

    def part(self, number: int) -> Path:
        """Where the part of the task of that number is."""
        return self.result / f"{number}.pkl"


def run_folder(run: str) -> RunFolder:
    """The folder of a run, which may not be there.

    Raises
    ------
    UnknownRun : this is no run's id, and so no name of a folder.
    """
    if not _ID.fullmatch(run):
        from ..core.errors import UnknownRun

        raise UnknownRun.named(run, [])
    return RunFolder(home.runs_dir() / run)


def run_folders() -> Iterator[RunFolder]:
    """All runs' folders, in no order."""
    for path in home.runs_dir().iterdir():
        if _ID.fullmatch(path.name):
            yield RunFolder(path)


def removed_runs() -> set[str]:
    """The ids of the runs that were removed. Marks that are so old that nobody tells of their runs are removed, too."""
    removed = set()
    for mark in home.runs_dir().glob(f"*{_REMOVED}"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - mark.stat().st_mtime > _MARKED:
                mark.unlink()
            else:
                removed.add(mark.name.removesuffix(_REMOVED))
    return removed


def read_run(run: str) -> RunState:
    """The record of a run.

    Raises
    ------
    UnknownRun : there is none; a near id is suggested.
    Unreadable : there is one that can't be read.
    """
    from ..core.errors import UnknownRun

    try:
        return run_folder(run).record()
    except (FileNotFoundError, UnknownRun):
        raise UnknownRun.named(run, [folder.run for folder in run_folders()]) from None


def read_runs() -> list[RunState]:
    """The records of all runs, the last first; one that can't be read is a run that says so."""
    from ..core.errors import Unreadable

    records = []
    for folder in run_folders():
        try:
            records.append(folder.record())
        except FileNotFoundError:  # not yet written, or removed just now
            continue
        except Unreadable as fault:
            records.append(folder.row(fault))
    return sorted(records, key=lambda record: record.created, reverse=True)

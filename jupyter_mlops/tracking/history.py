"""The records of runs: one folder per run, whatever its cluster, in the home folder's `runs/`.

Callers: the server, the kernel, the command line. All functions read files, and so belong on a thread where there is
an event loop.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from .. import home
from ..core.cluster import ClusterState
from ..core.errors import UnknownRun
from ..core.run import FINAL, Entry, RunState

RECORD = "record.json"
JOURNAL = "journal.jsonl"
PAYLOAD = "payload.pkl"

_ID = re.compile(r"[0-9a-f]{12}")

_log = logging.getLogger(__name__)


@dataclass
class Records:
    """All records, each read again only when its file changed."""

    _known: dict[str, tuple[tuple[int, int], RunState]] = field(default_factory=dict)
    _broken: dict[str, tuple[int, int]] = field(default_factory=dict)

    def changed(self) -> list[RunState]:
        """Runs whose record is new or has changed since the last call, oldest first."""
        found = []
        there = set()
        for run, path, stamp in _stamped():
            there.add(run)
            if self._known.get(run, (None,))[0] == stamp or self._broken.get(run) == stamp:
                continue
            try:
                state = RunState.model_validate_json(path.read_bytes())
            except (ValidationError, OSError) as error:
                # Half a record of a disk that was full, or one of a newer release: the others are shown.
                self._broken[run] = stamp
                _log.warning("The record %s is skipped: %s", path, error)
                continue
            self._known[run] = (stamp, state)
            found.append(state)
        for run in set(self._known) - there:
            del self._known[run]
        return sorted(found, key=lambda state: state.created)

    def all(self) -> list[RunState]:
        """All runs, newest first; without reading anything."""
        states = (state for _, state in self._known.values())
        return sorted(states, key=lambda state: state.created, reverse=True)


def runs(limit: int | None = None, cluster: str | None = None) -> list[RunState]:
    """The newest runs of one cluster or of all, newest first."""
    records = Records()
    records.changed()
    found = [run for run in records.all() if cluster is None or run.cluster == cluster]
    return found[:limit]


def get(run: str) -> RunState:
    """The run of that id, or whose id begins so when that is one only.

    Raises
    ------
    UnknownRun : there is none.
    """
    try:
        if not _ID.fullmatch(run):
            raise FileNotFoundError
        return RunState.model_validate_json((home.runs_dir() / run / RECORD).read_bytes())
    except (OSError, ValidationError):
        pass
    known = {path.name for path in home.runs_dir().iterdir() if _ID.fullmatch(path.name)}
    begun = [name for name in known if run and name.startswith(run) and name != run]
    if len(begun) == 1:
        return get(begun[0])
    raise UnknownRun.named(run, known)


def journal(run: str, since: int = 0) -> list[Entry]:
    """The lines of the run's journal after the number `since`; those that are not whole are skipped."""
    if not _ID.fullmatch(run):
        return []
    try:
        lines = (home.runs_dir() / run / JOURNAL).read_bytes().splitlines()
    except OSError:
        return []
    entries = []
    for line in lines:
        try:
            entry = Entry.model_validate_json(line)
        except ValidationError:
            continue
        if entry.seq > since:
            entries.append(entry)
    return entries


def lost(run: RunState, cluster: ClusterState | None) -> RunState | None:
    """`run` as a lost one, when nothing is left that could run it: its record says that the run lives, while its
    cluster has ended or is known nowhere. None when the run isn't lost.
    """
    if run.phase in FINAL or (cluster is not None and cluster.phase != "ended"):
        return None
    if cluster is not None and cluster.created > run.created:
        cluster = None  # another one of the same name
    ended = (cluster.ended if cluster is not None else None) or time.time()
    cause = f" ({cluster.cause})" if cluster is not None and cluster.cause else ""
    return run.model_copy(
        update={"phase": "lost", "ended": ended, "left": None, "error": run.error or f"The cluster ended{cause}"}
    )


def is_repeatable(run: str) -> bool:
    """Whether the input of that run was kept."""
    return (home.runs_dir() / run / PAYLOAD).exists()


def save(run: RunState) -> None:
    """Replace the record of a run whose cluster can't do it any more.

    Raises
    ------
    StorageFull, Refused : it can't be written.
    """
    folder = home.private(home.runs_dir() / run.id)
    home.write(folder / RECORD, run.model_dump_json())


def _stamped() -> Iterator[tuple[str, Path, tuple[int, int]]]:
    for folder in home.runs_dir().iterdir():
        if not _ID.fullmatch(folder.name):
            continue
        path = folder / RECORD
        try:
            stat = path.stat()
        except OSError:  # not yet written, or removed just now
            continue
        yield folder.name, path, (stat.st_mtime_ns, stat.st_size)

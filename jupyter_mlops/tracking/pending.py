"""Which records are not yet in MLflow. Cheap: neither MLflow nor pydantic is imported.

Each run's folder has a marker beside the record. The marker says how much of the run is in MLflow, and where.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from .. import home

RECORD = "record.json"
MARKER = "mlflow.json"

#: Phases that a run doesn't leave; as `core.run.FINAL`, which would import pydantic.
_FINAL = frozenset({"done", "failed", "cancelled", "lost"})

#: Seconds that the kernel which made a record has to bring it to MLflow itself.
GRACE = 15.0

_ID = re.compile(r"[0-9a-f]{12}")


@dataclass
class Marker:
    """How much of a run is in MLflow: the tracking URI, MLflow's own run, the last line of the journal, and whether the
    end is there."""

    uri: str = ""
    run: str = ""
    journal: int = 0
    ended: bool = False


def read(folder: Path) -> Marker:
    """The marker in a run's folder; an empty one when there is none, or half of one."""
    try:
        return Marker(**json.loads((folder / MARKER).read_bytes()))
    except (OSError, ValueError, TypeError):
        return Marker()


def write(folder: Path, marker: Marker) -> None:
    """Keep the marker; raises `StorageFull`, `Refused`."""
    home.write(folder / MARKER, json.dumps(asdict(marker)))


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock on the file `path`: one process at a time has it, and a process that dies loses it."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def unsynced() -> list[str]:
    """Ids of runs whose start or end is not in MLflow, oldest first."""
    now = time.time()
    found = []
    for folder in home.runs_dir().iterdir():
        if not _ID.fullmatch(folder.name):
            continue
        try:
            written = (folder / RECORD).stat().st_mtime
        except OSError:  # not yet written
            continue
        if now - written >= GRACE and _is_unsynced(folder):
            found.append((written, folder.name))
    return [run for _, run in sorted(found)]


def _is_unsynced(folder: Path) -> bool:
    marker = read(folder)
    if not marker.run:
        return True
    if marker.ended:
        return False
    try:
        return json.loads((folder / RECORD).read_bytes())["phase"] in _FINAL
    except (OSError, ValueError, KeyError, TypeError):
        return False

"""A cluster's record: which processes it is, and how far it is. The truth about whether a cluster lives.

Written by the starter until it says "go", and by the scheduler program from then on. Plain dataclasses: the program
reads it before it imports pydantic.
"""

from __future__ import annotations

import json
import secrets
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

from ... import home
from . import processes
from .processes import Process


@dataclass(frozen=True)
class Record:
    """What is known of a cluster's processes.

    `mark` is in the environment of all of them and of no other cluster's, even of the same name. `phase` is starting,
    running, stopping or ended; `boot` and `host` name the machine and its current run.
    """

    mark: str
    phase: str
    starter: Process
    scheduler: Process | None = None
    forkserver: Process | None = None
    address: str = ""
    started: float | None = None
    #: Why it is being ended by force, and what to say about it.
    cause: str = ""
    why: str = ""
    boot: str = ""
    host: str = ""

    @property
    def here(self) -> bool:
        """Whether it was made on this machine, as far as its name tells (homes can be shared by machines)."""
        return self.host == socket.gethostname()

    @property
    def alive(self) -> bool:
        """Whether its scheduler runs, or is about to be started by a starter that runs. Only for records from here."""
        if self.boot != processes.boot():
            return False
        return processes.alive(self.scheduler or self.starter)


def new_record(starter: Process) -> Record:
    """The first record of a cluster that `starter` makes here and now."""
    return Record(secrets.token_hex(8), "starting", starter, boot=processes.boot(), host=socket.gethostname())


def read_record(path: Path) -> Record | None:
    """The record in the file `path`; None when there is none, or none that can be read."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        for field in ("starter", "scheduler", "forkserver"):
            data[field] = Process(**data[field]) if data[field] else None
        return Record(**data)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write_record(path: Path, record: Record) -> None:
    """Write the record.

    Raises
    ------
    StorageFull, Refused : the file can't be written.
    """
    home.write(path, json.dumps(asdict(record), indent=1))

"""Which process a service of this machine is: it is started, found again, and ended."""

from __future__ import annotations

import json
import os
import secrets
import signal
import time
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from ... import home
from ...agent import forking
from ...core.base import Seconds
from ...core.errors import StartFailed, Unreadable
from ...core.formats import FORMAT
from ...home.detached import reap, start_detached
from ...home.services import ServiceFolder
from . import processes
from .processes import Process
from .whereabouts import Distance, Whereabouts, here

#: The program of a service. It is of a layer above, and known here by its name only.
_PROGRAM = "jupyter_mlops.serving.router"

#: Seconds between two looks at whether one has ended.
_LOOK: Seconds = 0.05


@dataclass(frozen=True)
class RouterRecord:
    """Which process a service is. `mark` is in its environment and in that of its replicas, and in no other's."""

    mark: str
    process: Process | None = None
    format: int = FORMAT
    host: str = ""
    machine: str = ""
    boot: str = ""
    numbers: str = ""

    @property
    def distance(self) -> Distance:
        """Where it runs, seen from here."""
        return Whereabouts(self.host, self.machine, self.boot, self.numbers).seen_from(here())

    @property
    def alive(self) -> bool:
        """Whether it runs, for one that runs `here`; raises OSError where that can't be seen."""
        return processes.alive(self.process) if self.process is not None else bool(processes.of_cluster(self.mark))


def launch(folder: ServiceFolder) -> None:
    """Start a router, detached from whoever starts it. The folder is locked.

    Raises
    ------
    StartFailed, StorageFull, Refused
    """
    record = RouterRecord(secrets.token_hex(8), **asdict(here()))
    _write_record(folder, record)
    environment = {
        **os.environ,
        **dict([forking.THRIFTY]),
        processes.MARK: record.mark,
        "JUPYTER_MLOPS_HOME": str(home.home()),
    }
    try:
        with folder.open_log("router") as log:
            process = start_detached(_PROGRAM, str(folder.path), folder=folder.path, log=log, environment=environment)
    except OSError as error:
        raise StartFailed("The service could not be started", str(error)) from error
    _write_record(folder, replace(record, process=processes.look(process.pid)))
    reap(process, folder.name)


def record_of(folder: ServiceFolder) -> RouterRecord:
    """Which process it is; raises `Unreadable`, also when there is none."""
    try:
        data: dict[str, Any] = json.loads(folder.router_file.read_text(encoding="utf-8"))
        known = {each.name: data[each.name] for each in fields(RouterRecord) if each.name in data}
        if not isinstance(known["mark"], str) or not known["mark"]:
            raise TypeError("its mark is no text")  # all that have this mark are killed in the end
        if known.get("process") is not None:
            known["process"] = Process(known["process"]["pid"], known["process"]["birth"])
        return RouterRecord(**known)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        why = (
            (error.strerror or "") if isinstance(error, OSError) else f"it is damaged ({type(error).__name__}: {error})"
        )
        raise Unreadable(f"{folder.router_file} can't be read", why, home.REPAIR) from None


def _write_record(folder: ServiceFolder, record: RouterRecord) -> None:
    home.write(folder.router_file, json.dumps(asdict(record), indent=1))


def end(record: RouterRecord, patience: Seconds) -> None:
    """End its processes: the router answers what it was asked, if it can. Raises OSError.

    Parameters
    ----------
    patience : seconds for that.
    """
    if record.distance == "here":
        if record.process is not None and record.alive:
            processes.kill(record.process.pid, signal.SIGTERM)
            deadline = time.monotonic() + patience
            while record.alive and time.monotonic() < deadline:
                time.sleep(_LOOK)
        processes.kill_cluster(record.mark, record.process)

"""All clusters' folders: making one, listing them, ending them on paper, throwing old ones away."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import itertools
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ... import home
from ...core.cluster import ClusterSpec, EndCause, Receipt
from ...core.errors import NameTaken, UnknownCluster, Unreadable
from ...home.clusters import RECEIPT, RECORD, SPEC
from . import processes, remains
from .folder import Folder
from .record import LocalRecord, new_record

_T = TypeVar("_T")

#: Seconds that the folder of an ended cluster is kept.
KEPT = 7 * 24 * 3600.0

#: Seconds without a sign of life after which a cluster on another machine counts as gone.
SILENT = 120.0


@dataclass(frozen=True)
class Entry:
    """A cluster on record, as far as its files can be read."""

    folder: Folder
    spec: ClusterSpec | None
    record: LocalRecord | None
    receipt: Receipt | None
    #: Whether a process of it runs; where that can't be seen, whether it gave a sign of life a short while ago.
    live: bool
    #: What of its files can't be read: its name → why.
    faults: dict[str, Unreadable]

    @property
    def ended(self) -> bool:
        """Whether it has come to its end; its processes may still be there for a moment."""
        return self.receipt is not None or RECEIPT in self.faults or not self.live

    @property
    def fault(self) -> Unreadable | None:
        """What is to be said of its files. A record is of no use any more once there is a receipt."""
        faults = [fault for name, fault in self.faults.items() if name != RECORD or not self.ended]
        return faults[0] if faults else None


def entries() -> list[Entry]:
    """All clusters on record. Those that died get their receipt now; those that ended long ago are thrown away."""
    found = []
    for path in sorted(home.clusters_dir().iterdir()):
        if "." not in path.name and path.is_dir() and (entry := _entry(Folder(path))) is not None:
            if not entry.live and entry.receipt is not None and entry.receipt.ended < time.time() - KEPT:
                shutil.rmtree(path, ignore_errors=True)
            else:
                found.append(entry)
    return found


def entry(name: str) -> Entry:
    """The cluster of that name.

    Raises
    ------
    UnknownCluster : there is none; a near name is suggested.
    """
    folder = Folder(home.clusters_dir() / name)
    found = _entry(folder) if name and "." not in name and "/" not in name else None
    if found is None:
        raise UnknownCluster.named(name, [each.folder.name for each in entries()])
    return found


def free_name(base: str) -> str:
    """`base`, or that with a number, such that no cluster on record has it."""
    taken = {path.name for path in home.clusters_dir().iterdir()}
    numbered = (f"{base}-{number}" for number in itertools.count(2))
    return base if base not in taken else next(name for name in numbered if name not in taken)


def create(spec: ClusterSpec) -> Folder:
    """Make the folder of a new cluster, whole or not at all. An ended one of that name is set aside.

    Raises
    ------
    NameTaken : a live cluster has the name.
    StorageFull, Refused : the folder can't be written.
    """
    starter = processes.look(os.getpid())
    assert starter is not None
    with locked() as clusters:
        _prune(clusters)
        final = clusters / spec.name
        if final.exists():
            _set_aside(final)
        with home.guarded(clusters):
            staging = Path(tempfile.mkdtemp(prefix=".new-", dir=clusters))
            try:
                folder = Folder(staging)
                folder.logs.mkdir(mode=0o700)
                folder.work.mkdir(mode=0o700)
                folder.reserve()
                folder.write_spec(spec)
                folder.write_record(new_record(starter))
                staging.rename(final)
            except BaseException:
                shutil.rmtree(staging, ignore_errors=True)
                raise
    return Folder(final)


@contextlib.contextmanager
def locked() -> Iterator[Path]:
    """Be the only process of this user that makes or ends folders; gives the folder that they are in."""
    clusters = home.clusters_dir()
    with home.guarded(clusters):
        handle = os.open(clusters / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield clusters
    finally:
        os.close(handle)


def settle(folder: Folder, cause: EndCause | None = None, why: str = "") -> None:
    """Write the end of a cluster that is gone, once, whoever looks first.

    Parameters
    ----------
    cause, why : for what all of its processes were ended just now; None: they were found gone.
    """
    with locked():
        _settled(folder, cause, why)


def _entry(folder: Folder) -> Entry | None:
    """The cluster in `folder`; one that died gets its receipt now. None for a folder that isn't a cluster's."""
    if not _is_clusters(folder):
        return None
    found = _look(folder)
    if found.receipt is None and found.ended:
        with locked():
            return _settled(folder)
    return found


def _is_clusters(folder: Folder) -> bool:
    return any(path.exists() for path in (folder.spec_file, folder.record_file, folder.receipt_file))


def _settled(folder: Folder, cause: EndCause | None = None, why: str = "") -> Entry:
    """As `_entry`, for a holder of the lock. Where the spec can't be read, or a receipt is there that can't be, nothing
    is written."""
    found = _look(folder)
    if found.receipt is None and (cause is not None or found.ended) and RECEIPT not in found.faults and found.spec:
        receipt = remains.settle(folder, found.spec, found.record, cause, why)
        return dataclasses.replace(found, receipt=receipt, live=False)
    return found


def _look(folder: Folder) -> Entry:
    faults: dict[str, Unreadable] = {}

    def read(name: str, reading: Callable[[], _T]) -> _T | None:
        try:
            return reading()
        except Unreadable as fault:
            faults[name] = fault
            return None

    spec, record, receipt = read(SPEC, folder.spec), read(RECORD, folder.record), read(RECEIPT, folder.receipt)
    live = _is_alive(folder, record, receipt is not None or RECEIPT in faults)
    return Entry(folder, spec, record, receipt, live, faults)


def _is_alive(folder: Folder, record: LocalRecord | None, ended: bool) -> bool:
    if record is not None and record.here:
        return record.alive
    if record is None and processes.of_folder(folder.path):
        return True
    return not ended and time.time() - folder.heartbeat() <= SILENT


def _set_aside(path: Path) -> None:
    """Make the name of an ended cluster free: its folder becomes `NAME.1` or so, and is kept for its time."""
    found = _settled(Folder(path)) if _is_clusters(Folder(path)) else None
    fault = found.fault if found is not None else None
    if found is not None and (found.live or fault is not None):
        raise NameTaken(
            f"There is a cluster named {path.name!r} already",
            f"{fault.what}: {fault.why}" if fault is not None else "",
            "Use it, stop it first, or choose another name." if found.live else "Choose another name, or forget it.",
        )
    number = 1
    while (aside := path.with_name(f"{path.name}.{number}")).exists():
        number += 1
    path.rename(aside)


def _prune(clusters: Path) -> None:
    """For a holder of the lock: throw away what starters left that died, and old folders that were set aside."""
    for path in clusters.iterdir():
        if path.name.startswith(".new-") or ("." in path.name.strip(".") and _age(path) > KEPT):
            shutil.rmtree(path, ignore_errors=True)


def _age(path: Path) -> float:
    """Seconds since anything was written to the record."""
    return time.time() - Folder(path).heartbeat()

"""All clusters' folders: making one, listing them, ending them on paper, throwing old ones away."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from ... import home
from ...core.base import Seconds, Time
from ...core.cluster import ClusterSpec, EndCause, Receipt
from ...core.errors import MlopsError, NameTaken, Unavailable, UnknownCluster, Unreadable
from ...home.clusters import LEDGER, RECEIPT, RECORD, SPEC
from . import processes, remains
from .folder import Folder
from .held import is_held
from .record import LocalRecord, new_record
from .whereabouts import uptime

_T = TypeVar("_T")

#: Seconds that the folder of an ended cluster is kept.
KEPT = 7 * 24 * 3600.0

#: Seconds without a sign of life after which people may say that a cluster is gone whose processes can't be seen.
SILENT = 120.0

#: What is known of a cluster's processes. `gone` needs a proof: that something can't be read is none.
Life = Literal["alive", "gone", "unknown"]


@dataclass(frozen=True)
class Entry:
    """A cluster on record, as far as its files can be read."""

    folder: Folder
    spec: ClusterSpec | None
    record: LocalRecord | None
    receipt: Receipt | None
    life: Life
    #: What of its files can't be read: its name → why.
    faults: dict[str, Unreadable]

    @property
    def ended(self) -> bool:
        """Whether it has come to its end, for sure; its processes may still be there for a moment."""
        return self.receipt is not None or self.life == "gone"

    @property
    def here(self) -> bool:
        """Whether its processes could be seen from here."""
        return self.record is not None and self.record.distance == "here"

    @property
    def silence(self) -> Seconds:
        """Seconds since it gave a sign of life, by this machine's clock; 0 where that can't be seen."""
        with contextlib.suppress(Unreadable):
            return max(0.0, time.time() - self.folder.heartbeat())
        return 0.0

    @property
    def fault(self) -> Unreadable | None:
        """What is to be said of its files. A record is of no use any more once there is a receipt."""
        faults = [fault for name, fault in self.faults.items() if name != RECORD or not self.ended]
        return faults[0] if faults else None


def entries() -> list[Entry]:
    """All clusters on record. Those that died get their receipt now; those that ended long ago are thrown away.

    Raises
    ------
    Unavailable, Refused : the folder that they are in can't be read.
    """
    clusters = home.clusters_dir()
    with home.guarded(clusters):
        paths = sorted(clusters.iterdir())
    found = []
    for path in paths:
        if "." not in path.name and (entry := _entry(Folder(path))) is not None:
            if entry.life != "alive" and entry.receipt is not None and entry.receipt.ended < time.time() - KEPT:
                with contextlib.suppress(MlopsError):  # whoever looks next tries again
                    throw_away(entry)
            else:
                found.append(entry)
    return found


def entry(name: str) -> Entry:
    """The cluster of that name.

    Raises
    ------
    UnknownCluster : there is none; a near name is suggested.
    """
    path = home.named(home.clusters_dir(), name)
    found = _entry(Folder(path)) if path is not None and "." not in name else None
    if found is None:
        raise UnknownCluster.named(name, [each.folder.name for each in entries()])
    return found


def throw_away(entry: Entry) -> None:
    """Remove the folder of a cluster that has ended, unless another one has its name by now.

    Raises
    ------
    StorageFull, Refused, Unavailable : the lock can't be had.
    """
    with home.locked(home.clusters_dir()):
        if _look(entry.folder).spec == entry.spec:
            shutil.rmtree(entry.folder.path, ignore_errors=True)


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
    clusters = home.clusters_dir()
    with home.locked(clusters):
        _prune(clusters)
        final = clusters / spec.name
        if home.exists(final):
            _set_aside(final)
        with home.guarded(clusters):
            staging = Path(tempfile.mkdtemp(prefix=".new-", dir=clusters))
            try:
                folder = Folder(staging)
                folder.logs.mkdir(mode=0o700)
                folder.work.mkdir(mode=0o700)
                folder.reserve()
                folder.write_spec(spec)
                folder.write_record(new_record(starter, spec.created))
                staging.rename(final)
            except BaseException:
                shutil.rmtree(staging, ignore_errors=True)
                raise
    return Folder(final)


def settle(folder: Folder, cause: EndCause | None = None, why: str = "", ended: Time | None = None) -> None:
    """Write the end of a cluster that is gone, once, whoever looks first.

    Parameters
    ----------
    cause, why : for what all of its processes were ended just now; None: they were found gone.
    ended : when it had ended, in seconds since the epoch; None: just now, or when it last gave a sign of life.

    Raises
    ------
    MlopsError : the lock can't be had, or what the end is written from can't be read.
    """
    with home.locked(home.clusters_dir()):
        _settled(folder, cause, why, ended)


def is_silent(folder: Folder) -> bool:
    """Whether it gave no sign of life for `SILENT` seconds, by the clock of the disk that both are on: other machines
    have others.

    Raises
    ------
    MlopsError : that can't be seen.
    """
    clusters = home.clusters_dir()
    with home.locked(clusters), home.guarded(clusters):
        os.utime(clusters / home.LOCK)
        now = (clusters / home.LOCK).stat().st_mtime
    return now - folder.heartbeat() > SILENT


def _entry(folder: Folder) -> Entry | None:
    """The cluster in `folder`; one that died gets its receipt now, if that can be written. None for a folder that isn't
    a cluster's."""
    if not _is_clusters(folder):
        return None
    found = _look(folder)
    if found.receipt is None and found.ended:
        try:
            with home.locked(home.clusters_dir()):
                return _settled(folder)
        except Unreadable as fault:
            return dataclasses.replace(found, faults={**found.faults, LEDGER: fault})
        except (MlopsError, OSError):  # no lock, no room, no right: whoever looks next tries again
            return found
    return found


def _is_clusters(folder: Folder) -> bool:
    try:
        return any(map(home.exists, (folder.spec_file, folder.record_file, folder.receipt_file)))
    except Unavailable:
        return True  # what can't be seen of it is said in its row


def _settled(folder: Folder, cause: EndCause | None = None, why: str = "", ended: Time | None = None) -> Entry:
    """As `_entry`, for a holder of the lock. Where the spec can't be read, or a receipt is there that can't be, nothing
    is written."""
    found = _look(folder)
    if found.receipt is None and (cause is not None or found.ended) and RECEIPT not in found.faults and found.spec:
        receipt = remains.settle(folder, found.spec, found.record, cause, why, ended)
        return dataclasses.replace(found, receipt=receipt, life="gone")
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
    return Entry(folder, spec, record, receipt, _life(folder, record), faults)


def _life(folder: Folder, record: LocalRecord | None) -> Life:
    """What can be proved. Whoever runs here is seen by the numbers of processes; in another container, by the lock."""
    if record is None:
        return "alive" if is_held(folder) or _has_processes(folder) else "unknown"
    if record.distance == "here":
        try:
            return "alive" if processes.alive(record.scheduler or record.starter) else "gone"
        except OSError:
            return "unknown"
    if record.distance == "beside" and (held := is_held(folder)) is not None:
        return "alive" if held else "gone"
    if record.distance == "before":
        with contextlib.suppress(Unreadable):  # a twin of this machine would have shown itself since
            return "gone" if time.time() - folder.heartbeat() > uptime() else "unknown"
    return "unknown"


def _has_processes(folder: Folder) -> bool:
    try:
        return bool(processes.of_folder(folder.path))
    except OSError:
        return False


def _set_aside(path: Path) -> None:
    """Make the name of an ended cluster free: its folder becomes `NAME.1` or so, and is kept for its time."""
    found = _settled(Folder(path)) if _is_clusters(Folder(path)) else None
    fault = found.fault if found is not None else None
    if found is not None and (found.life == "alive" or not found.ended or fault is not None):
        raise NameTaken(
            f"There is a cluster named {path.name!r} already",
            fault.words if fault is not None else "",
            "Choose another name, or forget it." if found.ended else "Use it, stop it first, or choose another name.",
        )
    number = 1
    while (aside := path.with_name(f"{path.name}.{number}")).exists():
        number += 1
    path.rename(aside)


def _prune(clusters: Path) -> None:
    """For a holder of the lock: throw away what starters left that died, and old folders that were set aside."""
    with home.guarded(clusters):
        paths = list(clusters.iterdir())
    for path in paths:
        if path.name.startswith(".new-") or ("." in path.name.strip(".") and _is_old(Folder(path))):
            shutil.rmtree(path, ignore_errors=True)


def _is_old(folder: Folder) -> bool:
    """Whether nothing was written to its record for as long as ended clusters are kept."""
    try:
        return time.time() - folder.heartbeat() > KEPT
    except Unreadable:
        return False

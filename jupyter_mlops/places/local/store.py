"""All clusters' folders: making one, listing them, ending them on paper, throwing old ones away."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ... import home
from ...core.cluster import ClusterSpec, Receipt
from ...core.errors import NameTaken, UnknownCluster
from . import remains
from .folder import Folder
from .processes import look
from .record import Record, new_record, write_record

#: Seconds that the folder of an ended cluster is kept.
KEPT = 7 * 24 * 3600.0

#: Seconds without a sign of life after which a cluster on another machine counts as gone.
SILENT = 120.0


@dataclass(frozen=True)
class Entry:
    """A cluster on record: live until it has its receipt and its scheduler's process is gone."""

    folder: Folder
    spec: ClusterSpec
    record: Record | None
    receipt: Receipt | None

    @property
    def live(self) -> bool:
        """Whether it has not ended."""
        return self.receipt is None or (self.record is not None and self.record.here and self.record.alive)


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
        raise UnknownCluster.named(name, [each.spec.name for each in entries()])
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
    starter = look(os.getpid())
    assert starter is not None
    with locked() as clusters:
        _prune(clusters)
        final = clusters / spec.name
        if final.exists():
            _set_aside(final)
        with home.guarded(clusters):
            staging = Path(tempfile.mkdtemp(prefix=".new-", dir=clusters))
            try:
                (staging / "logs").mkdir(mode=0o700)
                (staging / "work").mkdir(mode=0o700)
                Folder(staging).reserve()
                home.write(staging / "spec.json", spec.model_dump_json(indent=1))
                write_record(staging / "record.json", new_record(starter))
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


def settle(folder: Folder) -> None:
    """Write the end of a cluster that is gone, once, whoever looks first."""
    with locked():
        _settled(folder)


def _entry(folder: Folder) -> Entry | None:
    spec = folder.spec()
    if spec is None:
        return None
    receipt, record = folder.receipt(), folder.record()
    if receipt is None and _gone(folder, record):
        with locked():
            return _settled(folder)
    return Entry(folder, spec, record, receipt)


def _settled(folder: Folder) -> Entry | None:
    """As `_entry`, for a holder of the lock: what is gone gets its receipt."""
    spec, record, receipt = folder.spec(), folder.record(), folder.receipt()
    if spec is None:
        return None
    if receipt is None and _gone(folder, record):
        receipt = remains.settle(folder, spec, record)
    return Entry(folder, spec, record, receipt)


def _gone(folder: Folder, record: Record | None) -> bool:
    if record is None:
        return True
    if not record.here:
        return time.time() - folder.heartbeat() > SILENT
    return not record.alive


def _set_aside(path: Path) -> None:
    """Make the name of an ended cluster free: its folder becomes `NAME.1` or so, and is kept for its time."""
    found = _settled(Folder(path))
    if found is not None and found.live:
        raise NameTaken(
            f"There is a cluster named {path.name!r} already",
            todo="Use it, stop it first, or choose another name.",
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

"""The last retraining of a service: a folder in the service's own, held by the process that retrains for as long as it
lives."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from .. import home
from ..core.errors import Conflict, Unreadable
from .services import ServiceFolder

if TYPE_CHECKING:
    from ..core.retraining import Retraining

#: What became of it, and the file that its process holds.
RETRAINING, ALIVE = "retraining.json", "alive"

#: Its log, among those of the service.
LOG = "retraining"


@dataclass(frozen=True)
class RetrainingFolder:
    """Where the last retraining of a service is noted."""

    service: ServiceFolder

    @property
    def path(self) -> Path:
        """The folder."""
        return self.service.path / "retraining"

    @property
    def log(self) -> Path:
        """What the pipeline printed."""
        return self.service.logs / f"{LOG}.log"

    def read(self) -> Retraining | None:
        """What became of it, `dead` where its process is gone before it was done; None where there was none. Raises
        `Unreadable`."""
        found = self._noted()
        if found is None or found.phase != "running":
            return found
        with home.locked(self.path):  # so that who looks isn't taken for who retrains
            alive = not self._is_free()
            found = self._noted()
        return found if found is None or alive or found.phase != "running" else _dead(found)

    def note(self, retraining: Retraining) -> None:
        """Note how it goes; raises `StorageFull`, `Refused`."""
        home.write(self.path / RETRAINING, retraining.model_dump_json(indent=1))

    def begin(self, retraining: Retraining) -> int:
        """Note that one begins, with an empty log. Returns the descriptor of the file by which a process holds it, to
        be handed over.

        Raises
        ------
        Conflict : another one runs.
        StorageFull, Refused
        """
        self.service.make()
        with home.locked(self.path):
            with home.guarded(self.path):
                handle = os.open(self.path / ALIVE, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                if not _taken(handle):
                    self._check_over()
                    fcntl.flock(handle, fcntl.LOCK_EX)  # its process has said how it ended, and is about to go
                self.open_log().close()
                self.note(retraining)
            except BaseException:
                os.close(handle)
                raise
        return handle

    def forget(self) -> None:
        """Remove what is noted."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.log.unlink(missing_ok=True)

    def open_log(self) -> BinaryIO:
        """An empty log, to be added to, as it may be cut meanwhile; raises `StorageFull`, `Refused`."""
        with home.guarded(self.log):
            return os.fdopen(os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600), "ab")

    def _noted(self) -> Retraining | None:
        from ..core.retraining import Retraining

        try:
            return home.read(Retraining, self.path / RETRAINING)
        except FileNotFoundError:
            return None

    def _is_free(self) -> bool:
        try:
            handle = os.open(self.path / ALIVE, os.O_RDWR)
        except FileNotFoundError:
            return True
        try:
            return _taken(handle)
        finally:
            os.close(handle)

    def _check_over(self) -> None:
        """Raise `Conflict` unless the one whose process is there has ended."""
        other = None
        with contextlib.suppress(Unreadable):
            other = self._noted()
        if other is None or other.phase == "running":
            who = f"{other.by.name} began one ({other.by.how})" if other is not None and other.by.name else ""
            raise Conflict(f"{self.service.name} is being retrained already", who, "Wait until it is done.")


def hold(handle: int) -> None:
    """Hold the file that was handed over for as long as this process lives: where a lock belongs to a process (NFS), it
    isn't handed over with the file."""
    _taken(handle)


def retraining_folder(service: ServiceFolder) -> RetrainingFolder:
    """Where a service's last retraining is noted, which may not be there yet."""
    return RetrainingFolder(service)


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _dead(found: Retraining) -> Retraining:
    from ..core.cluster import Problem

    problem = Problem(
        what=f"The retraining of {found.service} was cut short",
        why="its process is gone: it was killed, or the machine was started again",
        todo="Retrain it again: the steps that were done are kept.",
    )
    return found.model_copy(update={"phase": "dead", "problem": problem})

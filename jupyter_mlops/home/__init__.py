"""The home folder: where everything is kept that outlives a process. Only its owner can read it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from ..core.base import Record
    from ..core.errors import Unavailable

    _RecordT = TypeVar("_RecordT", bound=Record)

#: What to do about a file that can't be read. Nothing of ours changes, moves or removes it meanwhile.
REPAIR = "Repair that file, or move it away."

#: The file in a folder by which it is held.
LOCK = ".lock"

#: Errors of the operating system that mean a full disk or quota.
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

#: Errors of the operating system that mean a folder which can't be written, or isn't one.
_CLOSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENOENT})


def home() -> Path:
    """The home folder: `$JUPYTER_MLOPS_HOME`, else `jupyter-mlops` in Jupyter's data directory; made when missing."""
    chosen = os.environ.get("JUPYTER_MLOPS_HOME")
    if chosen:
        return private(Path(chosen).expanduser().absolute())
    from jupyter_core.paths import jupyter_data_dir

    return private(Path(jupyter_data_dir()) / "jupyter-mlops")


def clusters_dir() -> Path:
    """The folder with a folder per local cluster."""
    return private(home() / "clusters")


def runs_dir() -> Path:
    """The folder with a folder per run."""
    return private(home() / "runs")


def profiles_dir() -> Path:
    """The folder with the user's own profiles."""
    return private(home() / "profiles")


def private(path: Path) -> Path:
    """`path` as a folder of mode 0700, made with its parents when missing.

    Raises
    ------
    StorageFull : it can't be made, because the disk is full.
    Refused : it can't be made or made private, because of its owner or mode.
    """
    with guarded(path):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.stat().st_mode & 0o077:
            path.chmod(0o700)
    return path


def named(folder: Path, name: str) -> Path | None:
    """What is called `name` in `folder`; None when nothing is.

    For names that somebody sent: it is found among what is there. Were it made into a path, `name` could lead
    anywhere: to `/etc`, to `..`, or to what can't be a path at all.
    """
    try:
        with os.scandir(folder) as there:
            return next((folder / entry.name for entry in there if entry.name == name), None)
    except FileNotFoundError:
        return None


def write(path: Path, content: str | bytes) -> None:
    """Write a whole file of mode 0600 at once: a reader sees the old or the new one, never half.

    Raises
    ------
    StorageFull, Refused : as `private`.
    """
    with guarded(path):
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def append(path: Path, lines: Iterable[Record]) -> None:
    """Add lines of JSON to a file of mode 0600, at once; what stands before them may be half a line of a crash.

    Raises
    ------
    StorageFull, Refused : as `private`.
    """
    text = "".join(line.model_dump_json(exclude_defaults=True) + "\n" for line in lines)
    with guarded(path):
        before = "\n" if torn(path) else ""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            write_whole(descriptor, (before + text).encode())
        finally:
            os.close(descriptor)


def write_whole(descriptor: int, data: bytes) -> None:
    """Write all of it at the end of a file, or, where the disk refuses some of it, nothing: half a line would spoil the
    next one, and who tries again would write the others twice. Raises OSError."""
    before, left = os.fstat(descriptor).st_size, memoryview(data)
    try:
        while left:
            left = left[os.write(descriptor, left) :]
    except OSError:
        if os.fstat(descriptor).st_size == before + len(data) - len(left):  # and nobody else has written
            os.ftruncate(descriptor, before)
        raise


def torn(path: Path) -> bool:
    """Whether the file ends with half a line, as one does whose writer was killed."""
    try:
        with path.open("rb") as file:
            return file.seek(0, os.SEEK_END) > 0 and (file.seek(-1, os.SEEK_END), file.read(1))[1] != b"\n"
    except FileNotFoundError:
        return False


def read(kind: type[_RecordT], path: Path) -> _RecordT:
    """The record in a file.

    Raises
    ------
    FileNotFoundError : there is no such file.
    Unreadable : the file is damaged, closed to us, or of a newer format; it is left as it is.
    """
    from ..core.base import read_record  # pydantic: not for those who only look for folders
    from ..core.errors import Unreadable

    try:
        return read_record(kind, path.read_bytes())
    except Unreadable as error:
        raise Unreadable(f"{path} can't be read", error.why, error.todo or REPAIR) from None
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise Unreadable(f"{path} can't be read", error.strerror or str(error), "Make it readable for you.") from error


def read_lines(kind: type[_RecordT], path: Path) -> list[_RecordT]:
    """The lines of a file as records; empty when there is none. Lines that can't be read are left out.

    Raises
    ------
    Unreadable : the file is there, and closed to us or to anybody: that is another thing than none.
    """
    from ..core.errors import Unreadable
    from ..core.lines import read_lines as lines_of

    try:
        return lines_of(kind, path.read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise Unreadable(f"{path} can't be read", error.strerror or str(error), "Make it readable for you.") from error


def exists(path: Path) -> bool:
    """Whether there is such a file or folder. That it can't be seen is no answer.

    Raises
    ------
    Unavailable
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise _away(path, "seen", error) from error
    return True


@contextlib.contextmanager
def locked(folder: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a folder, made when missing: one process at a time changes what is in it, and one that dies lets go. Who
    holds it may remove it.

    Parameters
    ----------
    wait : whether to wait while another process holds it.

    Raises
    ------
    StorageFull, Refused, Unavailable : as `guarded`; `Unavailable`, too, where another process holds it, and that isn't
        waited for.
    """
    path, how = private(folder) / LOCK, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB
    with guarded(path):
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(handle, "r+b") as file:
        with guarded(path):
            fcntl.flock(file, how)
        if _is_at(path, file.fileno()):
            yield
            return
    with locked(folder, wait=wait):  # whoever held it has removed it
        yield


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether a path leads to an open file."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Say what a disk refuses in the words of `MlopsError`.

    Raises
    ------
    StorageFull : it is full.
    Refused : it may not be written.
    Unavailable : anything else: a network drive that is away, a process with too many open files.
    """
    try:
        yield
    except OSError as error:
        from ..core.errors import Refused, StorageFull

        if error.errno in FULL:
            raise StorageFull(
                f"The disk that holds {path} is full",
                error.strerror or "",
                "Free some space there, or set JUPYTER_MLOPS_HOME to a folder on another disk.",
            ) from error
        if error.errno in _CLOSED:
            raise Refused(
                f"{path} can't be written",
                error.strerror or "",
                "Make it yours, or set JUPYTER_MLOPS_HOME to a folder that is.",
            ) from error
        raise _away(path, "used", error) from error


def _away(path: Path, verb: str, error: OSError) -> Unavailable:
    from ..core.errors import Unavailable

    why = error.strerror or str(error)
    return Unavailable(f"{path} can't be {verb} now", why, "Look whether its disk is there, and try again.")

"""The home folder: where everything is kept that outlives a process. Only its owner can read it."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

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


@contextlib.contextmanager
def guarded(path: Path) -> Iterator[None]:
    """Say a full disk and a missing permission in the words of `MlopsError`; other errors pass."""
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
        raise

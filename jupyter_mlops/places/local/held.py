"""A lock that a cluster's scheduler holds while it lives. The kernel lets go of it when the process ends, whatever ends
it; and everybody on the same start of the machine sees it, also from another container, where the numbers of processes
say nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os

from ...home.clusters import ClusterFolder


def hold(folder: ClusterFolder) -> None:
    """Lock the cluster's file for as long as this process lives. Where the disk has no locks, there will be no file.

    It gets its name only when it is locked, so that one which isn't was let go of.
    """
    new = folder.held_file.with_name(f"{folder.held_file.name}.new")
    try:
        descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)  # never closed
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        new.replace(folder.held_file)
    except OSError:
        with contextlib.suppress(OSError):
            new.unlink()


def is_held(folder: ClusterFolder) -> bool | None:
    """Whether somebody holds the lock; None where that can't be told. That nobody does is proof of an end only for a
    cluster of this start of this machine."""
    try:
        descriptor = os.open(folder.held_file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    else:
        return False
    finally:
        os.close(descriptor)

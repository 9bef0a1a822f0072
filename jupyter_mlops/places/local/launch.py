"""Starting the program of a cluster, detached from whoever starts it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
from pathlib import Path

from ... import home
from ...agent import forking, surroundings
from ...core.cluster import ClusterSpec
from ...core.errors import MlopsError, StartFailed
from ...home.detached import reap, start_detached
from . import processes
from .folder import Folder
from .tls import make_keys


def launch(folder: Folder, spec: ClusterSpec) -> None:
    """Start the scheduler program of the cluster in `folder`. Returns when the folder is complete.

    The keys are made while the program imports; it waits for them. It goes on when this process ends.

    Raises
    ------
    StartFailed : the program can't be started.
    StorageFull, Refused : the folder can't be written.
    """
    record = folder.record()
    with home.guarded(folder.path):
        process = _popen(folder, spec, record.mark)
    try:
        assert process.stdin is not None
        with home.guarded(folder.path):
            found = processes.look(process.pid) or processes.Process(process.pid, "")  # it may have ended already
            folder.write_record(dataclasses.replace(record, scheduler=found))
            make_keys(folder.path)
            with contextlib.suppress(BrokenPipeError):  # it has ended already, and its log says why
                process.stdin.write(b"go\n")
                process.stdin.close()
    except (MlopsError, OSError) as error:
        process.kill()
        process.wait()
        if isinstance(error, MlopsError):
            raise
        raise StartFailed("The cluster's scheduler could not be started", str(error)) from error
    finally:
        with contextlib.suppress(OSError):
            process.stdin.close()  # type: ignore[union-attr]  # it is a pipe
    reap(process, folder.name)


def _popen(folder: Folder, spec: ClusterSpec, mark: str) -> subprocess.Popen[bytes]:
    environment = {
        **surroundings.handed_on(),
        **dict([forking.THRIFTY]),
        **spec.profile.environment,
        **dict.fromkeys(forking.NATIVE, "1"),  # each worker sets its own
        processes.MARK: mark,
        "JUPYTER_MLOPS_HOME": str(home.home()),
        "JUPYTER_MLOPS_CWD": str(Path.cwd()),
    }
    log = os.open(folder.log_file(None), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return start_detached(
            f"{__package__}.scheduler",
            str(folder.path),
            folder=folder.path,
            log=log,
            environment=environment,
            stdin=subprocess.PIPE,
        )
    except OSError as error:
        if error.errno in home.FULL:
            raise
        raise StartFailed("The cluster's scheduler could not be started", str(error)) from error
    finally:
        os.close(log)

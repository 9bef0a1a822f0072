"""The program of a local cluster: Dask's scheduler, the controller, and (forked off first) the fork server.

    python -m jupyter_mlops.places.local.scheduler FOLDER

Its order is what makes a cluster start fast: Dask is imported once; the fork server is forked off before there are
threads; only then comes what the scheduler alone needs. On stdin the starter says "go" when the folder is complete.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import os
import shutil
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...home.clusters import ClusterFolder

if TYPE_CHECKING:
    from ...controller.controller import Controller
    from .folder import Folder
    from .record import LocalRecord

#: Seconds between two signs of life: the modification time of the record.
_HEARTBEAT = 10.0


def main(folder: Path) -> None:
    """Run the cluster in `folder` until it ends."""
    gc.disable()  # importing makes no garbage worth looking for
    channel, pid = _fork_server(folder)
    gc.enable()
    if sys.stdin.readline() != "go\n":
        sys.exit("The process that started this cluster died before it was complete.")
    if ClusterFolder(folder).receipt_file.exists():
        sys.exit("The cluster was stopped before it had started.")
    from .held import hold

    hold(ClusterFolder(folder))  # after the fork: the lock is this process's alone
    _to_users_folder()
    asyncio.run(_run(folder, channel, pid))


def _fork_server(folder: Path) -> tuple[socket.socket, int]:
    from .forkserver import serve

    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        _to_users_folder()
        serve(theirs, folder)
    theirs.close()
    return ours, pid


def _to_users_folder() -> None:
    """Leave the folder that kept the user's modules from hiding ours, for the one where the user is."""
    sys.path[:] = [path for path in sys.path if path not in {"", str(Path.cwd())}]
    with contextlib.suppress(OSError):  # it may be gone, or closed to us
        os.chdir(os.environ.get("JUPYTER_MLOPS_CWD", "."))


async def _run(folder: Path, channel: socket.socket, pid: int) -> None:
    from .dask_scheduler import make_scheduler
    from .orders import send_first

    scheduler = make_scheduler(folder)
    await scheduler
    first = send_first(channel, ClusterFolder(folder).spec_file, scheduler.address)

    from ...controller.controller import Controller  # takes as long as the first workers need
    from ...controller.rpc import serve
    from ...core.errors import Unreadable
    from ...home.accounts import AccountsFile
    from . import processes
    from .folder import Folder
    from .pool import LocalPool

    place = Folder(folder)
    try:
        spec, record = place.spec(), place.record()
    except Unreadable as fault:
        sys.exit(str(fault))
    pool = LocalPool(folder, spec.profile.environment, channel, pid, first)
    controller = Controller(scheduler, spec, pool, folder, accounts=AccountsFile())

    def keep(**changes: Any) -> None:
        nonlocal record
        record = dataclasses.replace(record, **changes)
        _write(place, record)

    pool.on_server = lambda number: keep(forkserver=processes.look(number))
    _end_on_signals(controller)
    await serve(controller)
    keep(phase="running", address=scheduler.address, started=time.time())
    beat = asyncio.create_task(_beat(place, controller))
    await scheduler.finished()  # type: ignore[no-untyped-call]  # Dask's
    beat.cancel()
    await pool.close()
    await asyncio.to_thread(shutil.rmtree, place.work, ignore_errors=True)
    keep(phase="ended")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # whatever a thread still does: all is written


def _end_on_signals(controller: Controller) -> None:
    """End in good order when the machine or an administrator asks politely."""
    loop = asyncio.get_running_loop()
    ending: set[asyncio.Task[None]] = set()

    def end(name: str) -> None:
        ending.add(loop.create_task(controller.stop("killed", f"it was asked to end by a signal ({name})")))

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, end, number.name)


async def _beat(place: Folder, controller: Controller) -> None:
    """Show that the cluster lives, which needs no space on the disk; and end it when somebody elsewhere, who couldn't
    see that, has written its end."""
    while True:
        await asyncio.sleep(_HEARTBEAT)
        if await asyncio.to_thread(_show_life, place):
            await controller.stop("user", "its end was written from elsewhere")


def _show_life(place: Folder) -> bool:
    """Touch the record; whether there is a receipt. One that the disk doesn't give is none."""
    with contextlib.suppress(OSError):
        os.utime(place.record_file)
        place.receipt_file.read_bytes()
        return True
    return False


def _write(place: Folder, record: LocalRecord) -> None:
    from ...core.errors import MlopsError

    try:
        place.write_record(record)
    except (MlopsError, OSError) as error:  # a full disk doesn't stop a cluster
        print(f"The record couldn't be written: {error}", file=sys.stderr)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

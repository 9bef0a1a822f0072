"""The program of a worker's pod: Dask's worker, which hands over its data before Kubernetes takes the pod.

python start.py worker --name NAME --group GROUP --threads N --memory BYTES --scheduler ADDRESS --grace SECONDS
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import dask
import distributed
from distributed.security import Security

from .. import keys
from . import names

#: Enough of a group's resource that no number of tasks uses it up: it restricts where tasks run, not how many.
PLENTY = 1_000_000
#: Seconds to wait for a scheduler: Kubernetes restarts one that died, or moves it to another node.
PATIENCE = 600
#: As Dask writes a duration: for one try to connect to a scheduler that was there before.
AGAIN = "8s"
#: Why a worker closes when it lost its scheduler, and should look for it again.
LOST = ("worker-handle-scheduler-connection-broken", "worker-heartbeat-missing", "worker-heartbeat-error")


class Worker(distributed.Worker):
    """Dask's worker, without its HTTP server, which would tell everybody in the cluster what runs here."""

    closed_by = ""

    def start_http_server(self, *args: Any, **kwargs: Any) -> None:
        """Start nothing."""

    async def close(  # type: ignore[override]  # as Dask's own worker's
        self,
        timeout: float = 30,
        executor_wait: bool = True,
        nanny: bool = True,
        reason: str = "worker-close",
    ) -> str | None:
        """As Dask's; remembers the reason."""
        self.closed_by = self.closed_by or reason
        return await super().close(timeout, executor_wait, nanny, reason)


def security(folder: Path) -> Security | None:
    """The cluster's keys in `folder`, for all roles; None for a cluster without TLS."""
    return keys.security(str(folder / "tls.key"), str(folder / "tls.crt")) if folder.exists() else None


async def work(options: argparse.Namespace) -> None:
    """Be a worker until it is asked to end; look for the scheduler again when it is lost."""
    leaving = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, leaving.set)
    if await _lived(_make(options), leaving, options.grace):
        return
    while not leaving.is_set():
        # The address of a scheduler that is gone swallows what is sent to it for a while: give up sooner, try again.
        with dask.config.set({"distributed.comm.timeouts.connect": AGAIN}):
            worker = _make(options)
            if await _lived(worker, leaving, options.grace):
                return


def _make(options: argparse.Namespace) -> Worker:
    return Worker(
        options.scheduler,
        name=options.name,
        nthreads=options.threads,
        memory_limit=options.memory,
        resources={f"group:{options.group}": PLENTY},
        security=security(Path(names.TLS)),
        local_directory=names.SCRATCH,
        death_timeout=PATIENCE,
    )


async def _lived(worker: Worker, leaving: asyncio.Event, grace: float) -> bool:
    """Run `worker`; False when it lost its scheduler."""
    asked = asyncio.create_task(leaving.wait())
    started = asyncio.ensure_future(worker)
    await asyncio.wait({asked, started}, return_when=asyncio.FIRST_COMPLETED)
    if not started.done():  # it is not wanted before it has joined
        started.cancel()
        return True
    started.result()
    finished = asyncio.create_task(worker.finished())  # type: ignore[no-untyped-call]  # Dask's
    await asyncio.wait({asked, finished}, return_when=asyncio.FIRST_COMPLETED)
    if not finished.done():
        await _hand_over(worker, grace)
    asked.cancel()
    return worker.closed_by not in LOST


async def _hand_over(worker: Worker, grace: float) -> None:
    """Give data and work to other workers, in the time that Kubernetes leaves us."""
    print(f"{worker.name} is asked to end: handing over its data", file=sys.stderr)
    try:
        await asyncio.wait_for(worker.close_gracefully(reason="pod-is-ending"), max(1.0, grace - 3))
    except (asyncio.TimeoutError, OSError) as error:
        print(f"{worker.name} could not hand over everything: {error!r}", file=sys.stderr)
        await worker.close(timeout=2, executor_wait=False, reason="pod-is-ending")


def main() -> None:
    """Read the arguments, be a worker."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--group", required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--memory", type=int, required=True)
    parser.add_argument("--scheduler", required=True)
    parser.add_argument("--grace", type=float, default=30.0)
    asyncio.run(work(parser.parse_args()))


if __name__ == "__main__":
    main()

"""The program of a worker's pod: Dask's worker, which hands over its data before Kubernetes takes the pod.

python start.py worker --name NAME --group GROUP --threads N --memory BYTES --scheduler ADDRESS --grace SECONDS

A worker that lost its scheduler starts itself again, in the same pod: what it ran and held is lost with the scheduler,
and only the end of a process surely stops a user's code.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import dask
import psutil
from distributed.security import Security

from ....controller.roles import WORKER
from ....core.resources import declared
from ....core.waiting import wait_for
from ... import dask_nodes, keys
from .. import names

#: Seconds to wait for a scheduler: Kubernetes restarts one that died, or moves it to another node.
PATIENCE = 600
#: Seconds for each try to connect to a scheduler that was there before: its address swallows what is sent to it for a
#: while, so the first tries are short; later ones are longer, for a scheduler that is busy.
TRIES = (1, 1, 1, 2, 2, 4, 8)
#: Part of the time that Kubernetes leaves us in which the ranks of gangs save what they have.
GANGS = 0.6
CONNECT = "distributed.comm.timeouts.connect"
#: Why a worker closes when it lost its scheduler, and should look for it again.
LOST = ("worker-handle-scheduler-connection-broken", "worker-heartbeat-missing", "worker-heartbeat-error")


class PodWorker(dask_nodes.Worker):
    """A worker that knows why it closed."""

    closed_by = ""

    async def close(  # type: ignore[override]  # as Dask's own worker's
        self,
        timeout: float = 30,
        executor_wait: bool = True,
        nanny: bool = True,
        reason: str = "worker-close",
    ) -> str | None:
        """As Dask's; remembers the reason, and waits for nothing that is lost."""
        self.closed_by = self.closed_by or reason
        if self.closed_by in LOST:
            timeout, executor_wait = 2, False
        return await super().close(timeout, executor_wait, nanny, reason)


def security(folder: Path, role: str) -> Security | None:
    """The key in `folder`, which is that of `role`; None for a cluster without TLS."""
    if not folder.exists():
        return None
    pair = keys.Pair(str(folder / "tls.key"), str(folder / "tls.crt"))
    return keys.security(str(folder / "ca.crt"), **{role: pair})


async def work(options: argparse.Namespace) -> None:
    """Be a worker until it is asked to end, or has lost its scheduler."""
    leaving = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, leaving.set)
    if not await _lived(_make(options), leaving, options) and not leaving.is_set():
        _start_again()


def _start_again() -> None:
    """Become a new worker, with the code and packages that this one was given."""
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    arguments = [argument for argument in sys.argv[1:] if argument != "--again"]
    os.execv(sys.executable, [sys.executable, "-m", f"{__package__}.worker", *arguments, "--again"])  # noqa: S606 - itself


def _make(options: argparse.Namespace) -> PodWorker:
    return PodWorker(
        options.scheduler,
        name=options.name,
        nthreads=options.threads,
        memory_limit=options.memory,
        resources=declared(options.group),
        security=security(Path(names.TLS), WORKER),
        local_directory=names.SCRATCH,
        death_timeout=PATIENCE,
    )


async def _join(worker: PodWorker, again: bool) -> None:
    trying = asyncio.create_task(_short_tries_first()) if again else None
    try:
        await worker
    finally:
        if trying is not None:
            trying.cancel()


async def _short_tries_first() -> None:
    usual = dask.config.get(CONNECT)
    try:
        for seconds in TRIES:
            dask.config.set({CONNECT: seconds})
            await asyncio.sleep(seconds)
    finally:
        dask.config.set({CONNECT: usual})


async def _lived(worker: PodWorker, leaving: asyncio.Event, options: argparse.Namespace) -> bool:
    """Run `worker`; False when it lost its scheduler."""
    asked = asyncio.create_task(leaving.wait())
    started = asyncio.create_task(_join(worker, options.again))
    await asyncio.wait({asked, started}, return_when=asyncio.FIRST_COMPLETED)
    if not started.done():  # it is not wanted before it has joined
        started.cancel()
        return True
    started.result()
    finished = asyncio.create_task(worker.finished())  # type: ignore[no-untyped-call]  # Dask's
    await asyncio.wait({asked, finished}, return_when=asyncio.FIRST_COMPLETED)
    if not finished.done():
        await _hand_over(worker, options.grace)
    asked.cancel()
    return worker.closed_by not in LOST


async def _hand_over(worker: PodWorker, grace: float) -> None:
    """Give data and work to other workers, in the time that Kubernetes leaves us. Gangs come first: their ranks save
    what they have."""
    print(f"{worker.name} is asked to end: handing over its data", file=sys.stderr)
    ends = time.monotonic() + grace - 3
    agent = sys.modules.get("jupyter_mlops_agent.agent")
    if agent is not None:
        await asyncio.to_thread(agent.leave, worker, GANGS * grace)
    try:
        await wait_for(worker.close_gracefully(reason="pod-is-ending"), max(1.0, ends - time.monotonic()))
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
    parser.add_argument("--again", action="store_true", help="it had lost its scheduler")
    asyncio.run(work(parser.parse_args()))


if __name__ == "__main__":
    main()

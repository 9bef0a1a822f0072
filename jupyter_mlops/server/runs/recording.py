"""Has the records of runs that no kernel brought into MLflow brought there, by a process of their own.

MLflow takes seconds to import and more to make its tables: in the server it would be felt by every user.
"""

from __future__ import annotations

import asyncio
import sys
from logging import Logger

from ... import home
from ...core.base import Seconds
from ...core.waiting import end_tasks, wait_for
from ...tracking import pending
from ...tracking.target import shows_models, tracking_uri

#: Seconds between looks for runs that are not in MLflow, and after a failure.
_EVERY: Seconds = 10.0
_AFTER_FAILURE: Seconds = 300.0

#: Seconds that the process may take.
_PATIENCE: Seconds = 300.0


def _missing() -> bool:
    """Whether there are runs or models that are not in MLflow."""
    return bool(pending.unsynced() or (shows_models(tracking_uri()) and pending.unsynced_models()))


class Recording:
    """Looks for records that are not in MLflow, and starts the process that brings them there."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._task: asyncio.Task[None] | None = None
        self._failed = False

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop looking, and the process: what it hadn't done is done the next time."""
        if self._task is not None:
            await end_tasks(self._task)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            missing = await asyncio.to_thread(_missing) if tracking_uri() else False
            if missing and not await self._sync():
                await asyncio.sleep(_AFTER_FAILURE)

    async def _sync(self) -> bool:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "jupyter_mlops.tracking.sync",
            "--attached",
            stdin=asyncio.subprocess.PIPE,  # which ends with this process
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            cwd=home.home(),
        )
        assert process.stderr is not None
        try:
            said = await wait_for(process.stderr.read(), _PATIENCE)
            await wait_for(process.wait(), _PATIENCE)
        except asyncio.TimeoutError:
            said = f"it took more than {_PATIENCE:.0f} s".encode()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode and not self._failed:
            lines = said.decode(errors="replace").strip().splitlines()
            self._log.warning(
                "jupyter-mlops: runs are not yet in MLflow: %s", lines[-1] if lines else "no reason given"
            )
        self._failed = bool(process.returncode)
        return not self._failed

"""The recorder's side of the process in which MLflow works."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from .. import home
from .target import tracking_uri

if TYPE_CHECKING:
    from ..core.run import RunState


def bring_models(wait: float = 0.0) -> bool:
    """Have a process of its own make MLflow's registry say of models what the home folder says.

    Parameters
    ----------
    wait : seconds that its end is waited for at most. With 0 nobody waits, and what it can't do is done later.

    Returns whether it has done it; true where there is nothing to do.
    """
    if not tracking_uri():
        return True
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyter_mlops.tracking.sync"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=home.home(),
        start_new_session=True,
    )
    if not wait:
        threading.Thread(target=process.wait, daemon=True).start()  # so that its end leaves nothing
        return False
    try:
        return process.wait(wait) == 0
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False


class Child:
    """One process, which ends when this one does, or when it is closed.

    The process works in the home folder, so that it imports nothing that lies beside a notebook, and leaves nothing
    there.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    @property
    def alive(self) -> bool:
        """Whether the process takes runs."""
        return self._process is not None and self._process.poll() is None

    def bring(self, run: RunState) -> str:
        """Have the process bring `run` into MLflow, and wait for that. Returns what went wrong; empty when nothing
        did."""
        try:
            if self._process is None:
                self._process = self._started()
            assert self._process.stdin is not None and self._process.stdout is not None
            self._process.stdin.write(f"{run.model_dump_json()}\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline().strip()
        except OSError as error:
            return f"the process that does it can't be used: {error}"
        return "" if answer == "ok" else answer or "the process that does it ended"

    def kill(self) -> None:
        """End the process at once, from any thread. A `bring` that waits for the process returns."""
        if self._process is not None:
            self._process.kill()

    def close(self) -> None:
        """Let the process end. Not to be called while another thread is in `bring`."""
        if self._process is None:
            return
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # a line that it didn't take any more
                    pipe.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _started(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "jupyter_mlops.tracking.sync", "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            cwd=home.home(),
            start_new_session=True,  # an interrupt of the kernel isn't meant for it
        )

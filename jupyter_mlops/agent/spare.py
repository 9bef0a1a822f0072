"""The process that a worker has ready for its next run."""

from __future__ import annotations

import contextlib
import threading

from . import processes
from .surroundings import Changes


class Spare:
    """A runner's process that nobody uses so far, so that no task waits for one to be made."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: processes.RunnerProcess | None = None
        #: What it was made for: import paths, and variables.
        self._of: tuple[list[str], Changes] = ([], {})
        self._closed = False

    def take(self, environ: Changes) -> processes.RunnerProcess:
        """The spare one, or a new one when there is none that has the variables `environ`, and all packages that are
        there now. Another is made soon.

        Raises
        ------
        OSError
        """
        with self._lock:
            process, self._process = self._process, None
            made_for = self._of
        if process is not None and (made_for != (processes.paths(), environ) or process.outdated):
            process.close()
            process = None
        if process is None:
            process = processes.make(environ)
        self.prepare(environ)
        return process

    def prepare(self, environ: Changes) -> None:
        """Make one, in the background: the next run is likely to be of the same notebook."""
        threading.Thread(target=self._make, args=(environ,), name="mlops-spare", daemon=True).start()

    def close(self) -> None:
        """Nobody needs one any more."""
        with self._lock:
            self._closed = True
            process, self._process = self._process, None
        if process is not None:
            process.close()

    def _make(self, environ: Changes) -> None:
        with self._lock:
            if self._process is not None or self._closed:
                return
            with contextlib.suppress(OSError):  # whoever needs one finds out why
                self._process, self._of = processes.make(environ), (processes.paths(), environ)

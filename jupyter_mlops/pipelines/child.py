"""The process that runs the steps of a notebook: a new one, in which only the cells that these need are executed."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

from ..core.base import Seconds

#: The program, by the name of its module: it stands above this one.
PROGRAM = "jupyter_mlops.notebook.drive"

#: Its exit codes: a cell failed, and it was cancelled.
FAILED, INTERRUPTED = 1, 130

#: How long what runs has to end when it is cancelled.
PATIENCE: Seconds = 60.0


class PipelineProcess:
    """The process of one pipeline that runs.

    Parameters
    ----------
    notebook : its path.
    since, until : as `Pipeline.run`.
    cluster : where; None leaves it to what runs do anyway.
    python : the program that runs it; by default the one that runs this.
    """

    def __init__(
        self,
        notebook: Path,
        since: str | None = None,
        until: str | None = None,
        cluster: str | None = None,
        python: str = "",
    ) -> None:
        options = {"--since": since, "--until": until, "--cluster": cluster}
        words = [word for option, value in options.items() if value is not None for word in (option, value)]
        self._process = subprocess.Popen(
            [python or sys.executable, "-m", PROGRAM, str(notebook), *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # one who interrupts is asked for the run to be cancelled, once
        )
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        threading.Thread(target=self._read, name=f"read-{notebook.name}", daemon=True).start()

    def lines(self) -> Iterator[str]:
        """What it prints, as it comes, until it is over. Who stops listening may go on later."""
        yield from iter(self._lines.get, None)

    def _read(self) -> None:
        """Nobody may listen, and it has to be able to say what it says all the same."""
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                self._lines.put(line)
        self._lines.put(None)

    def ended(self) -> int:
        """Its exit code, once it is over."""
        return self._process.wait()

    def cancel(self, patience: Seconds = PATIENCE) -> None:
        """Have it cancel what runs, and end; `patience` is how long it has for that."""
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

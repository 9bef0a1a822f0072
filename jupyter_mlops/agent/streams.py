"""`sys.stdout` and `sys.stderr` of a worker, split by task."""

from __future__ import annotations

import sys
from typing import Any

from .tasks import TASKS


class Stream:
    """Gives what a run's task writes to the run, and everything else to the worker's own stream."""

    def __init__(self, name: str, own: Any) -> None:
        self._name, self.own = name, own

    def write(self, text: str) -> int:
        """Write, as a text file does."""
        task = TASKS.current()
        if task is None:
            return int(self.own.write(text) or 0)
        task.reporter.print(self._name, str(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write each of `lines`."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush the worker's own stream; a run's prints are on their way anyhow."""
        self.own.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.own, name)


def install() -> None:
    """Put the streams in place; those of an earlier installation are replaced, not wrapped."""
    for name in ("stdout", "stderr"):
        own = getattr(sys, name)
        setattr(sys, name, Stream(name, getattr(own, "own", own)))

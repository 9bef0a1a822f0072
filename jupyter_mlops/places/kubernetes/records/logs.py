"""The ends of logs: kept in the controller's folder as they come, and with that outside of the scheduler's pod."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from ....core.base import Record
from ....core.formats import FORMAT
from ....core.lines import read_lines
from ..api.client import Answer, Api, Unreachable

#: The file with the last lines of all logs, and lines of each.
LOGS, LINES = "logs.jsonl", 200
#: The scheduler's name among the workers' in there.
SCHEDULER = ""
#: Logs that are added before those that newer ones replace, or push out, are dropped from the file.
ADDED = 400


class SavedLog(Record):
    """The end of one log."""

    format: int = FORMAT
    worker: str
    lines: list[str]


class LogsFile:
    """The file in `folder`.

    Parameters
    ----------
    most : logs that are worth keeping; the newest are.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self._path, self._most = folder / LOGS, most
        self._added = 0
        self._lock = threading.Lock()

    def read(self) -> dict[str, list[str]]:
        """The logs by worker, the oldest first."""
        return in_text(self._path.read_text(encoding="utf-8")) if self._path.exists() else {}

    def add(self, worker: str, lines: list[str]) -> None:
        """Keep a worker's log. From any thread."""
        with self._lock:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(SavedLog(worker=worker, lines=lines).model_dump_json() + "\n")
            self._added += 1
            if self._added >= ADDED:
                self._added = 0
                self.write(list(self.read().items())[-self._most :])

    def write(self, logs: Iterable[tuple[str, list[str]]]) -> None:
        """Keep these and no others."""
        lines = [SavedLog(worker=worker, lines=log).model_dump_json() for worker, log in logs]
        self._path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


async def save_logs(api: Api, file: LogsFile, pod: str, workers: Mapping[str, list[str]]) -> None:
    """Keep the last lines of each log, the scheduler's at the end: what has no room in the history is left out from the
    start.

    Parameters
    ----------
    pod : the scheduler's, in which this runs.
    workers : the last lines of each worker's log.
    """
    try:
        text = await api.text(
            api.path("pods", pod) + "/log", {"tailLines": LINES, "container": "scheduler"}, timeout=5.0
        )
    except (Answer, Unreachable):  # the end of a cluster doesn't wait for its log
        text = ""
    file.write([*workers.items(), (SCHEDULER, text.splitlines())])


def in_text(text: str) -> dict[str, list[str]]:
    """The last lines of each log by worker; the scheduler's are those of `SCHEDULER`. The latest of a worker counts."""
    found: dict[str, list[str]] = {}
    for log in read_lines(SavedLog, text):
        found.pop(log.worker, None)
        found[log.worker] = log.lines
    return found

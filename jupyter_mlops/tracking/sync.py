"""The process in which MLflow works: `python -m jupyter_mlops.tracking.sync`.

MLflow takes seconds to import and more to make its tables, needs much memory, and warns and logs as it pleases. In a
kernel or a server its user would feel that, so MLflow has a process of its own. Without arguments this process brings
all records that MLflow lacks into it, and ends. The server starts it for runs whose kernel is gone, with `--attached`:
then it ends with its input, too, which is the server's other end. With `--serve`
the process reads runs from its standard input, a JSON line each, answers each with `ok` or with what went wrong, and
ends at once when its input ends, whatever it is at: nobody waits for it any more, and what is not in MLflow yet is
brought by the next.
"""

from __future__ import annotations

import io
import os
import queue
import sys
import threading
from collections.abc import Iterable, Iterator
from typing import IO

from ..core.base import read_record
from ..core.errors import UnknownRun, Unreadable
from ..core.run import RunState
from ..home.runs import run_folder
from . import history, pending
from .store import MlflowStore
from .target import tracking_uri

#: Added to the process's niceness: the user's own work goes first.
_NICE = 10


def sync() -> int:
    """Bring all runs and models that MLflow lacks. Returns how many runs there were. Raises what MLflow raises."""
    if not (uri := tracking_uri()):
        return 0
    runs = pending.unsynced()
    store = MlflowStore(uri)
    for run in runs:
        try:
            state = history.get(run)
        except (UnknownRun, Unreadable):  # removed meanwhile, or a record that can't be read
            continue
        store.sync(state)
    store.sync_models()
    return len(runs)


def serve(asked: Iterable[str], answers: IO[str]) -> None:
    """Bring each run that `asked` has, until its end."""
    store = MlflowStore(tracking_uri())
    for line in asked:
        try:
            run = read_record(RunState, line, "run")
            if store.uri != tracking_uri():
                store = MlflowStore(tracking_uri())
            if not run_folder(run.id).record_file.exists():
                history.save(run)  # its controller has no folder for it
            store.sync(run)
        except Exception as error:  # noqa: BLE001  # MLflow, its database and its network each raise their own
            answer = _words(error)
        else:
            answer = "ok"
        answers.write(f"{answer}\n")
        answers.flush()


def main() -> int:
    """As a program: the exit code, with one line on stderr when it failed."""
    os.nice(_NICE)
    for stream in (sys.stdin, sys.stdout, sys.stderr):  # whatever the locale is: the other end speaks UTF-8, too
        assert isinstance(stream, io.TextIOWrapper)
        stream.reconfigure(encoding="utf-8", errors="replace")
    if sys.argv[1:] == ["--serve"]:
        answers, sys.stdout = sys.stdout, sys.stderr  # what others print is no answer
        serve(_lines(sys.stdin), answers)
        return 0
    if sys.argv[1:] == ["--attached"]:
        threading.Thread(target=_end_with, args=(sys.stdin,), daemon=True).start()
    try:
        sync()
    except Exception as error:  # noqa: BLE001 - whatever MLflow or its store raises is told in one line
        sys.stderr.write(f"{_words(error)}\n")
        return 1
    return 0


def _end_with(asked: IO[str]) -> None:
    for _ in asked:
        pass
    os._exit(0)


def _lines(asked: IO[str]) -> Iterator[str]:
    """The lines of `asked`, with whose end this process ends: MLflow's import alone takes seconds in which nobody else
    would find out that the kernel is gone."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for line in asked:
            lines.put(line)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    while True:
        yield lines.get()


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".replace("\n", " ")


if __name__ == "__main__":
    sys.exit(main())

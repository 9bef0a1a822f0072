"""The process that runs notebooks when they are due: `python -m jupyter_mlops.pipelines.clock`.

One for a home folder, in the background, for as long as something is scheduled, or the alarm of a service is to retrain
it, wherever that lives. No kernel, server or browser has to be open; the machine has to be on.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from pathlib import Path

from .. import home
from ..core.base import Seconds
from ..core.errors import InvalidSpec, MlopsError, Unavailable
from ..core.schedule import Schedule
from ..home.detached import reap, start_detached
from ..home.schedules import clock, clock_log, log_of, note_schedule, read_schedules
from . import alarms
from .child import INTERRUPTED, PipelineProcess
from .retrainers import Retrainers

#: Seconds between two looks at the clock and the schedules.
LOOK: Seconds = 5.0

#: Seconds ahead at which a run that is past began by a clock that was set back since: what it says is no use.
_SET_BACK: Seconds = 3600.0

#: What is said of a run that nobody follows any more.
_CUT_SHORT = "it was cut short: what ran it was ended, or this machine"


def ensure_clock() -> None:
    """Start the process, if something is scheduled or watched and none is there. Does nothing where it can't: who looks
    at other things isn't kept from that."""
    with contextlib.suppress(MlopsError, OSError):
        if _is_needed():
            with clock():  # raises where one is there
                pass
            _start()


def _start() -> None:
    with os.fdopen(_new(clock_log()), "wb") as target:
        reap(start_detached(__name__, folder=home.home(), log=target), "clock")


def _is_needed() -> bool:
    return bool(read_schedules()) or alarms.is_watched()


def main() -> None:
    """Run what is due until nothing is scheduled or watched any more."""
    running, retrainers = dict[str, threading.Thread](), Retrainers()
    while _is_needed():  # again: one may have been made while this gave way
        try:
            with clock():
                _note_cut_short(running)
                _until_nothing_is_scheduled(running, retrainers)
        except Unavailable:
            return
    for thread in running.values():
        thread.join()


def _note_cut_short(running: dict[str, threading.Thread]) -> None:
    """A run ends with the process that follows it: one that has no end, and isn't this one's, goes on no more."""
    for schedule in read_schedules():
        thread = running.get(schedule.notebook)
        if schedule.began is not None and schedule.ended is None and (thread is None or not thread.is_alive()):
            _note(schedule.model_copy(update={"ended": time.time(), "code": INTERRUPTED, "said": _CUT_SHORT}))


def _until_nothing_is_scheduled(running: dict[str, threading.Thread], retrainers: Retrainers) -> None:
    said = ""
    while True:
        try:
            if not _is_needed():
                return
            _run_what_is_due(running)
            retrainers.see_to()
            said = ""
        except (MlopsError, OSError, RuntimeError) as error:  # a disk is away, or no memory is left
            if str(error) != said:
                print(error, file=sys.stderr, flush=True)
            said = str(error)
        time.sleep(LOOK)


def _run_what_is_due(running: dict[str, threading.Thread]) -> None:
    for schedule in read_schedules():
        before = running.get(schedule.notebook)
        if _is_due(schedule) and (before is None or not before.is_alive()):  # it never runs twice at a time
            thread = threading.Thread(target=_run, args=[schedule])
            thread.start()
            running[schedule.notebook] = thread


def _is_due(schedule: Schedule) -> bool:
    now = time.time()
    try:
        return schedule.due() <= now or (schedule.began or 0) > now + _SET_BACK
    except InvalidSpec:  # of another version
        return False


def _run(schedule: Schedule) -> None:
    """Run the steps of a notebook once, and note how that went."""
    schedule = schedule.begun(time.time())
    try:
        note_schedule(schedule)
        code, said = _followed(schedule)
    except (MlopsError, OSError) as error:
        code, said = 1, str(error)
    _note(schedule.model_copy(update={"ended": time.time(), "code": code, "said": said}))


def _note(schedule: Schedule) -> None:
    try:
        note_schedule(schedule)
    except MlopsError as error:
        print(error, file=sys.stderr, flush=True)


def _followed(schedule: Schedule) -> tuple[int, str]:
    """Its exit code, and the last line that it printed."""
    process, last = PipelineProcess(Path(schedule.notebook), cluster=schedule.cluster, python=schedule.python), ""
    with os.fdopen(_new(log_of(schedule.notebook)), "w", encoding="utf-8", errors="replace") as target:
        for line in process.lines():
            target.write(line)
            target.flush()
            last = line.strip() or last
    return process.ended(), last


def _new(path: Path) -> int:
    """A file for its owner alone, empty."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)


if __name__ == "__main__":
    main()

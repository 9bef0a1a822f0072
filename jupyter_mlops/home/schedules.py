"""When notebooks are run by themselves: a file in each one's folder below `pipelines/`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from .. import home
from ..core.base import Time
from ..core.errors import Unreadable
from ..core.schedule import Schedule
from .logs import end_of
from .steps import PIPELINES, pipeline_folder, pipelines_dir

#: Of a notebook: when it runs, and what its last run by itself printed. Of all: what the clock's process said.
SCHEDULE, LOG, CLOCK_LOG = "schedule.json", "schedule.log", "clock.log"

#: Of a notebook that another place runs: what was asked for. The place's own record is the truth.
PLACED = "placed.json"


def read_schedule(notebook: str) -> Schedule | None:
    """When a notebook runs; None where it doesn't by itself, or nobody can say."""
    with contextlib.suppress(FileNotFoundError, Unreadable):
        return home.read(Schedule, pipeline_folder(notebook) / SCHEDULE)
    return None


def read_schedules() -> list[Schedule]:
    """All schedules, but for those that can't be read. Makes nothing, where there is none."""
    return _all_named(SCHEDULE)


def _all_named(name: str) -> list[Schedule]:
    found = []
    for path in sorted((home.home() / PIPELINES).glob(f"*/{name}")):
        with contextlib.suppress(FileNotFoundError, Unreadable):
            found.append(home.read(Schedule, path))
    return found


def write_schedule(schedule: Schedule) -> None:
    """Have a notebook run by itself, otherwise than before perhaps; raises `StorageFull`, `Refused`."""
    folder = home.private(pipeline_folder(schedule.notebook))
    with home.locked(folder):
        home.write(folder / SCHEDULE, schedule.model_dump_json(indent=1))


def note_schedule(schedule: Schedule) -> None:
    """Note how its last run went, unless somebody has changed or ended it meanwhile. That it is to run at once stays,
    if somebody has said so since that run began. Raises as `write_schedule`."""
    folder = pipeline_folder(schedule.notebook)
    with home.locked(folder):
        now = read_schedule(schedule.notebook)
        if now is None or (now.every, now.created) != (schedule.every, schedule.created):
            return
        late = now.asked is not None and now.asked > (schedule.began or 0)
        noted = schedule.model_copy(update={"asked": now.asked if late else None})
        home.write(folder / SCHEDULE, noted.model_dump_json(indent=1))


def ask_for_run(notebook: str, now: Time) -> Schedule | None:
    """Have a notebook that runs by itself run at once, and once more where it runs already; None where it doesn't by
    itself. Raises as `write_schedule`."""
    folder = pipeline_folder(notebook)
    if not folder.exists():
        return None
    with home.locked(folder):
        schedule = read_schedule(notebook)
        if schedule is not None:
            schedule = schedule.model_copy(update={"asked": now})
            home.write(folder / SCHEDULE, schedule.model_dump_json(indent=1))
        return schedule


def remove_schedule(notebook: str) -> bool:
    """Let a notebook run by itself no more; whether it did."""
    path = pipeline_folder(notebook) / SCHEDULE
    if not path.exists():
        return False
    with home.locked(path.parent), home.guarded(path):  # who notes how a run went would write it again
        there = path.exists()
        path.unlink(missing_ok=True)
    return there


def read_placed(notebook: str) -> Schedule | None:
    """What was asked of another place from here; None where that is nothing, or nobody can say."""
    with contextlib.suppress(FileNotFoundError, Unreadable):
        return home.read(Schedule, pipeline_folder(notebook) / PLACED)
    return None


def read_all_placed() -> list[Schedule]:
    """What was asked of all other places from here, as `read_schedules`."""
    return _all_named(PLACED)


def write_placed(schedule: Schedule) -> None:
    """Remember that another place runs it; raises `StorageFull`, `Refused`."""
    folder = home.private(pipeline_folder(schedule.notebook))
    home.write(folder / PLACED, schedule.model_dump_json(indent=1))


def remove_placed(notebook: str) -> None:
    """Forget that."""
    (pipeline_folder(notebook) / PLACED).unlink(missing_ok=True)


def log_of(notebook: str) -> Path:
    """What a notebook's last run by itself printed."""
    return pipeline_folder(notebook) / LOG


def end_of_log(notebook: str, most: int) -> list[str]:
    """The last lines of that, of at most so many bytes; none where it hasn't run, or has only just begun."""
    try:
        text, is_cut = end_of(log_of(notebook), most)
    except FileNotFoundError:
        return []
    return text.splitlines()[1 if is_cut else 0 :]


@contextlib.contextmanager
def clock() -> Iterator[None]:
    """Be the one process that runs what is due.

    Raises
    ------
    Unavailable : another one is.
    """
    with home.locked(home.private(pipelines_dir() / "clock"), wait=False):
        yield


def clock_log() -> Path:
    """What that process said."""
    return pipelines_dir() / "clock" / CLOCK_LOG

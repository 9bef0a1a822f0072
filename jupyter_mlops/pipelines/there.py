"""What other places than this machine run by themselves: it is looked at, and ended."""

from __future__ import annotations

from typing import NamedTuple

from .. import places
from ..client.clusters.kernel import loop_thread
from ..core.cluster import Problem
from ..core.errors import InvalidSpec, MlopsError, Unavailable
from ..core.schedule import Schedule
from ..home.schedules import read_all_placed, read_placed, remove_placed
from ..places.scheduling import Scheduling


class SchedulesThere(NamedTuple):
    """Those that other places have told of; those that were asked for from here, and of which nobody knows now, each
    with why; and why there may be more."""

    found: list[Schedule]
    unheard: list[tuple[Schedule, Problem]]
    problems: list[Problem]


def schedules_there() -> SchedulesThere:
    """Those of all other places. Raises nothing: a place that can't be asked hides no other one."""
    told = SchedulesThere([], [], [])
    asked = read_all_placed()
    for place in places.names():
        its = [each for each in asked if each.place == place]
        try:
            one = _told_by(place, its)
        except Exception as error:  # noqa: BLE001 - another package's code
            problem = Problem(what=f"The place {place!r} can't be asked", why=str(error))
            one = SchedulesThere([], [(each, problem) for each in its], [problem])
        told.found.extend(one.found)
        told.unheard.extend(one.unheard)
        told.problems.extend(one.problems)
    return told


def _told_by(place: str, asked: list[Schedule]) -> SchedulesThere:
    """Those of one place, of which some were `asked` for from here. Where there is no way to it any more, as by a
    kubeconfig that is gone, it has none to tell of, and still may run them."""
    scheduling = places.get(place).scheduling()
    found, problem = ([], None) if scheduling is None else loop_thread().call(scheduling.schedules())
    known = {each.notebook for each in found}
    lost = [(each, problem or placed_schedule(each.notebook)[1]) for each in asked if each.notebook not in known]
    unheard = [(each, why) for each, why in lost if why is not None]
    return SchedulesThere(found, unheard, [] if problem is None else [problem])


def schedule_in_any(notebook: str) -> Schedule | None:
    """That of a notebook in any other place, wherever it was asked for; None where there is none. Raises `Unavailable`
    where a place that may have one can't be asked."""
    told = schedules_there()
    its = next((each for each in told.found if each.notebook == notebook), None)
    if its is None and told.problems:
        raise Unavailable(told.problems[0].what, told.problems[0].why, told.problems[0].todo)
    return its


def placed_schedule(notebook: str) -> tuple[Schedule | None, Problem | None]:
    """What another place has of a notebook, so far as it was asked from here; where it doesn't answer, what was asked,
    and why nobody knows more."""
    asked = read_placed(notebook)
    if asked is None:
        return None, None
    try:
        its = loop_thread().call(scheduling_of(asked.place).get(notebook))
    except MlopsError as error:
        return asked, Problem.of(error)
    if its is None:
        remove_placed(notebook)  # somebody has removed it there
    return its, None


def unschedule_there(notebook: str, everywhere: bool = False) -> bool:
    """End what another place runs of a notebook; whether it did.

    Parameters
    ----------
    everywhere : also what wasn't asked for from here.

    Raises `Unavailable`, `Refused`, as the place says.
    """
    asked = read_placed(notebook)
    if asked is None and everywhere:
        asked = schedule_in_any(notebook)
    return asked is not None and end_there(asked)


def end_there(schedule: Schedule) -> bool:
    """End what its place runs of a notebook; whether it did. Raises as `unschedule_there`."""
    ended = loop_thread().call(scheduling_of(schedule.place).unschedule(schedule.notebook))
    remove_placed(schedule.notebook)
    return ended


def log_there(schedule: Schedule) -> list[str]:
    """What the last run of a notebook in another place printed. Raises as `Scheduling.log`."""
    return loop_thread().call(scheduling_of(schedule.place).log(schedule.notebook))


def scheduling_of(place: str) -> Scheduling:
    """What runs notebooks by itself in a place; raises `InvalidSpec` where nothing does, `Unavailable`."""
    found = places.get(place).scheduling()
    if found is None:
        able = [name for name in places.names() if places.get(name).scheduling() is not None]
        todo = f"Use one of: {', '.join(able)}." if able else ""
        raise InvalidSpec(f"The place {place!r} can't run notebooks by itself", "", todo)
    return found

"""Schedules of other places than this machine: asked for, looked at, ended."""

from __future__ import annotations

import ast
import contextlib
import os
import time
import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from .. import places
from ..client.clusters.kernel import loop_thread
from ..client.words import tell
from ..core.cluster import Problem
from ..core.cron import cron_line, zone_named
from ..core.errors import InvalidSpec, MlopsError, Unavailable
from ..core.profile import Profile
from ..core.schedule import HERE, Schedule, ScheduleSpec, parse_every
from ..core.words import first_of, listed
from ..home import settings
from ..home.owner import me
from ..home.schedules import read_placed, remove_placed, write_placed
from ..home.steps import seal_key_for
from ..places import profiles, rules
from ..places.scheduling import Scheduling
from .brought import brought
from .cells import CodeCell
from .values import unpacked_steps, values_of

#: What this machine's models are used by.
_OF_THIS_MACHINE = frozenset({"deploy", "model", "models", "save_model", "score", "service", "services", "trail"})

#: Where this machine says which time zone it is in.
_LOCALTIME, _TIMEZONE = Path("/etc/localtime"), Path("/etc/timezone")


def place_of(place: str | None, profile: str | None) -> str:
    """Where a schedule is to live: where somebody says, where its profile is, else here.

    Raises
    ------
    UnknownProfile : there is no such profile.
    InvalidSpec : it is of another place, or of this machine, whose schedules have clusters and no profiles.
    """
    of_profile = None if profile is None else profiles.get(profile).place
    if place is not None and of_profile not in (None, place):
        raise InvalidSpec(f"The profile {profile!r} is of the place {of_profile!r}, not of {place!r}")
    found = place or of_profile or HERE
    if found == HERE and profile is not None:
        why = "on this machine its runs go where any others go"
        raise InvalidSpec("No profile is needed", why, "Leave it out, or name a cluster.")
    return found


def schedule_there(
    notebook: Path,
    cells: Sequence[CodeCell],
    every: str,
    place: str,
    profile: str | None = None,
    zone: str | None = None,
    files: Sequence[str] = (),
) -> Schedule:
    """Have a notebook run in another place. Parameters and errors are those of `Pipeline.schedule`."""
    scheduling, found = _scheduling_of(place), _profile_of(place, profile)
    clock = zone or zone_here()
    now = datetime.now(zone_named(clock))
    line = cron_line(parse_every(every), now, zlib.crc32(f"{me()}{notebook}".encode()))
    whole = brought(notebook, cells, files)
    if stays := sorted({word for cell in cells for word in _words(cell)} & _OF_THIS_MACHINE):
        tell(f"The notebook's code uses {listed(stays)}: models are this machine's, and there are none where it runs.")
    if whole.elsewhere:
        told = "what lies outside of the notebook's folder isn't brought along, and must be where it runs"
        tell(f"The notebook's code names {first_of(whole.elsewhere, 3)}: {told}, as on a volume.")
    wanted = Schedule(
        notebook=str(notebook),
        every=every.strip(),
        created=time.time(),
        place=place,
        profile=found.name,
        zone=clock,
        line=line,
        files=list(files),
        digest=whole.digest,
    )
    spec = ScheduleSpec(
        schedule=wanted,
        notebook=whole.name,
        owner=me(),
        profile=places.get(place).with_packages(found, whole.packages),
        asked=found,
        packages=whole.packages,
        rules=rules.load(),
        key=_key_of(notebook).hex(),
        settings=settings.load().model_copy(update={"tracking_uri": None, "default_profile": None, "last_used": {}}),
    )
    before = read_placed(str(notebook))
    made = loop_thread().call(scheduling.schedule(spec, whole.parts()))
    write_placed(wanted)
    if before is not None and before.place != place:
        loop_thread().call(_scheduling_of(before.place).unschedule(before.notebook))
    return made


def schedules_there() -> tuple[list[Schedule], list[Problem]]:
    """Those of all other places, and why there may be more. Raises nothing: a place that can't be asked hides no
    other one."""
    found, problems = list[Schedule](), list[Problem]()
    for place in places.names():
        try:
            scheduling = places.get(place).scheduling()
            there, problem = ([], None) if scheduling is None else loop_thread().call(scheduling.schedules())
        except Exception as error:  # noqa: BLE001 - another package's code
            there, problem = [], Problem(what=f"The place {place!r} can't be asked", why=str(error))
        found += there
        problems += [problem] if problem is not None else []
    return found, problems


def schedule_in_any(notebook: str) -> Schedule | None:
    """That of a notebook in any other place, wherever it was asked for; None where there is none. Raises `Unavailable`
    where a place that may have one can't be asked."""
    found, problems = schedules_there()
    its = next((each for each in found if each.notebook == notebook), None)
    if its is None and problems:
        raise Unavailable(problems[0].what, problems[0].why, problems[0].todo)
    return its


def placed_schedule(notebook: str) -> tuple[Schedule | None, Problem | None]:
    """What another place has of a notebook, so far as it was asked from here; where it doesn't answer, what was asked,
    and why nobody knows more."""
    asked = read_placed(notebook)
    if asked is None:
        return None, None
    try:
        its = loop_thread().call(_scheduling_of(asked.place).get(notebook))
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
    if asked is None:
        return False
    ended = loop_thread().call(_scheduling_of(asked.place).unschedule(notebook))
    remove_placed(notebook)
    return ended


def log_there(schedule: Schedule) -> list[str]:
    """What the last run of a notebook in another place printed. Raises as `Scheduling.log`."""
    return loop_thread().call(_scheduling_of(schedule.place).log(schedule.notebook))


def values_there(schedule: Schedule) -> dict[str, Any]:
    """What the steps of a notebook's last run in another place made. Raises as `Scheduling.values` and `values_of`."""
    parts = loop_thread().call(_scheduling_of(schedule.place).values(schedule.notebook))
    return values_of(unpacked_steps(parts), _key_of(schedule.notebook))


def _key_of(notebook: str | Path) -> bytes:
    """What the steps of a notebook seal with in another place."""
    return seal_key_for(f"schedule {notebook}")


def zone_here() -> str:
    """The name of this machine's time zone.

    Raises
    ------
    InvalidSpec : it can't be found.
    """
    named = os.environ.get("TZ", "").lstrip(":")
    if named.startswith("/"):  # a file, as of one's own computer
        named = _in_zoneinfo(Path(named))
    for name in [named] if named else _names_of_zone():
        with contextlib.suppress(InvalidSpec):
            zone_named(name)
            return name
    if time.timezone == 0 and not time.daylight:
        return "UTC"
    raise InvalidSpec("The name of this machine's time zone can't be found", "", 'Say it: zone="Europe/Berlin".')


def _words(cell: CodeCell) -> Iterable[str]:
    """What a cell takes of a module by this package's name, or the one that it goes by everywhere."""
    for node in ast.walk(cell.tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield from [node.attr] if node.value.id in ("mlops", "jupyter_mlops") else []


def _names_of_zone() -> Iterable[str]:
    with contextlib.suppress(OSError):
        yield _in_zoneinfo(_LOCALTIME)
    with contextlib.suppress(OSError):
        yield _TIMEZONE.read_text(encoding="utf-8").strip()


def _in_zoneinfo(path: Path) -> str:
    """The name of the zone whose file this is, or leads to."""
    return str(path.resolve()).partition("/zoneinfo/")[2]


def _scheduling_of(place: str) -> Scheduling:
    found = places.get(place).scheduling()
    if found is None:
        able = [name for name in places.names() if places.get(name).scheduling() is not None]
        todo = f"Use one of: {', '.join(able)}." if able else ""
        raise InvalidSpec(f"The place {place!r} can't run notebooks by itself", "", todo)
    return found


def _profile_of(place: str, profile: str | None) -> Profile:
    if profile is not None:
        return profiles.get(profile)
    known = [each for each in profiles.all_profiles() if each.place == place]
    if not known:
        raise InvalidSpec(f"A schedule of the place {place!r} needs a profile of it", "there is none", "Save one.")
    return known[0]

"""Notebooks that other places than this machine are to run by themselves."""

from __future__ import annotations

import ast
import time
import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from .. import places
from ..client.clusters.kernel import loop_thread
from ..client.words import tell
from ..core.cron import cron_line, zone_named
from ..core.errors import InvalidSpec
from ..core.profile import Profile
from ..core.schedule import HERE, Schedule, ScheduleSpec, parse_every
from ..core.words import first_of, listed
from ..home import settings
from ..home.owner import me
from ..home.schedules import read_placed, write_placed
from ..home.steps import seal_key_for
from ..home.zone import zone_here
from ..places import profiles, rules
from .brought import brought
from .cells import CodeCell
from .there import scheduling_of
from .values import unpacked_steps, values_of

#: What this machine's models are used by.
_OF_THIS_MACHINE = frozenset({"deploy", "model", "models", "save_model", "score", "service", "services", "trail"})


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
    scheduling, found = scheduling_of(place), _profile_of(place, profile)
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
        loop_thread().call(scheduling_of(before.place).unschedule(before.notebook))
    return made


def values_there(schedule: Schedule) -> dict[str, Any]:
    """What the steps of a notebook's last run in another place made. Raises as `Scheduling.values` and `values_of`."""
    parts = loop_thread().call(scheduling_of(schedule.place).values(schedule.notebook))
    return values_of(unpacked_steps(parts), _key_of(schedule.notebook))


def _key_of(notebook: str | Path) -> bytes:
    """What the steps of a notebook seal with in another place."""
    return seal_key_for(f"schedule {notebook}")


def _words(cell: CodeCell) -> Iterable[str]:
    """What a cell takes of a module by this package's name, or the one that it goes by everywhere."""
    for node in ast.walk(cell.tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield from [node.attr] if node.value.id in ("mlops", "jupyter_mlops") else []


def _profile_of(place: str, profile: str | None) -> Profile:
    if profile is not None:
        return profiles.get(profile)
    known = [each for each in profiles.all_profiles() if each.place == place]
    if not known:
        raise InvalidSpec(f"A schedule of the place {place!r} needs a profile of it", "there is none", "Save one.")
    return known[0]

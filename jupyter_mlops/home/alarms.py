"""The services elsewhere whose alarms retrain them from here: a file for each in `alarms/`.

Their alarms are known only when somebody looks, which is done from this home folder: it has their versions, gates and
notebooks. A service of this machine needs no such file.
"""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from .. import home
from ..core.errors import MlopsError
from .services import service_folder

if TYPE_CHECKING:
    from ..core.base import Time
    from ..core.cluster import Problem
    from ..core.retraining import AlarmWatch
    from ..core.service import ServiceSpec

#: The folder, and the file in it that names this home folder.
ALARMS, ID = "alarms", "home"

#: Seconds for which a service is looked for that no look has reached.
_LOST = 30 * 24 * 3600.0


def home_id() -> str:
    """Names this home folder, among those of the same user, in what is kept elsewhere. A copy of it has the same.
    Raises `StorageFull`, `Refused`."""
    path = _folder() / ID
    with home.locked(path.parent):
        with contextlib.suppress(FileNotFoundError):
            if known := path.read_text(encoding="utf-8").strip():
                return known
        home.write(path, made := secrets.token_hex(8))
        return made


def is_ours(spec: ServiceSpec) -> bool:
    """Whether an alarm of a service retrains it from this home folder. Raises as `home_id`."""
    return spec.retrain == "on alarm" and spec.home == home_id()


def follow(spec: ServiceSpec, *, elsewhere: bool) -> None:
    """Have the alarms of a service looked at from here, or no more, as it is wanted now. Raises `StorageFull`,
    `Refused`, `InvalidInput`.

    Parameters
    ----------
    elsewhere : whether its alarms aren't known here by themselves.
    """
    from ..core.retraining import AlarmWatch

    if elsewhere and is_ours(spec):
        with home.locked(_folder()):
            _write(AlarmWatch(service=spec.name, place=spec.place))
    else:
        unfollow(spec.name)


def unfollow(service: str) -> None:
    """Have the alarms of a service looked at no more. Raises as `follow`."""
    if (path := _file(service)).exists():
        with home.locked(_folder()), home.guarded(path):  # who notes a look would write it again
            path.unlink(missing_ok=True)


def note_look(service: str, began: Time, problem: Problem | None) -> None:
    """Note how a look went, unless nobody is to look any more: that isn't so either when it was lost for `_LOST`
    seconds. Raises as `follow`."""
    with home.locked(_folder()):
        if (known := alarm_watch(service)) is None:
            return
        now = known.seen(began, problem)
        if problem is not None and began - now.since > _LOST:
            _file(service).unlink(missing_ok=True)
        else:
            _write(now)


def alarm_watch(service: str) -> AlarmWatch | None:
    """How it goes to look at a service's alarms; None where nobody is to, or nobody can say."""
    from ..core.retraining import AlarmWatch

    with contextlib.suppress(FileNotFoundError, MlopsError):
        return home.read(AlarmWatch, _file(service))
    return None


def alarm_watches() -> list[AlarmWatch]:
    """All of them, by name, but for those that can't be read. Makes nothing, where there is none."""
    found = (alarm_watch(path.stem) for path in sorted((home.home() / ALARMS).glob("*.json")))
    return [each for each in found if each is not None]


def _write(watch: AlarmWatch) -> None:
    home.write(_file(watch.service), watch.model_dump_json(indent=1))


def _file(service: str) -> Path:
    return home.home() / ALARMS / f"{service_folder(service).name}.json"


def _folder() -> Path:
    return home.private(home.home() / ALARMS)

"""The services whose alarms are to retrain them: those of this machine tell it in their folders, those elsewhere when
somebody looks at them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ..core.alert import ServiceWatch
from ..core.base import Seconds, Time
from ..core.errors import MlopsError
from ..core.retraining import AlarmWatch
from ..core.service import ServiceSpec, ServiceState
from ..home.alarms import alarm_watches
from ..home.models import model_folder
from ..home.retraining import retraining_folder
from ..home.services import ServiceFolder, service_folder, service_folders

#: Seconds from the begin of a retraining, by whomever, to the one that an alarm may begin.
REST: Seconds = 24 * 3600.0

#: Seconds between two looks at services elsewhere, and at most where none of these could tell for that long.
EVERY: Seconds = 300.0
MOST: Seconds = 3600.0

#: Seconds ahead at which one that is past began by a clock that was set back since.
_SET_BACK: Seconds = 3600.0


def is_watched() -> bool:
    """Whether an alarm of any service is to retrain it."""
    return bool(alarm_watches()) or any(True for _ in _watched())


def due(now: Time) -> list[str]:
    """The services of this machine that are to be retrained now: there is an alarm, enough rows are new, nothing of the
    kind goes on, and the last time is a day ago. What was missed while the machine was asleep counts once."""
    found = []
    for folder, spec in _watched():
        with contextlib.suppress(MlopsError, OSError):
            if _is_due(folder, spec, now):
                found.append(folder.name)
    return found


def unseen(now: Time) -> list[str]:
    """The services elsewhere that are to be looked at now."""
    return [each.service for each in alarm_watches() if not each.looked <= now < each.looked + _pause(each)]


def _pause(watch: AlarmWatch) -> Seconds:
    return EVERY if watch.problem is None else min(max(watch.looked - watch.since, EVERY), MOST)


def learnt(spec: ServiceSpec, state: ServiceState | None, watch: ServiceWatch | None, now: Time) -> Time | None:
    """Since when rows are new to a service that is to be retrained if there are enough of them; None where it isn't
    whatever there is. Raises FileNotFoundError, `Unreadable`."""
    if state is None or state.alarm is None or state.version != spec.version or spec.candidate is not None:
        return None
    if watch is not None and watch.problem is not None:
        return None  # what isn't counted says nothing
    last = retraining_folder(service_folder(spec.name)).read()
    if last is not None and (last.phase == "running" or now - REST < last.began < now + _SET_BACK):
        return None
    trained = model_folder(spec.model).version(spec.version).record().created
    return max(trained, last.began) if last is not None and last.version else trained


def _watched() -> Iterator[tuple[ServiceFolder, ServiceSpec]]:
    for folder in service_folders():
        with contextlib.suppress(MlopsError, OSError):  # one that can't be read hides no other
            spec, state = folder.spec(), folder.state()
            if spec.retrain == "on alarm" and (state is None or state.phase != "stopped"):
                yield folder, spec


def _is_due(folder: ServiceFolder, spec: ServiceSpec, now: Time) -> bool:
    since = learnt(spec, folder.state(), folder.watch(), now)
    return since is not None and folder.requests.new_rows(since) >= spec.retrain_rows

"""The services whose alarms are to retrain them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ..core.base import Seconds, Time
from ..core.errors import MlopsError
from ..core.service import ServiceSpec
from ..home.models import model_folder
from ..home.retraining import retraining_folder
from ..home.services import ServiceFolder, service_folders

#: Seconds from the begin of a retraining, by whomever, to the one that an alarm may begin.
REST: Seconds = 24 * 3600.0

#: Seconds ahead at which one that is past began by a clock that was set back since.
_SET_BACK: Seconds = 3600.0


def is_watched() -> bool:
    """Whether an alarm of any service is to retrain it."""
    return any(True for _ in _watched())


def due(now: Time) -> list[str]:
    """The services that are to be retrained now: there is an alarm, enough rows are new, nothing of the kind goes on,
    and the last time is a day ago. What was missed while the machine was asleep counts once."""
    found = []
    for folder, spec in _watched():
        with contextlib.suppress(MlopsError, OSError):
            if _is_due(folder, spec, now):
                found.append(folder.name)
    return found


def _watched() -> Iterator[tuple[ServiceFolder, ServiceSpec]]:
    for folder in service_folders():
        with contextlib.suppress(MlopsError, OSError):  # one that can't be read hides no other
            spec, state = folder.spec(), folder.state()
            if spec.retrain == "on alarm" and (state is None or state.phase != "stopped"):
                yield folder, spec


def _is_due(folder: ServiceFolder, spec: ServiceSpec, now: Time) -> bool:
    state, watch = folder.state(), folder.watch()
    if state is None or state.alarm is None or state.version != spec.version or spec.candidate is not None:
        return False
    if watch is not None and watch.problem is not None:
        return False  # what isn't counted says nothing
    last = retraining_folder(folder).read()
    if last is not None and (last.phase == "running" or now - REST < last.began < now + _SET_BACK):
        return False
    trained = model_folder(spec.model).version(spec.version).record().created
    if last is not None and last.version:
        trained = max(trained, last.began)
    return folder.requests.new_rows(trained) >= spec.retrain_rows

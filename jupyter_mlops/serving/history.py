"""What became of a service in a stretch of time, put together from what is kept of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from ..core.base import Seconds
from ..core.callers import DAY, DAYS
from ..core.drift import drifts
from ..core.errors import InvalidInput, MlopsError
from ..core.history import DriftPoint, ServiceHistory
from ..core.model import Baseline
from ..core.traffic import points_of, step_of
from ..core.trail import TrailEntry
from ..core.window import Window
from ..home.models import model_folder
from .find import find_service, hosting_of

#: The longest stretch that is told, in seconds.
LONGEST: Seconds = DAYS * DAY

#: Features that are told of, and windows.
_FEATURES, _WINDOWS = 8, 200

#: What changes who answers.
_DEEDS = {"deployed", "failed", "split", "went on", "rolled back", "stopped"}


async def history_of(name: str, span: Seconds) -> ServiceHistory:
    """What became of a service in the last so many seconds.

    Raises
    ------
    UnknownService, Unreadable
    InvalidInput : that is no time, or longer than anything is kept.
    """
    if not 0 < span <= LONGEST:
        raise InvalidInput("There is no such history", "", f"Ask for {LONGEST / 3600:g} hours at most.")
    state = await find_service(name)
    hosting, now = hosting_of(state.place), time.time()
    since, step = now - span, step_of(span)
    minutes = await hosting.traffic(name, since)
    windows = [window for window in await hosting.windows(name) if window.until >= since][-_WINDOWS:]
    return ServiceHistory(
        since=since,
        until=now,
        step=step,
        counted=minutes is not None,
        traffic=points_of(minutes or [], step),
        drift=await asyncio.to_thread(_drift, state.model, windows),
        deeds=await asyncio.to_thread(_deeds, state.model, name, since),
    )


def _drift(model: str, windows: Iterable[Window]) -> list[DriftPoint]:
    """How the features that have changed most, and the answers, compared with the baselines of their versions."""
    baselines: dict[str, Baseline | None] = {}
    points: list[DriftPoint] = []
    for window in windows:
        if window.digest not in baselines:
            baselines[window.digest] = _baseline(model, window)
        if (baseline := baselines[window.digest]) is not None:
            points += [
                DriftPoint(
                    since=window.since,
                    until=window.until,
                    version=window.version,
                    name=each.name,
                    answers=each.answers,
                    state=each.state,
                    psi=each.psi,
                    noise=each.noise,
                )
                for each in drifts(baseline, window)
            ]
    most: dict[tuple[bool, str], float] = {}
    for point in points:
        key = (point.answers, point.name)
        most[key] = max(most.get(key, 0.0), point.psi or 0.0)
    features = sorted((key for key in most if not key[0]), key=lambda key: -most[key])[:_FEATURES]
    told = {*features, *(key for key in most if key[0])}
    return [point for point in points if (point.answers, point.name) in told]


def _baseline(model: str, window: Window) -> Baseline | None:
    """The baseline of a window's version; None where that is gone, or another one has its number."""
    try:
        folder = model_folder(model).version(window.version)
        return folder.baseline() if folder.record().digest == window.digest else None
    except (MlopsError, OSError):
        return None


def _deeds(model: str, service: str, since: float) -> list[TrailEntry]:
    """What was done to a service; nothing where the model was removed."""
    try:
        trail = model_folder(model).trail()
    except (MlopsError, OSError):
        return []
    return [entry for entry in trail if entry.service == service and entry.verb in _DEEDS and entry.time >= since]

"""Who would miss a service."""

from __future__ import annotations

import contextlib
import time

from ..core.callers import CallerDay, ServiceCallers, callers_words
from ..core.errors import MlopsError
from .find import hosting_of


async def callers_of(place: str, name: str) -> ServiceCallers:
    """Who may call a service, what each asked today, and in words who would miss it. Where its place doesn't tell what
    they asked, they are named. Raises as `Hosting.usage`."""
    hosting = hosting_of(place)
    told = await hosting.usage(name)
    words, counted = callers_words(told, time.time()), told is not None
    if told is None:
        told = [CallerDay(caller=each) for each in await hosting.callers(name)]
    return ServiceCallers(callers=told, words=words, counted=counted)


async def missed_by(place: str, name: str) -> str:
    """Who would miss a service, in a sentence; empty where nobody may call it, or that isn't known: it can be stopped
    all the same."""
    with contextlib.suppress(MlopsError):
        told = await callers_of(place, name)
        return told.words if told.counted else ""
    return ""

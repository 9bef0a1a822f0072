"""Services by their names, wherever they live, and as they are told to whoever looks."""

from __future__ import annotations

import asyncio
import contextlib

from .. import places
from ..core.alert import ServiceWatch, cost_of_rows, summary
from ..core.cluster import Problem
from ..core.errors import InvalidSpec, MlopsError, Unavailable, UnknownService
from ..core.price import REFERENCE
from ..core.service import ServiceState
from ..home import settings
from ..places.hosting import Hosting
from .champion import as_told
from .noted import note_decided


def hosting_of(place: str) -> Hosting:
    """Where the services of a place live.

    Raises
    ------
    InvalidSpec : there is no such place, or it has none.
    """
    hosting = places.get(place).hosting()
    if hosting is None:
        raise InvalidSpec(f"The place {place!r} has no services yet", "it has clusters only", "Deploy to this machine.")
    return hosting


async def watch_of(place: str, name: str) -> ServiceWatch:
    """How what a service is asked compares with its version's baseline, with what that is in words, and costs. Raises
    as `Hosting.watch`."""
    hosting, known = hosting_of(place), await asyncio.to_thread(settings.load)
    watch, price, gpus = await hosting.watch(name) or ServiceWatch(), known.price, 0.0
    if hosting.by_profile and (profile := (spec := await hosting.spec(name)).profile) is not None:
        price, gpus = spec.price, profile.groups[0].gpus / profile.groups[0].cpus
    cost = cost_of_rows(watch, price, known.adjust.reference(REFERENCE, price.currency), gpus)
    return watch.model_copy(update={"words": summary(watch), "cost": cost})


async def list_services() -> list[ServiceState]:
    """The services of all places, by name."""
    found = await asyncio.gather(*map(_services_of, places.names()))
    states = sorted((state for some in found for state in some), key=lambda state: state.name)
    return await asyncio.to_thread(lambda: [as_told(state) for state in states])


async def _services_of(place: str) -> list[ServiceState]:
    with contextlib.suppress(MlopsError):  # a place that can't be asked hides no other one; lists of clusters say so
        if (hosting := places.get(place).hosting()) is not None:
            found = await hosting.services()
            await note_decided(hosting)
            return found
    return []


def silences() -> list[Problem]:
    """Why services may be missing from the last list."""
    found = []
    for place in places.names():
        with contextlib.suppress(MlopsError):  # as above
            hosting = places.get(place).hosting()
            found.append(None if hosting is None else hosting.silence())
    return [problem for problem in found if problem is not None]


async def find_service(name: str) -> ServiceState:
    """The service of that name, wherever it lives: where this machine has one that lives, nobody else is asked.

    Raises
    ------
    UnknownService : no place has it.
    Unavailable : none that answers has it.
    """
    fault: MlopsError | None = None
    stopped: ServiceState | None = None
    for place in places.names():
        try:
            if (hosting := places.get(place).hosting()) is not None:
                found = await asyncio.to_thread(as_told, await hosting.get(str(name)))
                await note_decided(hosting)
                if found.phase != "stopped":
                    return found
                stopped = stopped or found
        except UnknownService:
            continue
        except MlopsError as error:
            fault = error
    if stopped is not None:
        return stopped
    if fault is not None:
        raise Unavailable(f"The service {name!r} isn't found where anybody answers", str(fault), fault.todo)
    raise UnknownService.named(str(name), [state.name for state in await list_services()])

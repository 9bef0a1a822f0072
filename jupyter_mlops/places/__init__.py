"""Places: where schedulers and workers come from. `places.get(place)` gives the one of that name.

Callers: server, kernel, command line. Everything heavy (pydantic, Dask) is imported by the functions, on first use,
because this module is imported when a notebook or a server starts.
"""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..core.cluster import ClusterSpec, ClusterState
    from ..core.errors import MlopsError, NotFound
    from ..core.profile import Profile
    from . import profiles
    from .base import Backend

__all__ = ["clusters", "find", "get", "new_spec", "places", "profiles", "unseen"]

#: Place → module and class of those that come with the package.
_PLACES = {
    "local": (".local.backend", "LocalBackend"),
    "kubernetes": (".kubernetes.backend", "KubernetesBackend"),
}

#: The entry points by which other packages add places: name → `module:Class` of a `base.Backend`.
GROUP = "jupyter_mlops.places"


def __getattr__(name: str) -> Any:
    if name == "profiles":
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@functools.cache
def _added() -> dict[str, Any]:
    """Entry points of places that other packages add; one that comes with the package can't be replaced."""
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=GROUP) if point.name not in _PLACES}


def places() -> list[str]:
    """Names of the places that clusters can be made in, the default first."""
    return [*_PLACES, *_added()]


def get(place: str) -> Backend:
    """The backend of `place`.

    Raises
    ------
    InvalidSpec : there is no such place.
    """
    from ..core.errors import InvalidSpec

    if place not in places():
        raise InvalidSpec(f"There is no place named {place!r}", todo=f"Use one of: {', '.join(places())}.")
    if place in _PLACES:
        module, name = _PLACES[place]
        made: Backend = getattr(importlib.import_module(module, __name__), name)()
    else:
        made = _added()[place].load()()
    return made


async def clusters() -> list[ClusterState]:
    """The clusters of all places, newest first."""
    states = [state for place in places() for state in await get(place).clusters()]
    return sorted(states, key=lambda state: state.created, reverse=True)


async def find(name: str) -> Backend:
    """The backend that has the cluster `name`; a live one goes before an ended one.

    Raises
    ------
    UnknownCluster : no place has it; a near name is suggested.
    ClusterUnreachable : a place that doesn't answer may have it.
    """
    from ..core.errors import UnknownCluster

    states = await clusters()
    named = sorted((state for state in states if state.name == name), key=lambda state: state.phase == "ended")
    if not named:
        raise unseen(UnknownCluster.named(name, [state.name for state in states]))
    return get(named[0].place)


def unseen(unknown: NotFound) -> MlopsError:
    """`unknown`, or that a place that doesn't answer may have it."""
    from ..core.errors import ClusterUnreachable

    silence = next((silence for place in places() if (silence := get(place).silence())), None)
    if silence is None:
        return unknown
    return ClusterUnreachable(f"{unknown.what} where one could look", silence.what, silence.todo)


def new_spec(
    profile: Profile, name: str | None = None, workers: int | None = None, group: str | None = None
) -> ClusterSpec:
    """What to hand to `Backend.start`: `profile` with a name, an owner and a price.

    Parameters
    ----------
    profile : how to make it.
    name : of the cluster; None makes a free one from the profile's name.
    workers : how many to start with, instead of the profile's number.
    group : the group that `workers` is about; None is the first one.

    Raises
    ------
    InvalidSpec : the name isn't valid.
    UnknownGroup, OutOfRange : as the profile says.
    """
    from .spec import new_spec as make

    return make(profile, name, workers, group)

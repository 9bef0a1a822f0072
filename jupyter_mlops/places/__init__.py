"""Places: where schedulers and workers come from. `places.get(place)` gives the one of that name.

Callers: server, kernel, command line. Everything heavy (pydantic, Dask) is imported by the functions, on first use,
because this module is imported when a notebook or a server starts.
"""

from __future__ import annotations

import functools
import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from ..core.cluster import ClusterSpec, ClusterState, Problem
    from ..core.errors import MlopsError, NotFound
    from ..core.profile import Profile
    from . import profiles
    from .base import Backend

__all__ = ["clusters", "find", "get", "names", "new_spec", "profiles", "unseen"]

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


@functools.lru_cache(maxsize=1)
def _added(path: tuple[str, ...]) -> dict[str, EntryPoint]:
    """Entry points of places that other packages add, found on `path`, which is Python's own. A place that comes with
    the package can't be replaced."""
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=GROUP) if point.name not in _PLACES}


def names() -> list[str]:
    """Names of the places that clusters can be made in, the default first."""
    return [*_PLACES, *_added(tuple(sys.path))]


def get(place: str) -> Backend:
    """The backend of `place`.

    Raises
    ------
    InvalidSpec : there is no such place.
    Unavailable : it is another package's, and can't be used; names the package and its fault.
    """
    from ..core.errors import InvalidSpec

    if place not in names():
        raise InvalidSpec(f"There is no place named {place!r} here", todo=f"Use one of: {', '.join(names())}.")
    if place in _PLACES:
        module, name = _PLACES[place]
        made: Backend = getattr(importlib.import_module(module, __name__), name)()
    else:
        made = _load(_added(tuple(sys.path))[place])
    return made


def _load(point: EntryPoint) -> Backend:
    from ..core.errors import Unavailable
    from .base import Backend

    try:
        made = point.load()()
        if not isinstance(made, Backend) or made.place != point.name:
            raise TypeError(f"{point.value} is no Backend whose place is {point.name!r}")
    except Exception as error:
        raise Unavailable(*_fault(point.name, error)) from error
    return made


def _fault(place: str, error: Exception) -> tuple[str, str, str]:
    """What happened, why, and what to do, when `place` failed with `error`."""
    from ..core.errors import MlopsError

    what = f"The place {place!r} can't be asked"
    if isinstance(error, MlopsError):
        return (error.what, error.why, error.todo) if error.what == what else (what, str(error), "")
    point = _added(tuple(sys.path)).get(place)
    package = "jupyter-mlops" if point is None or point.dist is None else f"{point.dist.name} {point.dist.version}"
    why = f"{type(error).__name__} in {package}: {error}"
    return what, why, "" if point is None else f"Update the package {package}, or remove it."


async def look(place: str) -> tuple[list[ClusterState], Problem | None]:
    """The clusters of one place; and, when it failed, why there are none. Raises nothing: one place that can't be
    asked (another package's fault, no network, a full disk) must not hide the others."""
    from ..core.cluster import Problem

    try:
        return await get(place).clusters(), None
    except Exception as error:  # noqa: BLE001 - see above; it is told
        what, why, todo = _fault(place, error)
        return [], Problem(what=what, why=why, todo=todo)


def row(place: str, problem: Problem) -> ClusterState:
    """What stands in a list of clusters for those of a place that failed."""
    from ..core.cluster import ClusterState
    from .spec import owner

    return ClusterState(
        name=f"place-{place}"[:48].rstrip("-"),
        place=place,
        profile="",
        owner=owner(),
        phase="unreachable",
        created=0,
        problem=problem,
        commands=[],
    )


async def clusters() -> list[ClusterState]:
    """The clusters of all places, newest first; a place that failed has a row that says so."""
    states = []
    for place in names():
        found, problem = await look(place)
        states += found if problem is None else [row(place, problem)]
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

    silence = next((silence for place in names() if (silence := _silence(place))), None)
    if silence is None:
        return unknown
    return ClusterUnreachable(f"{unknown.what} where one could look", silence.what, silence.todo)


def _silence(place: str) -> Problem | None:
    from ..core.cluster import Problem
    from ..core.errors import MlopsError

    try:
        return get(place).silence()
    except MlopsError as broken:
        return Problem(what=broken.what, why=broken.why, todo=broken.todo)


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

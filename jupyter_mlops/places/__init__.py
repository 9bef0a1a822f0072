"""Places: where schedulers and workers come from. `places.get(place)` gives the one of that name.

Callers: server, kernel, command line. Everything heavy (pydantic, Dask) is imported by the functions, on first use,
because this module is imported when a notebook or a server starts.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from ..core.cluster import ClusterState, Problem
    from .base import Backend

__all__ = ["get", "look", "names", "writes_home"]

#: Place → module and class of those that come with the package.
_PLACES = {
    "local": (".local.backend", "LocalBackend"),
    "kubernetes": (".kubernetes.backend", "KubernetesBackend"),
}

#: The entry points by which other packages add places: name → `module:Class` of a `base.Backend`.
GROUP = "jupyter_mlops.places"


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
    """The backend of `place`: one for each place and process.

    Raises
    ------
    InvalidSpec : there is no such place.
    Unavailable : it is another package's, and can't be used; names the package and its fault.
    """
    from ..core.errors import InvalidSpec

    if place not in names():
        raise InvalidSpec(f"There is no place named {place!r} here", todo=f"Use one of: {', '.join(names())}.")
    return _made(place, None if place in _PLACES else _added(tuple(sys.path))[place])


@functools.cache
def _made(place: str, added: EntryPoint | None) -> Backend:
    """The backend of a place that comes with the package, or that is `added` by another one."""
    if added is not None:
        return _load(added)
    module, name = _PLACES[place]
    made: Backend = getattr(importlib.import_module(module, __name__), name)()
    return made


os.register_at_fork(after_in_child=_made.cache_clear)  # a forked process has none of its parent's threads


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


def writes_home(cluster: str) -> bool:
    """Whether that cluster, by its id, writes what is known of its runs into this home itself; true where nobody can
    say it any more, since its place came from a package that is gone."""
    from ..core.errors import MlopsError
    from ..core.naming import ClusterName

    place = ClusterName.of(cluster).where.rpartition(".")[2]
    try:
        return not place or get(place).writes_home
    except MlopsError:
        return True


async def look(place: str) -> tuple[list[ClusterState], Problem | None]:
    """The clusters of one place; and, when it failed, why there are none. Raises nothing: one place that can't be
    asked (another package's fault, no network, a full disk) must not hide the others."""
    from ..core.cluster import Problem

    try:
        return await get(place).clusters(), None
    except Exception as error:  # noqa: BLE001 - see above; it is told
        what, why, todo = _fault(place, error)
        return [], Problem(what=what, why=why, todo=todo)

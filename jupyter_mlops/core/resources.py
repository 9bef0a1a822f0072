"""How Dask knows groups: a worker declares a resource that names its group, and tasks that want a group demand it."""

from __future__ import annotations

from collections.abc import Iterable

_PREFIX = "group:"

#: What a worker declares to have: no number of tasks uses it up. It restricts where tasks run, not how many.
PLENTY = 1_000_000.0


def declared(group: str) -> dict[str, float]:
    """The resources of a worker of `group`."""
    return {_PREFIX + group: PLENTY}


def demanded(group: str) -> dict[str, float]:
    """The resources that a task takes to run on workers of `group` only."""
    return {_PREFIX + group: 1.0}


def group_in(resources: Iterable[str]) -> str | None:
    """The group that a worker's or a task's resources name; None when they name none."""
    return next((name[len(_PREFIX) :] for name in resources if name.startswith(_PREFIX)), None)

"""Which cluster a run goes to."""

from __future__ import annotations

from collections.abc import Callable

from ... import places
from ...core.cluster import ClusterState
from ...core.errors import ClusterEnded, UnknownCluster
from ...home import settings
from ..packages.sync import keep_alike
from ..send.environment import exact_list, imported
from .session import Session, opened, session

#: Phases in which a cluster takes runs, the best first.
USABLE = ("running", "starting")

#: Said to the user: a cluster was started, or one of several chosen.
Say = Callable[[str], None]

_selected: str | None = None


def select(name: str | None) -> None:
    """Make `name` the cluster of all runs of this kernel that name none."""
    global _selected
    _selected = name


def selected() -> str | None:
    """The selected cluster's name."""
    return _selected


async def choose(name: str | None, say: Say, workers: int | None = None, group: str | None = None) -> Session:
    """The session of the cluster that is meant.

    Without a name: the selected one, while it lives; else the last one that we made, never one of others; else a new
    one of the default profile, with `workers` workers in `group`.

    Raises
    ------
    UnknownCluster : no cluster has that name; a near one is suggested.
    ClusterEnded, StartFailed, ClusterUnreachable : as `session`.
    """
    if name is not None:
        return opened(name) or await _checked(name)
    if _selected is not None and (known := opened(_selected)) is not None:
        return known
    if _selected is not None:
        try:
            state = await (await places.find(_selected)).get(_selected)
        except UnknownCluster:
            state = None
        if state is not None and state.phase in USABLE:
            return await session(_selected)
        say(f"The cluster {_selected!r}, which was selected, has stopped.")
        select(None)
    live = [state for state in await usable() if state.ours]
    if live:
        if len(live) > 1:
            say(f"Using the cluster {live[0].name!r}, one of {len(live)}; name another with --cluster.")
        return await session(live[0].name)
    return await start_default(say, workers, group)


async def usable() -> list[ClusterState]:
    """The clusters that take runs: ours before those of others, running before starting, the newest first."""
    states = [state for state in await places.clusters() if state.phase in USABLE and "run" in state.commands]
    return sorted(states, key=lambda state: (not state.ours, USABLE.index(state.phase), -state.created))


async def _checked(name: str) -> Session:
    """A near name is one of a cluster that lives."""
    states = await places.clusters()
    for state in states:
        if state.name == name:
            if state.phase in ("ended", "stopping"):
                todo = "Start another, or leave out the name to use one that lives."
                raise ClusterEnded(f"The cluster {name!r} has stopped", _cause(state), todo)
            return await session(name)
    raise UnknownCluster.named(name, [state.name for state in states if state.phase in USABLE])


def _cause(state: ClusterState) -> str:
    words = {"idle": "it was idle", "lifetime": "its lifetime was over", "budget": "its budget was used up"}
    return words.get(state.cause or "", state.problem.what if state.problem else "")


async def start_default(say: Say, workers: int | None = None, group: str | None = None) -> Session:
    """A new cluster of the default profile."""
    profile = settings.load().default_profile or places.profiles.all_profiles()[0].name
    name = await start(profile, None, workers, group)
    say(f"No cluster was running, so {name!r} is being started (profile {profile!r}).")
    return await session(name)


async def start(
    profile: str, name: str | None, workers: int | None = None, group: str | None = None, sync: bool = False
) -> str:
    """Start a cluster. Returns its name as soon as it is on record.

    `sync`: its workers get the packages of this kernel that they lack; those that its user has imported by now when
    they start, others when code needs them.

    Raises
    ------
    UnknownProfile, OutOfRange, UnknownGroup, NameTaken, StartFailed, StorageFull : as the backend.
    """
    found = places.profiles.get(profile)
    backend = places.get(found.place)
    if sync:
        found = backend.with_packages(found, exact_list(imported()))
    spec = places.new_spec(found, name=name, workers=workers, group=group)
    await backend.check(spec.profile)
    state = await backend.start(spec)
    places.profiles.mark_used(profile)
    if sync:
        keep_alike(state.name)
    return state.name

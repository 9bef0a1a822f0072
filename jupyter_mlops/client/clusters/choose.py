"""Which cluster a run goes to."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

from ...core.cluster import ClusterState
from ...core.errors import ClusterEnded, UnknownCluster
from .follow import following
from .kernel import kernel
from .listing import Listing, list_clusters
from .session import Session
from .start import start
from .wait import wait_for_answer

#: Phases in which a cluster takes runs, the best first.
USABLE = ("running", "starting")

#: Said to the user: a cluster was started, or one of several chosen.
Say = Callable[[str], None]


async def choose(name: str | None, say: Say, workers: int | None = None, group: str | None = None) -> Session:
    """The session of the cluster that is meant.

    Without a name: the selected one, while it lives; else the last one that we made, never one of others; else a new
    one of the default profile, with `workers` workers in `group`.

    Raises
    ------
    UnknownCluster : no cluster has that name; a near one is suggested.
    ClusterEnded, StartFailed, ClusterUnreachable, NotReady : as `Sessions.open` and `wait_for_answer`.
    """
    sessions = kernel().sessions
    wanted = name or kernel().selected
    if wanted is not None and (opened := sessions.opened(wanted)) is not None:
        return opened
    listing = await list_clusters()
    if name is not None:
        return await sessions.open(_check_alive(listing, name))
    if wanted is not None:
        phases = [state.phase for state in listing.clusters if state.name == wanted]
        if {*USABLE, "unreachable"} & {*phases}:
            return await sessions.open(wanted)
        if not phases and listing.silent:
            raise listing.missing(UnknownCluster.named(wanted, []))
        say(f"The cluster {wanted!r}, which was selected, has stopped.")
        kernel().selected = None
    live = [state for state in usable(listing) if state.ours]
    if live:
        if len(live) > 1:
            say(f"Using the cluster {live[0].name!r}, one of {len(live)}; name another with --cluster.")
        return await sessions.open(live[0].name)
    for silent in listing.silent:
        say(f"{silent.sentence(time.time())}.")
    made = await start(workers=workers, group=group)
    say(f"No cluster was running, so {made.name!r} is being started (profile {made.profile!r}).")
    async with following(made, functools.partial(sessions.link, made.name)) as cluster:
        await wait_for_answer(cluster, made.name, say)
    return await sessions.open(made.name)


def usable(listing: Listing) -> list[ClusterState]:
    """The clusters that take runs: ours before those of others, running before starting, the newest first."""
    states = [state for state in listing.clusters if state.phase in USABLE and "run" in state.commands]
    return sorted(states, key=lambda state: (not state.ours, USABLE.index(state.phase), -state.created))


def _check_alive(listing: Listing, name: str) -> str:
    """`name`, when a cluster of that name lives, or may live; otherwise the name of one that lives is suggested."""
    if all(state.name != name for state in listing.clusters):
        raise listing.missing(UnknownCluster.named(name, [state.name for state in usable(listing)]))
    state = listing.named(name)
    if state.phase in ("ended", "stopping"):
        todo = "Start another, or leave out the name to use one that lives."
        raise ClusterEnded(f"The cluster {name!r} has stopped", _cause(state), todo)
    return name


def _cause(state: ClusterState) -> str:
    words = {"idle": "it was idle", "lifetime": "its lifetime was over", "budget": "its budget was used up"}
    return words.get(state.cause or "", state.problem.what if state.problem else "")

"""Which cluster a run goes to."""

from __future__ import annotations

import asyncio
import functools
import os
import time
from collections.abc import Callable

from ...core import naming, words
from ...core.cluster import ClusterState
from ...core.errors import ClusterEnded
from ...core.naming import ClusterName
from ...home.runs import read_runs
from .follow import following
from .kernel import kernel
from .listing import Listing, list_clusters
from .session import Session
from .start import start
from .wait import wait_for_answer

#: Phases in which a cluster takes runs, the best first.
USABLE = ("running", "starting")

#: The variable in which Jupyter's server tells a kernel the path of its notebook.
NOTEBOOK = "JPY_SESSION_NAME"

#: Said to the user: a cluster was started, or one of several chosen.
Say = Callable[[str], None]


async def choose(name: str | None, say: Say, workers: int | None = None, group: str | None = None) -> Session:
    """The session of the cluster that is meant, to which later runs without a name go, too.

    Without a name: the selected one, or the one that this notebook's last run went to, while it lives; else this user's
    last one, never one of others; else a new one of the default profile, with `workers` workers in `group`.

    Raises
    ------
    UnknownCluster : no cluster has that name; a near one is suggested.
    AmbiguousName : several have it.
    ClusterEnded, StartFailed, ClusterUnreachable, NotReady : as `Sessions.open` and `wait_for_answer`.
    """
    session = await _choose(name, say, workers, group)
    if session.id in kernel().used:
        kernel().use(session.id)
    return session


async def _choose(name: str | None, say: Say, workers: int | None, group: str | None) -> Session:
    sessions, selected = kernel().sessions, kernel().selected
    wanted = name or selected or kernel().recent
    if wanted is not None and (opened := sessions.opened(wanted)) is not None:
        return opened
    listing = await list_clusters()
    if name is not None:
        return await _open(_check_alive(listing, name))
    if wanted is not None:
        found = naming.find(wanted, listing.clusters)
        if found is not None and found.phase in (*USABLE, "unreachable"):
            return await _open(found)
        if found is None and listing.silent:
            raise listing.missing(naming.unknown(wanted, []))
        why = "which was selected" if selected else "where this notebook's last run was"
        say(f"The cluster {ClusterName.of(wanted).name!r}, {why}, has stopped.")
        kernel().selected = None
        kernel().used = [each for each in kernel().used if each != wanted]
    live = [state for state in usable(listing) if state.mine]
    if live:
        chosen = await asyncio.to_thread(go_on, live)
        if wanted is not None or len(live) > 1:
            others = f", one of {len(live)}; name another with --cluster" if len(live) > 1 else ""
            say(f"Using the cluster {chosen.name!r}{others}.")
        return await _open(chosen)
    for silent in listing.silent:
        say(f"{silent.sentence(time.time())}.")
    made = await start(workers=workers, group=group)
    say(f"No cluster was running, so {made.name!r} is being started (profile {made.profile!r}).")
    async with following(made, functools.partial(sessions.link, made.id)) as cluster:
        await wait_for_answer(cluster, made.name, say)
    return await _open(made)


async def _open(state: ClusterState) -> Session:
    """The session of a cluster. One's own is where runs go on; one of others has to be named each time."""
    session = await kernel().sessions.open(state.id)
    if state.mine:
        kernel().use(state.id)
    return session


def go_on(live: list[ClusterState]) -> ClusterState:
    """The one of `live` that a run without a name goes to: where this notebook ran last, also before its kernel was
    restarted; else the first. Blocks."""
    used = kernel().used
    notebook = os.environ.get(NOTEBOOK, "")
    if not any(state.id in used for state in live) and notebook and len(live) > 1:
        used = [run.ran_on for run in reversed(read_runs()) if run.origin.notebook == notebook]
    last = (state for cluster in reversed(used) for state in live if ClusterName.of(cluster).means(state.id))
    return next(last, live[0])


def usable(listing: Listing) -> list[ClusterState]:
    """The clusters that take runs: one's own before those of others, running before starting, the newest first."""
    states = [state for state in listing.clusters if state.phase in USABLE and "run" in state.commands]
    return sorted(states, key=lambda state: (not state.mine, USABLE.index(state.phase), -state.created))


def _check_alive(listing: Listing, name: str) -> ClusterState:
    """The cluster `name`, when it lives, or may live; otherwise the name of one that lives is suggested."""
    live = usable(listing)
    state = naming.find(name, listing.clusters)
    if state is None:
        raise listing.missing(naming.unknown(name, live))
    if state.phase in ("ended", "stopping"):
        exact, asked = naming.spelled(listing.clusters), ClusterName.of(state.name)
        others = [f"{exact[other.id]} ({naming.owned(other)})" for other in live if asked.means(other.id)]
        todo = "Start another, or leave out the name to use one that lives."
        todo = f"{todo} There is also {words.listed(others)}: name it so to use it." if others else todo
        raise ClusterEnded(f"The cluster {state.name!r} has stopped", _cause(state), todo)
    return state


def _cause(state: ClusterState) -> str:
    causes = {"idle": "it was idle", "lifetime": "its lifetime was over", "budget": "its budget was used up"}
    return causes.get(state.cause or "", state.problem.what if state.problem else "")

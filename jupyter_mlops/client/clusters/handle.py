"""Clusters, as a notebook's user holds them."""

from __future__ import annotations

import html
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from ...core.cluster import ClusterState, Event, Receipt
from ...core.errors import ClusterEnded, ClusterUnreachable, StartFailed, UnknownCluster
from ...core.words import count
from ..send.environment import exact_list, imported
from ..words import known_cost
from .choose import usable
from .kernel import kernel, loop_thread
from .listing import backend_of, list_clusters
from .start import start as start_cluster

if TYPE_CHECKING:
    from distributed import Client

T = TypeVar("T")


def _call(coroutine: Coroutine[Any, Any, T]) -> T:
    return loop_thread().call(coroutine)


class Cluster:
    """A cluster by its name. Holds nothing: it can be made, dropped and made again in any process.

    Parameters
    ----------
    name : of a cluster that is on record.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def state(self) -> ClusterState:
        """The cluster now: phase, workers, work, cost, limits.

        Raises
        ------
        UnknownCluster : it is not on record any more.
        """
        return _call(_state(self.name))

    def scale(self, n: int, group: str | None = None, now: bool = False) -> None:
        """Want `n` workers in `group` (the first one). Returns when it is accepted.

        `now` lets go of workers without waiting for what they run. Raises `OutOfRange`, `UnknownGroup`.
        """
        _call(_scale(self.name, n, group, now))

    def adapt(self, minimum: int, maximum: int, group: str | None = None) -> None:
        """Let the number of workers of `group` follow the work, between these bounds."""
        _call(_adapt(self.name, minimum, maximum, group))

    def wait(self, n: int | None = None, timeout: float = 120.0) -> None:
        """Wait until `n` workers are ready; all that are wanted, when not given.

        Raises
        ------
        TimeoutError : they aren't, after `timeout` seconds; says how many are, and what is in the way.
        StartFailed, ClusterEnded : they will never be.
        """
        _call(_wait(self.name, n, timeout))

    def stop(self) -> None:
        """End it: its workers, its scheduler. Returns when the end is under way; a no-op when it has ended."""
        _call(_stop(self.name))

    def client(self) -> Client:
        """A Dask client of its own, which becomes the default for Dask's collections. Close it when done."""
        from distributed import Client

        address = _call(_address(self.name))
        return Client(address.url, security=address.security)

    def logs(self, worker: str | None = None, lines: int = 200) -> str:
        """The last lines of the scheduler's log, or of a worker's, dead or alive."""
        return "\n".join(_call(_logs(self.name, worker, lines)))

    def events(self) -> list[Event]:
        """What happened to it, oldest first."""
        return _call(_events(self.name))

    def receipt(self) -> Receipt | None:
        """The final sum, once it has ended."""
        return _call(_receipt(self.name))

    @property
    def dashboard_link(self) -> str:
        """Where this Jupyter server shows Dask's dashboard of the cluster."""
        import os

        prefix = os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "/")
        return f"{prefix}jupyter-mlops/clusters/{self.name}/dashboard/status"

    def __repr__(self) -> str:
        return f"<Cluster {self.name!r}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cluster) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def _repr_html_(self) -> str:
        state = self.state()
        style = "color:var(--jp-ui-font-color2,#616161)"
        groups = "".join(f"<br>{html.escape(line)}" for line in group_lines(state))
        return (
            f"<div><b>{html.escape(self.name)}</b> <span style='{style}'>{html.escape(cluster_sentence(state))}"
            f"{groups}</span> <a href='{html.escape(self.dashboard_link)}' target='_blank'>dashboard</a></div>"
        )


def cluster_sentence(state: ClusterState) -> str:
    """A cluster in one line."""
    counts = state.counts
    workers = counts.idle + counts.busy
    coming = counts.requested + counts.pending + counts.starting
    parts: list[str] = [state.phase if state.cause is None else f"{state.phase} ({state.cause})"]
    if state.phase not in ("ended",):
        parts.append(f"{count(workers, 'worker')}, {counts.busy:,} busy")
    if coming:
        parts.append(f"{coming} coming")
    if state.cost.amount is not None:
        parts.append(known_cost(state.cost))
    if state.problem is not None:
        parts.append(state.problem.what)
    return " · ".join(parts)


def group_lines(state: ClusterState) -> list[str]:
    """A line per group, when there are several."""
    if len(state.groups) < 2:
        return []
    return [
        f"{group.name}: {group.counts.idle + group.counts.busy} of {group.wanted} workers "
        f"({group.minimum} to {group.maximum})"
        for group in state.groups
    ]


def start(
    profile: str | None = None,
    name: str | None = None,
    workers: int | None = None,
    wait: bool = True,
    sync: bool = False,
) -> Cluster:
    """Start a cluster.

    Parameters
    ----------
    profile : the name of a profile; the default one, when not given.
    name : what to call it; made from the profile's, when not given.
    workers : how many to start with; as the profile says, when not given.
    wait : whether to wait until the first worker is ready.
    sync : whether its workers get the packages of this kernel that they lack.

    Raises
    ------
    UnknownProfile, OutOfRange, NameTaken, StartFailed, StorageFull
    """
    packages = exact_list(imported()) if sync else None
    made = Cluster(_call(start_cluster(profile, name, workers, packages=packages)).name)
    if sync:
        kernel().synced.add(made.name)
    if wait:
        wanted = sum(group.wanted for group in made.state().groups) if workers is None else workers
        made.wait(min(1, wanted) if wanted else 0)
    return made


def clusters() -> list[Cluster]:
    """The clusters that live, of all places, running before starting, the newest first."""
    return [Cluster(state.name) for state in usable(_call(list_clusters()))]


def cluster(name: str | None = None) -> Cluster:
    """The cluster of that name; without one, that which a run would use.

    Raises
    ------
    UnknownCluster : there is none.
    """
    if name is None:
        name = kernel().selected
    if name is None:
        listing = _call(list_clusters())
        live = [state.name for state in usable(listing) if state.ours]
        if not live:
            raise listing.missing(UnknownCluster("There is no cluster yet", "", "Start one: mlops.start()."))
        return Cluster(live[0])
    _call(_state(name))
    return Cluster(name)


async def _state(name: str) -> ClusterState:
    backend = await backend_of(name)
    state = await backend.get(name)
    # a record tells of a start some seconds late: who is connected already knows more
    if state.phase != "running" and not (state.phase == "starting" and kernel().sessions.opened(name)):
        return state
    try:
        return (await (await kernel().sessions.open(name, timeout=10.0)).link.view(workers=False)).state
    except (ClusterEnded, ClusterUnreachable):  # it ended in between, or its scheduler was killed
        return await backend.get(name)


async def _scale(name: str, n: int, group: str | None, now: bool) -> None:
    await (await kernel().sessions.open(name)).link.scale(n, group, now)


async def _adapt(name: str, minimum: int, maximum: int, group: str | None) -> None:
    await (await kernel().sessions.open(name)).link.adapt(minimum, maximum, group)


async def _wait(name: str, n: int | None, timeout: float) -> None:
    import time

    deadline = time.monotonic() + timeout
    link = (await kernel().sessions.open(name, timeout)).link
    seq = 0
    while True:
        left = deadline - time.monotonic()
        view = await link.watch(seq, max(0.0, min(left, 5.0)))
        seq, state = view.seq, view.state
        ready = state.counts.idle + state.counts.busy
        wanted = sum(group.wanted for group in state.groups) if n is None else n
        if ready >= wanted:
            return
        if state.phase in ("stopping", "ended"):
            why = state.problem.what if state.problem else (state.cause or "")
            raise StartFailed(f"The cluster {name!r} ended before {wanted} workers were ready", why)
        if left <= 0:
            problem = next((group.problem for group in state.groups if group.problem is not None), state.problem)
            why = f": {problem.what}" if problem is not None else ""
            raise TimeoutError(f"{ready} of {wanted} workers of {name!r} are ready after {timeout:g} s{why}")


async def _stop(name: str) -> None:
    await (await backend_of(name)).stop(name)
    await kernel().sessions.close(name)


async def _address(name: str) -> Any:
    return await (await backend_of(name)).address(name)


async def _logs(name: str, worker: str | None, lines: int) -> list[str]:
    return await (await backend_of(name)).logs(name, worker, lines)


async def _events(name: str) -> list[Event]:
    return await (await backend_of(name)).events(name)


async def _receipt(name: str) -> Receipt | None:
    return await (await backend_of(name)).receipt(name)

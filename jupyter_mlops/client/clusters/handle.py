"""Clusters, as a notebook's user holds them."""

from __future__ import annotations

import functools
import html
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from ...core.base import read_input
from ...core.cluster import ClusterState, Event, Receipt, SilentPlace
from ...core.errors import UnknownCluster
from ...core.extend import LimitChange
from ...core.naming import ClusterName
from ...core.profile import MOST_WORKERS
from ...core.sizing import AdviceList
from ...core.words import count
from ..send.environment import exact_list, imported
from ..words import PLAIN, known_cost, tell, waste_sentences
from .choose import go_on, usable
from .follow import following
from .kernel import kernel, loop_thread
from .listing import list_clusters, placed
from .live import live_state
from .problems import problems_of
from .start import start as start_cluster
from .wait import PATIENCE, wait_for_workers

if TYPE_CHECKING:
    from distributed import Client

    from ...core.profile import Profile

T = TypeVar("T")


def _call(coroutine: Coroutine[Any, Any, T]) -> T:
    return loop_thread().call(coroutine)


class Cluster:
    """One cluster. Holds nothing but its id: it can be made, dropped and made again in any process.

    It stays this cluster: one that is started later under the same name is another.

    Parameters
    ----------
    id : of a cluster that is on record: `ClusterState.id`.
    """

    def __init__(self, id: str) -> None:
        self.id = id

    @property
    def name(self) -> str:
        """Its name."""
        return ClusterName.of(self.id).name

    def state(self) -> ClusterState:
        """The cluster now: phase, workers, work, cost, limits.

        Raises
        ------
        UnknownCluster : it is not on record any more.
        """
        return _call(_state(self.id))

    def scale(self, n: int, group: str | None = None, now: bool = False) -> None:
        """Want `n` workers in `group` (the first one). Returns when it is accepted.

        `now` lets go of workers without waiting for what they run. Raises `OutOfRange`, `UnknownGroup`.
        """
        _call(_scale(self.id, n, group, now))

    def let_go(self, group: str | None = None, n: int | None = None) -> list[str]:
        """Let go of workers of `group` (the first one) that have been idle for ten minutes; the names of those that go.

        The group has as many fewer from then on, and never less than its minimum. Data that they hold moves first.

        Parameters
        ----------
        n : how many at most; all of them, when not given.

        Raises
        ------
        Conflict : none has been idle for so long, or the group needs them.
        UnknownGroup, VersionMismatch
        """
        return _call(_let_go(self.id, group, n))

    def adapt(self, minimum: int, maximum: int, group: str | None = None) -> None:
        """Let the number of workers of `group` follow the work, between these bounds."""
        _call(_adapt(self.id, minimum, maximum, group))

    def limit(
        self,
        budget: float | None = None,
        lifetime: float | str | None = None,
        more_money: float | None = None,
        more_time: float | str | None = None,
    ) -> None:
        """Give it another budget or lifetime, or so much more of them. What the old ones held back goes on.

        Parameters
        ----------
        budget, more_money : in its price's currency.
        lifetime, more_time : seconds, or "1 h"; a lifetime counts from its start.

        Raises
        ------
        OutOfRange : it has cost, or lived, more than that already; or it has no such limit to be raised.
        VersionMismatch : it was started by an older version, which can't do that.
        """
        asked = {"budget": budget, "lifetime": lifetime, "more_money": more_money, "more_time": more_time}
        _call(_limit(self.id, asked))

    def wait(self, n: int | None = None, timeout: float = PATIENCE) -> None:
        """Wait until `n` workers are ready; all that are wanted, when not given. Prints each problem that comes up.

        Raises
        ------
        NotReady : they aren't, after `timeout` seconds; says how many are, and what is in the way. A `TimeoutError`.
        StartFailed, ClusterEnded : they will never be.
        """
        _call(_wait(self.id, n, timeout, tell))

    def stop(self) -> None:
        """End it: its workers, its scheduler. Returns when the end is under way; a no-op when it has ended."""
        _call(_stop(self.id))

    def client(self) -> Client:
        """A Dask client of its own, which becomes the default for Dask's collections. Close it when done."""
        from .dask_client import Client

        return Client(self, _call(_address(self.id)))

    def logs(self, worker: str | None = None, lines: int = 200) -> str:
        """The last lines of the scheduler's log, or of a worker's, dead or alive."""
        return "\n".join(_call(_logs(self.id, worker, lines)))

    def events(self) -> list[Event]:
        """What happened to it, oldest first."""
        return _call(_events(self.id))

    def receipt(self) -> Receipt | None:
        """The final sum, once it has ended."""
        return _call(_receipt(self.id))

    def advice(self) -> AdviceList:
        """Which workers would do for all runs that it has done, once there are two; each has `cpus`, `memory` (bytes),
        `saving`, `confidence`, `text` and `evidence`.

        Raises
        ------
        UnknownCluster : it is not on record any more.
        """
        return AdviceList(self.state().advice)

    @property
    def dashboard_link(self) -> str:
        """Where this Jupyter server shows Dask's dashboard of the cluster."""
        import os

        prefix = os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "/")
        return f"{prefix}jupyter-mlops/clusters/{quote(self.id)}/dashboard/status"

    def __repr__(self) -> str:
        return f"<Cluster {self.name!r}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cluster) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def _repr_html_(self) -> str:
        state = self.state()
        style = "color:var(--jp-ui-font-color2,#616161)"
        groups = "".join(f"<br>{html.escape(line)}" for line in group_lines(state))
        line = html.escape(cluster_sentence(state))
        link = f"<a href='{html.escape(self.dashboard_link)}' target='_blank'>dashboard</a>"
        name = f"<b>{html.escape(self.name)}</b>"
        return f"<div class='{PLAIN}'>{name} <span style='{style}'>{line}{groups}</span> {link}</div>"


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
    if state.phase != "ended" and state.budget is not None and state.budget.sentence:
        parts.append(state.budget.sentence)
    parts += waste_sentences(state)
    parts += [f"{group}: {problem.what}" if group else problem.what for group, problem in problems_of(state)]
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
    profile: str | Profile | None = None,
    name: str | None = None,
    workers: int | None = None,
    wait: bool = True,
    sync: bool = False,
) -> Cluster:
    """Start a cluster.

    Parameters
    ----------
    profile : the name of a profile, or an `mlops.Profile`, saved or not; the default one, when not given.
    name : what to call it; made from the profile's, when not given.
    workers : how many to start with; as the profile says, when not given.
    wait : whether to wait until the first worker is ready.
    sync : whether its workers get the packages of this kernel that they lack.

    Raises
    ------
    UnknownProfile, OutOfRange, NameTaken, StartFailed, StorageFull
    """
    packages = exact_list(imported()) if sync else None
    made = Cluster(_call(start_cluster(profile, name, workers, packages=packages)).id)
    kernel().use(made.id)
    if sync:
        kernel().synced.add(made.id)
    if wait:
        wanted = sum(group.wanted for group in made.state().groups) if workers is None else workers
        made.wait(min(1, wanted) if wanted else 0)
    return made


class ClusterList(list[Cluster]):
    """Clusters. `silent` are the places that did not answer when they were listed: more may live there."""

    def __init__(self, clusters: Iterable[Cluster], silent: Sequence[SilentPlace]) -> None:
        super().__init__(clusters)
        self.silent = list(silent)

    def __repr__(self) -> str:
        now = time.time()
        return "\n".join([super().__repr__(), *(f"{silent.sentence(now)}." for silent in self.silent)])


def clusters() -> ClusterList:
    """The clusters that live, of all places: one's own before those of others, running before starting, the newest
    first; at the end those of places that don't answer now, as they were seen last."""
    listing = _call(list_clusters())
    out_of_reach = [state for state in listing.clusters if state.phase == "unreachable"]
    return ClusterList((Cluster(state.id) for state in [*usable(listing), *out_of_reach]), listing.silent)


def cluster(name: str | None = None) -> Cluster:
    """The cluster of that name; without one, that which a run would use.

    Parameters
    ----------
    name : `"flights"`; with its place where that may mean several: `"flights.local"`, `"flights.ml.kubernetes"`.

    Raises
    ------
    UnknownCluster : there is none.
    AmbiguousName : it may mean several; they are listed.
    """
    if name is None:
        name = kernel().selected
    if name is None:
        listing = _call(list_clusters())
        live = [state for state in usable(listing) if state.mine]
        if not live:
            raise listing.missing(UnknownCluster("There is no cluster yet", "", "Start one: mlops.start()."))
        return Cluster(go_on(live).id)
    return Cluster(_call(list_clusters()).named(name).id)


async def _state(name: str) -> ClusterState:
    record = (await list_clusters()).named(name)
    if record.phase == "starting" and kernel().sessions.opened(record.id) is not None:
        # a record tells of a start some seconds late: who is connected already knows more
        record = record.model_copy(update={"phase": "running"})
    return await live_state(record, functools.partial(kernel().sessions.link, record.id))


async def _scale(name: str, n: int, group: str | None, now: bool) -> None:
    await (await kernel().sessions.open(name)).link.scale(n, group, now)


async def _let_go(name: str, group: str | None, n: int | None) -> list[str]:
    return await (await kernel().sessions.open(name)).link.let_go(MOST_WORKERS if n is None else n, group)


async def _adapt(name: str, minimum: int, maximum: int, group: str | None) -> None:
    await (await kernel().sessions.open(name)).link.adapt(minimum, maximum, group)


async def _limit(name: str, asked: dict[str, Any]) -> None:
    change = read_input(LimitChange, {key: value for key, value in asked.items() if value is not None}, "limit")
    await (await kernel().sessions.open(name)).link.limit(change)


async def _wait(name: str, n: int | None, timeout: float, say: Callable[[str], None]) -> None:
    record = (await list_clusters()).named(name)
    async with following(record, functools.partial(kernel().sessions.link, record.id)) as cluster:
        await wait_for_workers(cluster, record.name, n, say, timeout)


async def _stop(name: str) -> None:
    backend, cluster = await placed(name)
    await backend.stop(cluster)
    await kernel().sessions.close(cluster)


async def _address(name: str) -> Any:
    backend, cluster = await placed(name)
    return await backend.address(cluster)


async def _logs(name: str, worker: str | None, lines: int) -> list[str]:
    backend, cluster = await placed(name)
    return await backend.logs(cluster, worker, lines)


async def _events(name: str) -> list[Event]:
    backend, cluster = await placed(name)
    return await backend.events(cluster)


async def _receipt(name: str) -> Receipt | None:
    backend, cluster = await placed(name)
    return await backend.receipt(cluster)

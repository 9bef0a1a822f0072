"""A `Link` to a cluster that has no controller: it is watched from here, and changed through Kubernetes.

Its scheduler is asked from the moment that a person turns to this very cluster: its workers, a command, a run.
"""

from __future__ import annotations

from typing import Any

from ....controller.link import ClusterView, RunView
from ....controller.remote import RemoteLink
from ....core.base import Seconds, Time
from ....core.cluster import Sample
from ....core.curve import MOST_POINTS, CurveLine, CurvesView
from ....core.errors import Refused
from ....core.extend import LimitChange
from ....core.ladder import Ladder
from ....core.price import Price
from ....core.run import RunState
from ....core.stack import PythonStack
from . import change
from .discover import Discovered
from .install import install
from .logs import log_of
from .observe import Observer, Observers
from .scheduler import dashboard_of
from .state import spec_of


class ForeignLink:
    """Implements `Link`. Usable from any event loop: what it does is done on that of the place's connections.

    Parameters
    ----------
    observers : of the place; the observer goes back to them when the link is closed.
    observer : looks at the cluster; several links may share one.
    price : the user's own rates, or the usual ones of the nodes.
    """

    def __init__(self, observers: Observers, observer: Observer, price: Price) -> None:
        self._observers, self._observer, self._price = observers, observer, price
        self._to_runs: RemoteLink | None = None
        self._closed = False

    async def view(self, workers: bool = True) -> ClusterView:
        """As `Link.view`."""
        return await self._observer.connections.run(self._observer.view(None, 0, workers))

    async def watch(self, since: int, timeout: Seconds = 20.0, workers: bool = False) -> ClusterView:
        """As `Link.watch`."""
        return await self._observer.connections.run(self._observer.view(since, timeout, workers))

    async def timeline(self, since: Time = 0) -> list[Sample]:
        """As `Link.timeline`, since somebody in this process looks."""
        return self._observer.news.since(since)

    async def scale(self, workers: int, group: str | None = None, now: bool = False) -> None:
        """As `Link.scale`; who goes first, and whether work is waited for, is up to the cluster's maker."""
        await self._observer.connections.run(self._scale(workers, group))

    async def let_go(self, workers: int, group: str | None = None) -> list[str]:
        """Raises `Refused`: nobody looks at what its workers do."""
        raise Refused(
            f"The cluster {self._cluster.name!r} can't let go of idle workers",
            f"it was made with {self._cluster.maker}",
            "Scale it by hand.",
        )

    async def adapt(self, minimum: int, maximum: int, group: str | None = None) -> None:
        """Raises `Refused`: that is up to the cluster's maker."""
        raise Refused(
            f"The cluster {self._cluster.name!r} can't follow its work from here",
            f"it was made with {self._cluster.maker}",
            "Set a number of workers, or use what it was made with.",
        )

    async def limit(self, change: LimitChange) -> None:
        """Raises `Refused`: it has no limits of ours."""
        raise Refused(
            f"The cluster {self._cluster.name!r} has no limits that can be changed from here",
            f"it was made with {self._cluster.maker}",
            "Stop it when it has cost enough.",
        )

    async def stop(self, cause: str = "user", why: str = "") -> None:
        """As `Link.stop`. Raises `Refused` for a release of Helm."""
        await self._observer.connections.run(change.stop(self._observer.api, self._cluster))
        self._observer.look_soon()

    async def logs(self, worker: str | None = None, lines: int = 200) -> list[str]:
        """As `Link.logs`, of pods that are there."""
        return await self._observer.connections.run(log_of(self._observer.api, self._cluster, worker, lines))

    async def dashboard(self) -> tuple[str, int, str]:
        """As `Link.dashboard`. It asks for no key."""
        return await self._observer.connections.run(
            dashboard_of(self._observer.connections, self._observer.api, self._cluster)
        )

    async def ready_for_runs(self) -> None:
        """As `Link.ready_for_runs`: installs the book of runs in its scheduler."""
        await self._observer.connections.run(self._install())

    async def open_run(self, run: RunState, client: str = "") -> RunState:
        """As `Link.open_run`."""
        return await (await self._run_link()).open_run(run, client)

    async def plan_run(self, run: str, total: int | None, keys: list[str] | None = None) -> None:
        """As `Link.plan_run`."""
        await (await self._run_link()).plan_run(run, total, keys)

    async def close_run(self, run: str, phase: str, error: str = "") -> RunState:
        """As `Link.close_run`."""
        return await (await self._run_link()).close_run(run, phase, error)

    async def cancel_run(self, run: str, why: str = "") -> None:
        """As `Link.cancel_run`."""
        await (await self._run_link()).cancel_run(run, why)

    async def watch_run(self, run: str, since: int, timeout: Seconds = 20.0) -> RunView:
        """As `Link.watch_run`."""
        return await (await self._run_link()).watch_run(run, since, timeout)

    async def prune_trials(self, run: str, trials: list[int]) -> None:
        """As `Link.prune_trials`."""
        await (await self._run_link()).prune_trials(run, trials)

    async def forget_trials(self, run: str, trials: list[int]) -> None:
        """As `Link.forget_trials`."""
        await (await self._run_link()).forget_trials(run, trials)

    async def note_best(self, run: str, value: float, params: dict[str, Any]) -> None:
        """As `Link.note_best`."""
        await (await self._run_link()).note_best(run, value, params)

    async def try_sizes(self, run: str) -> None:
        """Raises `Refused`: its book of runs knows no sizes."""
        raise Refused(
            f"A map on {self._cluster.name!r} can't be asked to try sizes",
            f"it was made with {self._cluster.maker}",
            "Start the map with --pilot, or pilot=True.",
        )

    async def note_ladder(self, run: str, ladder: Ladder) -> None:
        """As `Link.note_ladder`."""
        await (await self._run_link()).note_ladder(run, ladder)

    async def run_parts(self, run: str) -> dict[str, int]:
        """As `Link.run_parts`."""
        return await (await self._run_link()).run_parts(run)

    async def run_curves(self, run: str, since: int = 0, most: int = MOST_POINTS) -> CurvesView:
        """As `Link.run_curves`."""
        return await (await self._run_link()).run_curves(run, since, most)

    async def run_points(self, run: str, since: int = 0) -> tuple[int, list[CurveLine]]:
        """As `Link.run_points`."""
        return await (await self._run_link()).run_points(run, since)

    async def run_stacks(self, run: str) -> list[PythonStack]:
        """As `Link.run_stacks`."""
        return await (await self._run_link()).run_stacks(run)

    async def close(self) -> None:
        """As `Link.close`."""
        if self._closed:
            return
        self._closed = True
        if self._to_runs is not None:
            await self._to_runs.close()
        await self._observer.connections.run(self._observers.release(self._observer))

    @property
    def _cluster(self) -> Discovered:
        return self._observer.cluster

    async def _run_link(self) -> RemoteLink:
        """The link to the book of runs, on the caller's own loop: runs stream through it."""
        url = (await self._observer.connections.run(self._observer.scheduler())).url
        if self._to_runs is None or self._to_runs.url != url:
            if self._to_runs is not None:
                await self._to_runs.close()
            self._to_runs = RemoteLink(url)
        return self._to_runs

    async def _scale(self, workers: int, group: str | None) -> None:
        await change.scale(self._observer.api, self._cluster, workers, group)
        await self._observer.turn_to()
        await self._observer.look()

    async def _install(self) -> None:
        spec = spec_of(self._cluster, self._observer.api.namespace, self._price)
        await install(await self._observer.scheduler(), self._cluster, spec)

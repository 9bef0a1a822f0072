"""A `Link` to a cluster that has no controller: it is watched from here, and changed through Kubernetes."""

from __future__ import annotations

from ....controller.link import ClusterView, RunView
from ....controller.remote import RemoteLink
from ....core.base import Seconds, Time
from ....core.cluster import Sample
from ....core.errors import Refused
from ....core.price import Price
from ....core.run import RunState
from ..tunnel.connections import hub
from . import change, guests
from .found import Found
from .observer import Observer
from .observers import release
from .reach import dashboard_of, log_of
from .state import spec_of


class OthersLink:
    """Implements `Link`. Usable from any event loop: what it does is done on the hub's.

    Parameters
    ----------
    observer : looks at the cluster; several links may share one.
    """

    def __init__(self, observer: Observer, price: Price) -> None:
        self._observer, self._price = observer, price
        self._runs: RemoteLink | None = None
        self._closed = False

    async def view(self, workers: bool = True) -> ClusterView:
        """As `Link.view`."""
        return await hub().run(self._observer.view(None, 0, workers))

    async def watch(self, since: int, timeout: Seconds = 20.0, workers: bool = False) -> ClusterView:
        """As `Link.watch`."""
        return await hub().run(self._observer.view(since, timeout, workers))

    async def timeline(self, since: Time = 0) -> list[Sample]:
        """As `Link.timeline`, since somebody in this process looks."""
        return self._observer.news.since(since)

    async def scale(self, workers: int, group: str | None = None, now: bool = False) -> None:
        """As `Link.scale`; who goes first, and whether work is waited for, is up to the cluster's maker."""
        await hub().run(self._scale(workers, group))

    async def adapt(self, minimum: int, maximum: int, group: str | None = None) -> None:
        """Raises `Refused`: that is up to the cluster's maker."""
        raise Refused(
            f"The cluster {self._found.name!r} can't follow its work from here",
            f"it was made with {self._found.maker}",
            "Set a number of workers, or use what it was made with.",
        )

    async def stop(self, cause: str = "user", why: str = "") -> None:
        """As `Link.stop`. Raises `Refused` for a release of Helm."""
        await hub().run(change.stop(self._observer.api, self._found))
        self._observer.nudge()

    async def logs(self, worker: str | None = None, lines: int = 200) -> list[str]:
        """As `Link.logs`, of pods that are there."""
        return await hub().run(log_of(self._observer.api, self._found, worker, lines))

    async def dashboard(self) -> tuple[str, int, str]:
        """As `Link.dashboard`. It asks for no key."""
        return await hub().run(dashboard_of(self._observer.api, self._found))

    async def ready_for_runs(self) -> None:
        """As `Link.ready_for_runs`: brings the book of runs to its scheduler."""
        await hub().run(self._bring())

    async def open_run(self, run: RunState) -> RunState:
        """As `Link.open_run`."""
        return await (await self._book()).open_run(run)

    async def plan_run(self, run: str, total: int | None, keys: list[str] | None = None) -> None:
        """As `Link.plan_run`."""
        await (await self._book()).plan_run(run, total, keys)

    async def close_run(self, run: str, phase: str, error: str = "") -> RunState:
        """As `Link.close_run`."""
        return await (await self._book()).close_run(run, phase, error)

    async def cancel_run(self, run: str, why: str = "") -> None:
        """As `Link.cancel_run`."""
        await (await self._book()).cancel_run(run, why)

    async def watch_run(self, run: str, since: int, timeout: Seconds = 20.0) -> RunView:
        """As `Link.watch_run`."""
        return await (await self._book()).watch_run(run, since, timeout)

    async def run_parts(self, run: str) -> dict[str, int]:
        """As `Link.run_parts`."""
        return await (await self._book()).run_parts(run)

    async def close(self) -> None:
        """As `Link.close`."""
        if self._closed:
            return
        self._closed = True
        if self._runs is not None:
            await self._runs.close()
        await hub().run(release(self._observer))

    @property
    def _found(self) -> Found:
        return self._observer.found

    async def _book(self) -> RemoteLink:
        """The link to the book of runs, on the caller's own loop: runs stream through it."""
        url = (await hub().run(self._observer.scheduler())).url
        if self._runs is None or self._runs.url != url:
            if self._runs is not None:
                await self._runs.close()
            self._runs = RemoteLink(url)
        return self._runs

    async def _scale(self, workers: int, group: str | None) -> None:
        await change.scale(self._observer.api, self._found, workers, group)
        self._observer.nudge()

    async def _bring(self) -> None:
        spec = spec_of(self._found, self._observer.api.namespace, self._price)
        await guests.bring(await self._observer.scheduler(), self._found, spec)

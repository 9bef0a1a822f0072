"""Looks at one cluster of others for as long as somebody wants to know. Lives on the hub's loop."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Coroutine
from typing import Any

from ....controller.background import Background
from ....controller.link import ClusterView
from ....core.base import Seconds
from ....core.cluster import Problem, WorkerState
from ....core.errors import ClusterEnded, ClusterUnreachable, MlopsError
from ....core.run import FINAL
from ....core.waiting import until_set, wait_for
from ..api.client import Answer, Api, Unreachable
from ..api.watch import Watch
from ..pods import pods
from ..pods.context import Surroundings
from ..why import Facts, death
from . import guests
from .cost import placed_at
from .daskview import DaskView, Scheduler
from .found import Found, Json
from .lastwords import LastWords
from .listing import again
from .news import News
from .rates import Rates
from .reach import url_of
from .state import spec_of, state_of
from .workers import RECENT, disrupted, names_of, row, rows, running_scheduler

#: Seconds between two looks when no pod changes, for changes to gather, and between two questions to the scheduler.
EVERY: Seconds = 2.0
TOGETHER: Seconds = 0.1
#: Seconds for Kubernetes to list its pods.
OPENING: Seconds = 15.0
#: Seconds until a scheduler that didn't answer is asked again.
SILENT: Seconds = 6.0
#: Seconds that a scheduler may take to listen.
STARTING: Seconds = 30.0
#: Seconds after the last question until nobody is taken to want to know; watchers ask every 20.
UNUSED: Seconds = 45.0
#: Deaths that are remembered.
DEAD = 100


class Observer:
    """What is known of a cluster now.

    Parameters
    ----------
    api : Kubernetes, in the cluster's namespace.
    found : the cluster as it was listed.
    rates : what its nodes cost.
    """

    def __init__(self, api: Api, found: Found, rates: Rates) -> None:
        self.api, self.found = api, found
        self.news = News(found)
        self._rates = rates
        self._pods: dict[str, Json] = {}
        self._dead: dict[str, tuple[float, WorkerState]] = {}
        self._words = LastWords(api)
        self._around = Surroundings(api, spec_of(found, api.namespace, rates.price))
        query = {"labelSelector": found.selector}
        self._watch = Watch(api, api.path("pods"), query, self._synced, self._changed)
        self._scheduler: Scheduler | None = None
        self._dask: DaskView | None = None
        self._dask_problem: Problem | None = None
        self._guest = guests.GuestNews()
        self._failure: MlopsError | None = None
        #: Whether it is gone.
        self.over = False
        self._nudged, self._awake = asyncio.Event(), asyncio.Event()
        self._awake.set()
        self._asked_at = time.monotonic()
        self._background = Background()
        self._opening: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin to look, if that isn't being done; returns after the first look.

        Raises
        ------
        ClusterUnreachable : Kubernetes doesn't answer in time.
        """
        if self._opening is None:
            self._opening = asyncio.get_running_loop().create_task(self._open())
        try:
            await wait_for(asyncio.shield(self._opening), OPENING)
        except asyncio.TimeoutError:
            raise ClusterUnreachable("Kubernetes doesn't answer", "its pods could not be listed in time") from None

    async def _open(self) -> None:
        for work in (self._watch.run(), self._around.run()):
            self._background.spawn(_until_exit(work))
        await self._watch.ready.wait()
        await self._ask_dask()
        await self._look()
        for work in (self._follow_dask(), self._run()):
            self._background.spawn(_until_exit(work))

    async def close(self) -> None:
        """Look no more."""
        if self._opening is not None:
            self._opening.cancel()
        await self._background.close()
        if self._scheduler is not None:
            await self._scheduler.close()

    async def view(self, since: int | None, timeout: Seconds, workers: bool) -> ClusterView:
        """What changed after `since`, as soon as there is something.

        Raises
        ------
        ClusterEnded : it is gone.
        ClusterUnreachable : Kubernetes doesn't answer.
        """
        asleep, self._asked_at = not self._awake.is_set(), time.monotonic()
        self._awake.set()
        if asleep:
            await self._ask_dask()
            await self._look()
        self._check()
        if since is not None:
            await self.news.wait(since, timeout, workers)
        if self._failure is not None:
            raise self._failure
        return self.news.view(since, workers)

    async def scheduler(self) -> Scheduler:
        """Its scheduler, to be asked. Raises `ClusterUnreachable`, `ClusterEnded`."""
        self._check()
        url = await url_of(self.api, self.found)
        if self._scheduler is None or self._scheduler.url != url:
            old, self._scheduler = self._scheduler, Scheduler(url)
            if old is not None:
                await old.close()
        return self._scheduler

    def nudge(self) -> None:
        """Look soon."""
        self._nudged.set()

    def _check(self) -> None:
        if self.over:
            raise ClusterEnded(f"The cluster {self.found.name!r} has ended", "it was removed from Kubernetes")
        if self._failure is not None:
            raise self._failure

    async def _run(self) -> None:
        while not self.over:
            await self._wanted()
            await until_set(self._nudged, EVERY)
            await asyncio.sleep(TOGETHER)
            self._nudged.clear()
            await self._look()

    async def _wanted(self) -> None:
        """Return while somebody wants to know, or as soon as somebody does: a link may be open for its runs only."""
        if time.monotonic() - self._asked_at > UNUSED:
            self._awake.clear()
        await self._awake.wait()

    async def _look(self) -> None:
        try:
            found = await again(self.api, self.found, list(self._pods.values()))
            waiting = [pod for pod in self.found.workers if pods.step(pod) != "running"]
            if waiting:
                await self._around.look(waiting)
            await self._words.read([*self.found.schedulers, *self.found.workers])
        except (Unreachable, Answer) as error:
            reason = error.error if isinstance(error, Answer) else error
            self._failure = ClusterUnreachable(reason.what, reason.why, reason.todo)
            return self.news.wake()
        self._failure = None
        if found is None:
            self.over = True
            return self.news.wake()
        self.found = found
        self._tell()
        return None

    def _tell(self) -> None:
        now = time.time()
        workers = rows(self.found, self._dask, self.facts)
        self._dead = {name: dead for name, dead in self._dead.items() if dead[0] > now - RECENT}
        workers += [dead for name, (_, dead) in self._dead.items() if name not in self._pods]
        state = state_of(
            self.found,
            self._rates,
            dask=self._dask,
            facts=self.facts,
            problem=self._dask_problem,
            runs=[run.id for run in self.news.runs if run.phase not in FINAL],
            workers=workers,
            now=now,
        )
        guest, self._guest = self._guest, guests.GuestNews(self._guest.seq)
        self.news.take(state, workers, guest, now)

    def facts(self, pod: Json) -> Facts:
        """What is known around a pod."""
        return dataclasses.replace(self._around.facts(pod), logs=self._words.of(pod))

    async def _follow_dask(self) -> None:
        while not self.over:
            await asyncio.sleep(EVERY if self._dask_problem is None else SILENT)
            await self._wanted()
            await self._ask_dask()
            self.nudge()

    async def _ask_dask(self) -> None:
        pod = running_scheduler(self.found)
        if pod is None:
            self._dask, self._dask_problem = None, None
            return
        try:
            scheduler = await self.scheduler()
            self._dask = await scheduler.look()
            guest = await guests.news(scheduler, self._guest.seq)
            self._guest = guests.GuestNews(guest.seq, self._guest.runs + guest.runs, self._guest.events + guest.events)
            self._dask_problem = None
        except (ClusterUnreachable, ClusterEnded, Unreachable, Answer) as error:
            problem = error.error if isinstance(error, Answer) else error
            self._dask = DaskView()  # it doesn't listen yet
            if time.time() - placed_at(pod) > STARTING:
                self._dask = None
                self._dask_problem = Problem(what=problem.what, why=problem.why, todo=problem.todo)

    def _synced(self, found: list[Json]) -> None:
        self._pods = {pod["metadata"]["name"]: pod for pod in found}
        self.nudge()

    def _changed(self, kind: str, pod: Json) -> None:
        name = pod["metadata"]["name"]
        if kind == "DELETED":
            self._gone(name, pod)
        else:
            self._pods[name] = pod
        self.nudge()

    def _gone(self, name: str, pod: Json) -> None:
        """A pod vanished. One that had died, or that Kubernetes took away, stays listed for a while, with why."""
        before = self._pods.pop(name, pod)
        group = next((g for g in self.found.groups if any(p["metadata"]["name"] == name for p in g.pods)), None)
        died = disrupted(pod) or (pods.over(before) and not pods.leaving(before))
        if group is not None and died and len(self._dead) < DEAD:
            told = {"phase": "lost", "problem": death(pod, self.facts(pod), deleted=True)}
            worker = row(names_of(self.found)[name], group, pod, None)
            self._dead[name] = (time.time(), worker.model_copy(update=told))


async def _until_exit(work: Coroutine[Any, Any, None]) -> None:
    """`work`, which ends with the process: the interpreter ends threads that it needs before it ends the hub's."""
    try:
        await work
    except RuntimeError as error:
        if "shutdown" not in str(error):
            raise

"""Looks at foreign clusters for as long as somebody wants to know. On the loop of the place's connections only.

Kubernetes is asked. Their schedulers are not, before a person has turned to this very cluster: whoever may make a pod
could otherwise have everybody who watches the namespace connect to it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Coroutine, Iterable
from typing import Any

from ....controller.background import Background
from ....controller.changes import ChangeTracker
from ....controller.disk import Disk
from ....controller.events import Events
from ....controller.link import ClusterView
from ....controller.timeline import Timeline
from ....core.base import Seconds, Time
from ....core.cluster import ClusterState, Event, Problem, Sample, WorkerState
from ....core.errors import ClusterEnded, ClusterUnreachable, MlopsError
from ....core.run import FINAL, RunState
from ....core.waiting import until_set, wait_for
from ..api.client import Answer, Api, Json, Unreachable
from ..api.watch import ObjectWatch
from ..pods import pods
from ..pods.context import PodContext
from ..tunnel.connections import Connections
from ..why import Facts, death
from .cost import Rates, placed_at
from .discover import Discovered, look_again
from .install import RunNews, run_news
from .logs import CrashLogs
from .scheduler import DaskView, ForeignScheduler, url_of
from .state import RECENT, disrupted, row, rows, sample_of, spec_of, state_of

_Key = tuple[object, ...]

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
#: Deaths that get an event of their own, at one look.
SINGLE = 5


class Observer:
    """What is known of a cluster now.

    Parameters
    ----------
    connections : of the place, whose loop this runs on.
    api : Kubernetes, in the cluster's namespace.
    cluster : the cluster as it was listed.
    rates : what its nodes cost.
    """

    def __init__(self, connections: Connections, api: Api, cluster: Discovered, rates: Rates) -> None:
        self.connections, self.api, self.cluster = connections, api, cluster
        self.news = News(cluster)
        self._rates = rates
        self._pods: dict[str, Json] = {}
        self._dead: dict[str, tuple[float, WorkerState]] = {}
        self._crash_logs = CrashLogs(api)
        self._around = PodContext(api, spec_of(cluster, api.namespace, rates.price))
        query = {"labelSelector": cluster.selector}
        self._watch = ObjectWatch(api, api.path("pods"), query, self._synced, self._changed)
        #: Whether a person has turned to this very cluster, so that its scheduler may be asked.
        self._turned_to = False
        self._scheduler: ForeignScheduler | None = None
        self._dask: DaskView | None = None
        self._dask_problem: Problem | None = None
        self._run_news = RunNews()
        self._failure: MlopsError | None = None
        #: Whether it is gone.
        self.over = False
        self._soon, self._awake = asyncio.Event(), asyncio.Event()
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
        await self.look()
        for work in (self._follow_dask(), self._run()):
            self._background.spawn(_until_exit(work))

    async def close(self) -> None:
        """Look no more."""
        if self._opening is not None:
            self._opening.cancel()
        await self._background.close()
        if self._scheduler is not None:
            await self._scheduler.close()

    async def turn_to(self) -> None:
        """A person has turned to this very cluster: from now on its scheduler is asked, too."""
        if not self._turned_to:
            self._turned_to = True
            await self._ask_dask()
            await self.look()

    async def view(self, since: int | None, timeout: Seconds, workers: bool) -> ClusterView:
        """What changed after `since`, as soon as there is something. Who wants to see its `workers` has turned to it.

        Raises
        ------
        ClusterEnded : it is gone.
        ClusterUnreachable : Kubernetes doesn't answer.
        """
        if workers:
            await self.turn_to()
        asleep, self._asked_at = not self._awake.is_set(), time.monotonic()
        self._awake.set()
        if asleep:
            await self._ask_dask()
            await self.look()
        self._check()
        if since is not None:
            await self.news.wait(since, timeout, workers)
        if self._failure is not None:
            raise self._failure
        return self.news.view(since, workers)

    async def scheduler(self) -> ForeignScheduler:
        """Its scheduler, to be asked since a person has turned to the cluster. Raises `ClusterUnreachable`,
        `ClusterEnded`."""
        self._turned_to = True
        self._check()
        url = await url_of(self.connections, self.api, self.cluster)
        if self._scheduler is None or self._scheduler.url != url:
            old, self._scheduler = self._scheduler, ForeignScheduler(url)
            if old is not None:
                await old.close()
        return self._scheduler

    def look_soon(self) -> None:
        """Look soon."""
        self._soon.set()

    def _check(self) -> None:
        if self.over:
            raise ClusterEnded(f"The cluster {self.cluster.name!r} has ended", "it was removed from Kubernetes")
        if self._failure is not None:
            raise self._failure

    async def _run(self) -> None:
        while not self.over:
            await self._wanted()
            await until_set(self._soon, EVERY)
            await asyncio.sleep(TOGETHER)
            self._soon.clear()
            await self.look()

    async def _wanted(self) -> None:
        """Return while somebody wants to know, or as soon as somebody does: a link may be open for its runs only."""
        if time.monotonic() - self._asked_at > UNUSED:
            self._awake.clear()
        await self._awake.wait()

    async def look(self) -> None:
        """Look now."""
        try:
            seen = await look_again(self.api, self.cluster, list(self._pods.values()))
            waiting = [pod for pod in self.cluster.workers if pods.step(pod) != "running"]
            if waiting:
                await self._around.look(waiting)
            await self._crash_logs.read([*self.cluster.schedulers, *self.cluster.workers])
        except (Unreachable, Answer) as error:
            reason = error.error if isinstance(error, Answer) else error
            self._failure = ClusterUnreachable(reason.what, reason.why, reason.todo)
            return self.news.wake()
        self._failure = None
        if seen is None:
            self.over = True
            return self.news.wake()
        self.cluster = seen
        self._update_news()
        return None

    def _update_news(self) -> None:
        now = time.time()
        workers = rows(self.cluster, self._dask, self.facts)
        self._dead = {name: dead for name, dead in self._dead.items() if dead[0] > now - RECENT}
        workers += [dead for name, (_, dead) in self._dead.items() if name not in self._pods]
        state = state_of(
            self.cluster,
            self._rates,
            dask=self._dask,
            facts=self.facts,
            problem=self._dask_problem,
            runs=[run.id for run in self.news.runs if run.phase not in FINAL],
            workers=workers,
            now=now,
        )
        runs, self._run_news = self._run_news, RunNews(self._run_news.seq)
        self.news.add_look(state, workers, runs, now)

    def facts(self, pod: Json) -> Facts:
        """What is known around a pod."""
        return dataclasses.replace(self._around.facts(pod), logs=self._crash_logs.of(pod))

    async def _follow_dask(self) -> None:
        while not self.over:
            await asyncio.sleep(EVERY if self._dask_problem is None else SILENT)
            await self._wanted()
            await self._ask_dask()
            self.look_soon()

    async def _ask_dask(self) -> None:
        pod = self.cluster.running_scheduler
        if pod is None or not self._turned_to:
            self._dask, self._dask_problem = None, None
            return
        try:
            scheduler = await self.scheduler()
            self._dask = await scheduler.look()
            self._run_news = self._run_news.followed_by(await run_news(scheduler, self._run_news.seq))
            self._dask_problem = None
        except (ClusterUnreachable, ClusterEnded, Unreachable, Answer) as error:
            problem = error.error if isinstance(error, Answer) else error
            self._dask = DaskView()  # it doesn't listen yet
            if time.time() - placed_at(pod) > STARTING:
                self._dask = None
                self._dask_problem = Problem.of(problem)

    def _synced(self, found: list[Json]) -> None:
        self._pods = {pod["metadata"]["name"]: pod for pod in found}
        self.look_soon()

    def _changed(self, kind: str, pod: Json) -> None:
        name = pod["metadata"]["name"]
        if kind == "DELETED":
            self._gone(name, pod)
        else:
            self._pods[name] = pod
        self.look_soon()

    def _gone(self, name: str, pod: Json) -> None:
        """A pod vanished. One that had died, or that Kubernetes took away, stays listed for a while, with why."""
        before = self._pods.pop(name, pod)
        group = next((g for g in self.cluster.groups if any(p["metadata"]["name"] == name for p in g.pods)), None)
        died = disrupted(pod) or (pods.over(before) and not pods.leaving(before))
        if group is not None and died and len(self._dead) < DEAD:
            lost = {"phase": "lost", "problem": death(pod, self.facts(pod), deleted=True)}
            worker = row(self.cluster.worker_names[name], group, pod, None)
            self._dead[name] = (time.time(), worker.model_copy(update=lost))


class Observers:
    """One observer for each foreign cluster that somebody looks at."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._observers: dict[_Key, Observer] = {}
        #: How many links look through each observer.
        self._users: dict[Observer, int] = {}

    async def acquire(self, api: Api, cluster: Discovered, rates: Rates) -> Observer:
        """The observer of `cluster`, which has looked at least once. Each caller has to `release` it.

        Raises
        ------
        ClusterUnreachable : Kubernetes doesn't answer in time.
        """
        key = _key(api, cluster)
        observer = self._observers.get(key)
        if observer is None or observer.over:
            observer = self._observers[key] = Observer(self._connections, api, cluster, rates)
            self._users[observer] = 0
        self._users[observer] += 1
        try:
            await observer.open()
        except BaseException:
            await self.release(observer)
            raise
        return observer

    async def release(self, observer: Observer) -> None:
        """Somebody doesn't look any more; when nobody does, the looking ends."""
        self._users[observer] -= 1
        if self._users[observer]:
            return
        del self._users[observer]
        for key in [key for key, other in self._observers.items() if other is observer]:
            del self._observers[key]
        await observer.close()

    def get(self, api: Api, cluster: Discovered) -> Observer | None:
        """Who looks at this cluster already, if anybody does."""
        return self._observers.get(_key(api, cluster))


def _key(api: Api, cluster: Discovered) -> _Key:
    return (api.host, api.namespace, cluster.kind, cluster.object, cluster.uid)


class News:
    """Compares each look with the one before. On one event loop only."""

    def __init__(self, cluster: Discovered) -> None:
        nowhere = Disk(None)
        self._changes = ChangeTracker()
        self._events = Events(nowhere, self._changes, time.time)
        self._timeline = Timeline(nowhere, time.time())
        self._workers: dict[str, WorkerState] = {}
        self._runs: dict[str, RunState] = {}
        #: The state as watchers know it, without what only grows with time.
        self._last_sent: tuple[object, ...] = ()
        self._state: ClusterState | None = None
        self._events.add("cluster", f"Seen from here for the first time; it was made with {cluster.maker}")

    @property
    def timeline(self) -> list[Sample]:
        """What a card's chart shows."""
        return self._timeline.card

    @property
    def events(self) -> list[Event]:
        """What was seen, oldest first."""
        return self._events.all()

    @property
    def runs(self) -> list[RunState]:
        """The runs that its scheduler knows."""
        return list(self._runs.values())

    def since(self, moment: Time) -> list[Sample]:
        """The timeline after `moment`, as far as somebody looked."""
        return self._timeline.since(moment)

    def add_look(self, state: ClusterState, workers: Iterable[WorkerState], runs: RunNews, now: Time) -> None:
        """Compare the cluster, as it was just seen, with what was seen before."""
        before, self._state = self._state, state
        self._compare_workers({worker.name: worker for worker in workers}, first=before is None)
        if before is not None:
            self._compare_wanted(before, state)
            self._compare_problem(before.problem, state.problem)
        for run in runs.runs:
            self._runs[run.id] = run
            self._changes.changed("run", run.id)
        for event in runs.events:
            self._events.add("run", event.text, run=event.run, problem=event.problem)
        if self._timeline.due(now):
            self._timeline.add(sample_of(state, now))
        groups = [group.model_copy(update={"cost": None}) for group in state.groups]
        same = {"cost": None, "timeline": [], "cpu": round(state.cpu, 1), "groups": groups}
        sent = (state.model_copy(update=same), self._timeline.card[-1:])
        if sent != self._last_sent:  # what only grows with time (money) is sent with the next sample
            self._last_sent = sent
            self._changes.changed("state")

    def view(self, since: int | None, workers: bool) -> ClusterView:
        """What changed after `since`; everything when that isn't known any more."""
        assert self._state is not None
        changes = self._changes
        state = self._state.model_copy(update={"timeline": list(self._timeline.card)})
        if since is None or not changes.knows(since):
            rows = list(self._workers.values()) if workers else []
            return ClusterView(changes.seq, state, rows, [], self._events.all(), self.runs, whole=True)
        names = changes.after("worker", since) if workers else []
        return ClusterView(
            changes.seq,
            state,
            [self._workers[name] for name in names if name in self._workers],
            changes.gone("worker", since) if workers else [],
            self._events.after(since),
            [self._runs[run] for run in changes.after("run", since) if run in self._runs],
        )

    async def wait(self, since: int, timeout: Seconds, workers: bool) -> None:
        """Return when something changed after `since`, or after `timeout` seconds."""
        nouns = {"state", "event", "run"} | ({"worker"} if workers else set())
        await self._changes.wait(since, nouns, timeout)  # type: ignore[arg-type]  # a set of literals

    def wake(self) -> None:
        """Let all who wait go."""
        self._changes.wake()

    def _compare_workers(self, now: dict[str, WorkerState], first: bool) -> None:
        before, self._workers = self._workers, now
        for name in [name for name in before if name not in now]:
            self._changes.dropped("worker", name)
        for name, worker in now.items():
            if before.get(name) != worker:
                self._changes.changed("worker", name)
        if first:
            return
        joined = [name for name, worker in now.items() if _is_up(worker) and not _is_up(before.get(name))]
        left = [name for name, worker in before.items() if name not in now and worker.phase != "lost"]
        self._add_worker_events(joined, "joined")
        self._add_worker_events(left, "left")
        for name, worker in now.items():
            known = before.get(name)
            if worker.phase == "lost" and (known is None or known.phase != "lost"):
                self._events.add("worker", f"Worker {name} died", worker=name, problem=worker.problem)

    def _add_worker_events(self, names: list[str], verb: str) -> None:
        for name in names if len(names) <= SINGLE else []:
            self._events.add("worker", f"Worker {name} {verb}", worker=name)
        if len(names) > SINGLE:
            self._events.add("worker", f"{len(names)} workers {verb}")

    def _compare_wanted(self, before: ClusterState, now: ClusterState) -> None:
        wanted = {group.name: group.wanted for group in before.groups}
        for group in now.groups:
            if group.wanted != wanted.get(group.name, group.wanted):
                text = f"Group {group.name} shall have {group.wanted} workers, no longer {wanted[group.name]}"
                self._events.add("scale", text)

    def _compare_problem(self, before: Problem | None, now: Problem | None) -> None:
        if now is not None and (before is None or before.what != now.what):
            self._events.add("problem", now.what, problem=now)


def _is_up(worker: WorkerState | None) -> bool:
    return worker is not None and worker.phase in ("idle", "busy", "retiring")


async def _until_exit(work: Coroutine[Any, Any, None]) -> None:
    """`work`, which ends with the process: the interpreter ends threads that it needs before its loop."""
    try:
        await work
    except RuntimeError as error:
        if "shutdown" not in str(error):
            raise

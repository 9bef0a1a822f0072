"""Workers as pods: asks for them, watches them, says why they don't come or are gone. Runs beside the controller."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ....controller.background import Background
from ....controller.pool import Notice
from ....core.base import Time
from ....core.cluster import ClusterSpec, Problem
from ....core.profile import Group
from ....core.waiting import wait_for
from .. import names
from ..api.asking import AT_ONCE, PodOrder, PodQueue
from ..api.client import Api, Json
from ..api.watch import ObjectWatch
from ..why import death
from . import pods
from .context import PodContext
from .create import PodMaker
from .delete import Removal
from .logs import LINES, PodLogs

#: Seconds between two looks at pods that don't come.
LOOK = 2.0
#: While the watch of the pods is interrupted.
BLIND = "The scheduler can't see the cluster's pods"
GOES_ON = "What runs goes on; workers come and go again as soon as it can."
#: Seconds for Kubernetes to accept the end of all pods, when the cluster ends: with its record they end as well.
CLOSING = 10.0


class KnownPod:
    """A pod as it was last seen."""

    def __init__(self, pod: Json) -> None:
        self.pod = pod
        #: Whether we want it to go.
        self.asked = False
        #: Whether somebody looks into its death already.
        self.dying = False


class KubernetesPool:
    """The `Pool` of a cluster in Kubernetes.

    Parameters
    ----------
    api : the scheduler pod's connection to Kubernetes.
    spec : of the cluster.
    ids : its names.
    owner : the ownerReference to its record.
    peak : the most memory that Dask measured in a worker, in bytes, by its name.
    logs : of the pods; those of an earlier scheduler may be in there.
    """

    def __init__(
        self,
        api: Api,
        spec: ClusterSpec,
        ids: names.ObjectNames,
        owner: Mapping[str, Any],
        peak: Callable[[str], float | None] = lambda worker: None,
        logs: PodLogs | None = None,
    ) -> None:
        self._spec, self._peak = spec, peak
        self._known: dict[str, KnownPod] = {}
        self._last_notices: dict[str, Notice] = {}
        self._logs = logs or PodLogs(api, ids)
        self._removal = Removal(api, ids, self._vanished)
        #: Workers to be removed whose creation is under way.
        self._unwanted: set[str] = set()
        self._maker = PodMaker(api, spec, ids, owner)
        self._background = Background()
        self._closed = False
        #: A queue for each group: what the place refuses of one keeps no other waiting.
        self._queues = {group.name: PodQueue(self._make, self._refused) for group in spec.profile.groups}
        self._requests = asyncio.Semaphore(AT_ONCE)
        self._around = PodContext(api, spec)
        query = {"labelSelector": f"{names.CLUSTER}={ids.cluster},{names.PART}=worker"}
        self._watch = ObjectWatch(api, api.path("pods"), query, self._synced, self._changed, self._trouble)
        #: As in `Pool`.
        self.problem: Problem | None = None

    async def start(self, scheduler_address: str, notify: Callable[[Notice], None]) -> None:
        """As in `Pool`."""
        self._notify = notify
        self._background.spawn(self._watch.run())
        self._background.spawn(self._around.run())
        self._background.spawn(self._look())
        await self._watch.ready.wait()

    async def create(self, group: Group, workers: Sequence[str]) -> None:
        """As in `Pool`."""
        self._queues[group.name].ask(self._maker.order(group, worker) for worker in workers)

    async def remove(self, workers: Sequence[str], grace: float = 5.0) -> None:
        """As in `Pool`."""
        for queue in self._queues.values():
            for worker in queue.withdraw(workers):
                self._notify_once(Notice(worker, "ended"))
        under_way = {worker for queue in self._queues.values() for worker in queue.under_way}
        going = []
        for worker in workers:
            known = self._known.get(worker)
            if known is not None:
                known.asked = True
            else:
                self._unwanted.add(worker)
            if worker not in under_way:  # else it is ended as soon as it is made
                going.append(worker)
        await asyncio.gather(*(self._removal.end(worker, grace) for worker in going))

    async def logs(self, name: str, lines: int = LINES) -> list[str]:
        """As in `Pool`."""
        known = self._known.get(name)
        if known is None or pods.over(known.pod):
            return self._logs.of_dead(name, lines)
        return await self._logs.read(name, lines)

    async def close(self) -> None:
        """As in `Pool`. The logs of some of the pods are kept first, for `last_logs`."""
        if self._closed:
            return
        self._closed = True
        running = [worker for worker, known in self._known.items() if pods.step(known.pod) == "running"]
        await asyncio.gather(*(self._logs.save(worker) for worker in running[:AT_ONCE]))
        await asyncio.gather(*(queue.close() for queue in self._queues.values()))
        with contextlib.suppress(asyncio.TimeoutError):
            await wait_for(self.remove(list(self._known), grace=2.0), CLOSING)
        await self._background.close()

    @property
    def last_logs(self) -> dict[str, list[str]]:
        """The last lines of logs of pods that are gone, by worker."""
        return self._logs.saved

    async def _make(self, order: PodOrder) -> None:
        async with self._requests:
            problem = await self._maker.make(order)
        if problem is not None:
            self._notify_once(Notice(order.worker, "lost", problem))
        if order.worker in self._unwanted:
            self._unwanted.discard(order.worker)
            await self._removal.end(order.worker, 0)

    def _refused(self, worker: str, problem: Problem) -> None:
        self._notify_once(Notice(worker, "pending", problem))

    def _synced(self, found: list[Json]) -> None:
        """After a gap: what is not there any more was deleted meanwhile."""
        present = {pods.worker_of(pod) for pod in found}
        for worker in [worker for worker in self._known if worker not in present]:
            self._deleted(self._known[worker].pod, unseen=True)
        for pod in found:
            self._seen(pod)

    def _changed(self, kind: str, pod: Json) -> None:
        if kind == "DELETED":
            self._deleted(pod)
        else:
            self._seen(pod)

    def _seen(self, pod: Json) -> None:
        worker = pods.worker_of(pod)
        known = self._known.get(worker)
        if known is None:
            known = self._known[worker] = KnownPod(pod)
            if worker in self._unwanted:
                known.asked = True
            elif pods.over(pod):  # nobody has heard of it so far: it was there before it was lost
                self._notify_once(pods.describe(pod, "starting"))
        was_leaving, known.pod = pods.leaving(known.pod), pod
        if known.asked:
            return
        if pods.over(pod):
            self._examine(known)
        elif pods.leaving(pod):
            if not was_leaving and pods.placed(pod):
                self._background.spawn(self._logs.save(worker))
        else:
            self._notify_once(pods.notice(pod, self._around.facts(pod)))

    def _deleted(self, pod: Json, unseen: bool = False) -> None:
        worker = pods.worker_of(pod)
        known = self._known.pop(worker, None)
        self._unwanted.discard(worker)
        if known is None or known.asked or pods.over(known.pod):
            self._notify_once(pods.describe(pod, "ended", unseen=unseen))
        else:
            self._background.spawn(self._explain(pod, None if unseen else time.time()))

    def _vanished(self, worker: str) -> None:
        """It isn't there, whatever the watch has told so far."""
        known = self._known.pop(worker, None)
        if known is not None or worker in self._unwanted:
            self._unwanted.discard(worker)
            self._notify_once(pods.describe(known.pod, "ended") if known else Notice(worker, "ended"))

    def _examine(self, known: KnownPod) -> None:
        if not known.dying:
            known.dying = True
            self._background.spawn(self._reap(known))

    async def _reap(self, known: KnownPod) -> None:
        """A pod whose containers have ended: keep its log, say why, and remove what is left of it."""
        worker, seen = pods.worker_of(known.pod), time.time()
        await self._logs.save(worker)
        await self._explain(known.pod, seen, deleted=pods.leaving(known.pod))
        known.asked = True
        await self._removal.end(worker, 0)

    async def _explain(self, pod: Json, seen: Time | None, deleted: bool = True) -> None:
        """Tell why it is gone, which takes a while to find out; it costs nothing any more since it was `seen` to be."""
        worker = pods.worker_of(pod)
        facts = await self._around.of_dead(pod, self._logs.of_dead(worker), self._peak(worker))
        problem = death(pod, facts, deleted=deleted)
        self._notify_once(pods.describe(pod, "lost", problem, seen, unseen=seen is None))

    async def _look(self) -> None:
        """Look again at pods that don't come: events arrive after the pods' own changes."""
        while True:
            await asyncio.sleep(LOOK)
            waiting = [known for known in self._known.values() if pods.step(known.pod) != "running" and not known.asked]
            if not waiting:
                continue
            await self._around.look([known.pod for known in waiting])
            for known in waiting:
                if not known.asked and not pods.over(known.pod) and not pods.leaving(known.pod):
                    self._notify_once(pods.notice(known.pod, self._around.facts(known.pod)))

    def _trouble(self, problem: Problem | None) -> None:
        if problem is None:
            self.problem = None
            return
        self.problem = Problem(what=BLIND, why=problem.words, todo=f"{problem.todo} {GOES_ON}".strip())

    def _notify_once(self, notice: Notice) -> None:
        """Notify the controller, unless it would be the same notice again."""
        if self._last_notices.get(notice.worker) == notice:
            return
        if notice.phase in ("ended", "lost"):
            self._last_notices.pop(notice.worker, None)
        else:
            self._last_notices[notice.worker] = notice
        self._notify(notice)

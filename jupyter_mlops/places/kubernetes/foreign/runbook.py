"""Keeps runs in a foreign scheduler. This module runs there, and changes nothing in that scheduler but what runs need.

`install.py` brings the module there under a name of its own, so that it meets no other version of this package.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ....controller import environment
from ....controller.answers import answering
from ....controller.changes import ChangeTracker
from ....controller.disk import Disk
from ....controller.runs.handlers import RunHandlers
from ....controller.runs.registry import RunRegistry
from ....controller.runs.results import DetachedResults
from ....core.base import read_record
from ....core.changes import ChangeLog
from ....core.cluster import ClusterSpec
from ....core.costs import Share
from ....core.formats import FORMAT
from ....core.price import GB
from ....core.resources import declared, group_in
from ....core.run import RunState

if TYPE_CHECKING:
    from distributed import Scheduler, Worker


#: Where the scheduler's metadata say that the book is there, of which code, and which groups it knows.
KEY = "jupyter-mlops"
#: Runs and events that are remembered for who asks for all.
REMEMBERED = 200


class ForeignRunBook:
    """Keeps the book of runs.

    Parameters
    ----------
    scheduler : the foreign scheduler.
    spec : what is known of its cluster.
    """

    def __init__(self, scheduler: Scheduler, spec: ClusterSpec) -> None:
        self._scheduler, self._spec, self._code = scheduler, spec, ""
        self._changes = ChangeTracker()
        self._runs: dict[str, RunState] = {}
        self._events: ChangeLog[dict[str, Any]] = ChangeLog(REMEMBERED)
        nowhere = Disk(None)
        self._registry = RunRegistry(
            scheduler,
            nowhere,
            spec,
            shape=self._shape,
            share=self._share,
            changed=self._changed,
            event=self._event,
            results=DetachedResults(scheduler, nowhere),
        )

    async def start(self, objects: Mapping[str, str], code: str) -> None:
        """Answer from now on. Workers get the agent, and their group by `objects`: the pod's name begins so → group."""
        scheduler = self._scheduler
        self._code = code
        await self._set_groups(self._spec, objects)
        RunHandlers(scheduler, self._registry, self._event, lambda: None).install()
        scheduler.handlers["mlops_guest"] = answering(self._news)
        scheduler.handlers["mlops_guest_groups"] = answering(self._groups)
        environment.install(scheduler)
        await self._registry.start()
        scheduler.set_metadata(keys=[KEY], value={"format": FORMAT, "code": code, "objects": dict(objects)})

    async def _groups(self, spec: str, objects: dict[str, str]) -> None:
        """The cluster has other groups now."""
        await self._set_groups(read_record(ClusterSpec, spec), objects)
        self._scheduler.set_metadata(keys=[KEY], value={"format": FORMAT, "code": self._code, "objects": objects})

    async def _set_groups(self, spec: ClusterSpec, objects: Mapping[str, str]) -> None:
        self._spec = spec
        await self._scheduler.register_worker_plugin(
            None, plugin=groups_plugin(objects), name=f"{KEY}-groups", idempotent=False
        )

    async def _news(self, since: int = 0) -> dict[str, Any]:
        known = self._changes.knows(since)
        names = self._changes.after("run", since) if known else list(self._runs)
        return {
            "format": FORMAT,
            "seq": self._changes.seq,
            "runs": [self._runs[name].model_dump() for name in names if name in self._runs],
            "events": self._events.after(since if known else -1),
        }

    def _changed(self, run: RunState) -> None:
        self._runs[run.id] = run
        self._changes.changed("run", run.id)
        if len(self._runs) > REMEMBERED:
            self._runs.pop(next(iter(self._runs)))

    def _event(self, text: str, run: str) -> None:
        self._events.add({"text": text, "run": run}, self._changes.changed("event"))

    def _shape(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for worker in self._scheduler.workers.values():
            group = self._group_of(worker.resources)
            counts[group] = counts.get(group, 0) + 1
        return counts

    def _share(self, address: str) -> Share | None:
        """One thread of a worker: its part of what the group's pods ask for."""
        worker = self._scheduler.workers.get(address)
        if worker is None:
            return None
        group = self._spec.profile.group(self._group_of(worker.resources))
        threads = max(1, worker.nthreads)
        shape = (1 / threads, group.cpus / threads, group.memory / GB / threads, group.gpus / threads)
        return Share(shape, self._spec.price)

    def _group_of(self, resources: Mapping[str, float]) -> str:
        names = {group.name for group in self._spec.profile.groups}
        found = group_in(resources)
        return found if found in names else self._spec.profile.groups[0].name


async def start(scheduler: Scheduler, spec: str, objects: Mapping[str, str], code: str) -> None:
    """Keep the book of runs of `scheduler` from now on; instead of an earlier book, whose runs go on without it.

    Parameters
    ----------
    spec : a `ClusterSpec` as JSON.
    objects, code : as for `ForeignRunBook.start`.
    """
    await ForeignRunBook(scheduler, read_record(ClusterSpec, spec)).start(objects, code)


def groups_plugin(objects: Mapping[str, str]) -> bytes:
    """The pickled worker plugin that makes each worker say which group it is of."""
    from distributed import WorkerPlugin
    from distributed.protocol.pickle import dumps

    class Belong(WorkerPlugin):
        """Declares the group by the name of the pod."""

        def __init__(self, resources: dict[str, dict[str, float]]) -> None:
            self.resources = resources

        async def setup(self, worker: Worker) -> None:
            """Called by Dask in each worker. Travels by value, so it may use nothing of this module."""
            names = [os.environ.get("DASK_WORKER_NAME", ""), socket.gethostname(), str(worker.name)]
            for name in sorted(self.resources, key=len, reverse=True):
                if any(each.startswith(f"{name}-") for each in names):
                    await worker.set_resources(**self.resources[name])
                    return

    Belong.__module__ = Belong.setup.__module__ = "__main__"  # so that it travels by value
    Belong.__qualname__ = "Belong"
    return bytes(dumps(Belong({name: declared(group) for name, group in objects.items()})))

"""Logs of a foreign cluster's pods, and the last lines of what ran in a pod before its container was started again."""

from __future__ import annotations

from collections.abc import Iterable

from ....core.errors import UnknownWorker
from ..api.client import Answer, Api, Json
from ..pods import pods
from .discover import Discovered, container_of

#: What a node answers, as if it were the log, for a container that it is just removing.
_NO_LOG = "unable to retrieve container logs"

#: Pods that are asked at one look, crashes that are remembered, and lines of each.
AT_ONCE, REMEMBERED, LINES = 5, 100, 10


async def log_of(api: Api, cluster: Discovered, worker: str | None, lines: int) -> list[str]:
    """The last lines of a worker's pod, or of the scheduler's; those before its last restart, if it doesn't run.

    Raises
    ------
    UnknownWorker : it has no worker of that name, or no more.
    """
    names = cluster.worker_names
    there = cluster.schedulers[:1] if worker is None else []
    if worker is not None:
        there = [pod for pod in cluster.workers if worker in (pod["metadata"]["name"], names[pod["metadata"]["name"]])]
        if not there:
            raise UnknownWorker.named(worker, names.values())
    for pod in there:
        last = {} if pods.step(pod) == "running" or pods.over(pod) else {"previous": "true"}
        return await _log(api, pod, {"tailLines": lines, **last})
    return []


async def previous_log(api: Api, pod: Json, lines: int) -> list[str]:
    """The last lines of what ran in a pod before it was started again."""
    return await _log(api, pod, {"tailLines": lines, "previous": "true"})


async def _log(api: Api, pod: Json, query: dict[str, object]) -> list[str]:
    name, container = pod["metadata"]["name"], container_of(pod["spec"])
    try:
        text = await api.text(api.path("pods", name) + "/log", {**query, "container": container.get("name", "")})
    except Answer as answer:
        if answer.status in (400, 404):  # no container yet, or none before this one
            return []
        raise
    return [] if text.startswith(_NO_LOG) else text.splitlines()


class CrashLogs:
    """Reads the last lines of each crash once: a restart makes those of the crash before unreadable."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._known: dict[tuple[str, int], list[str]] = {}

    def of(self, pod: Json) -> list[str]:
        """What is known of the pod's last crash."""
        return self._known.get(_crash(pod), [])

    async def read(self, pods: Iterable[Json]) -> None:
        """Read the lines of crashes that are new. Raises as `Api.request`."""
        new = [pod for pod in pods if _crash(pod)[1] and _crash(pod) not in self._known]
        for pod in new[:AT_ONCE]:
            if lines := await previous_log(self._api, pod, LINES):
                self._known[_crash(pod)] = lines
        while len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]


def _crash(pod: Json) -> tuple[str, int]:
    """Which crash of a pod its log is of."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    return str(pod["metadata"]["name"]), sum(int(status.get("restartCount", 0)) for status in statuses)

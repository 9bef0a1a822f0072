"""The last lines of what ran in a pod before its container was started again."""

from __future__ import annotations

from collections.abc import Iterable

from ..api.client import Api
from .found import Json
from .reach import previous_log

#: Pods that are asked at one look, crashes that are remembered, and lines of each.
AT_ONCE, REMEMBERED, LINES = 5, 100, 10


class LastWords:
    """Reads them once for each crash: a restart makes the ones before it unreadable."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._known: dict[tuple[str, int], list[str]] = {}

    def of(self, pod: Json) -> list[str]:
        """What is known of the pod's last crash."""
        return self._known.get(_crash(pod), [])

    async def read(self, pods: Iterable[Json]) -> None:
        """Read those of crashes that are new. Raises as `Api.request`."""
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

"""The logs of workers' pods; the last lines of those that are gone."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping

from ..api.client import Answer, Api, Unreachable
from ..names import ObjectNames

logger = logging.getLogger("distributed.scheduler.mlops")

#: Logs of dead pods that are saved, and lines of each.
DEAD, LINES = 200, 200


class PodLogs:
    """Reads logs while there are pods, and saves their ends.

    Parameters
    ----------
    earlier : those that were saved when there was another scheduler, by worker, the oldest first.
    keep : keeps another one: is called in a thread, with the worker and the lines.
    """

    def __init__(
        self,
        api: Api,
        ids: ObjectNames,
        earlier: Mapping[str, list[str]] | None = None,
        keep: Callable[[str, list[str]], None] = lambda worker, lines: None,
    ) -> None:
        self._api, self._ids, self._keep = api, ids, keep
        #: The last lines of logs that were saved, by worker.
        self.saved: dict[str, list[str]] = dict(earlier or {})
        self._order: deque[str] = deque(self.saved)

    def of_dead(self, worker: str, lines: int = LINES) -> list[str]:
        """The end of a log that was saved; empty when there is none."""
        return self.saved.get(worker, [])[-lines:]

    async def read(self, worker: str, lines: int = LINES) -> list[str]:
        """The end of a pod's log, or what was saved of it."""
        path = self._api.path("pods", self._ids.pod(worker)) + "/log"
        try:
            text = await self._api.text(path, {"tailLines": lines, "container": "worker"}, timeout=5.0)
        except (Answer, Unreachable):  # no container yet, or its node is gone: there is no log
            text = ""
        return text.splitlines() or self.of_dead(worker, lines)

    async def save(self, worker: str) -> None:
        """Save the end of a pod's log, since the pod goes."""
        lines = await self.read(worker)
        if not lines:
            return
        if worker not in self.saved:
            self._order.append(worker)
            if len(self._order) > DEAD:
                self.saved.pop(self._order.popleft(), None)
        self.saved[worker] = lines
        try:
            await asyncio.to_thread(self._keep, worker, lines)
        except OSError:  # a full disk: it is known as long as this scheduler lives
            logger.warning("The log of %s could not be kept", worker, exc_info=True)

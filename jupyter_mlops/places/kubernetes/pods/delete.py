"""Ends workers' pods, for sure: one that stays would cost on, whatever kept Kubernetes from ending it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ..api.asking import AT_ONCE, LONGEST, SHORTEST
from ..api.client import Answer, Api, Unreachable
from ..names import ObjectNames

logger = logging.getLogger("distributed.scheduler.mlops")

#: Answers that another try may change, beside those of an API that isn't well: rights and logins come back.
_FOR_NOW = (401, 403, 429)


class Removal:
    """Asks for the end of pods, `AT_ONCE` at a time, until Kubernetes accepts it.

    Parameters
    ----------
    gone : called with each worker whose pod isn't there.
    """

    def __init__(self, api: Api, ids: ObjectNames, gone: Callable[[str], None]) -> None:
        self._api, self._ids, self._gone = api, ids, gone
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def end(self, worker: str, grace: float) -> None:
        """End the worker's pod, in `grace` seconds. Returns when that is accepted."""
        pause = SHORTEST
        while not await self._accepted(worker, grace):
            await asyncio.sleep(pause)
            pause = min(LONGEST, 2 * pause)

    async def _accepted(self, worker: str, grace: float) -> bool:
        path = self._api.path("pods", self._ids.pod(worker))
        try:
            async with self._gate:
                await self._api.request("DELETE", path, query={"gracePeriodSeconds": round(grace)}, parse=False)
        except Unreachable:
            return False
        except Answer as answer:
            if answer.status == 404:
                self._gone(worker)
                return True
            logger.warning("The pod of %s could not be ended: %s", worker, answer)
            return answer.status < 500 and answer.status not in _FOR_NOW
        return True

"""What the administrator's wall says to a cluster: an annotation of its record, which a cluster only reads. Where there
is no wall, there is none."""

from __future__ import annotations

import asyncio

from ....core.account import AccountState
from ....core.base import Seconds, read_record
from ....core.errors import Unreadable
from .. import names
from ..api.client import Answer, Api, Json, Unreachable
from ..records.record import APPS

#: Seconds between two looks: less than half of what the wall gives a cluster to stop by itself.
_EVERY: Seconds = 15.0


class WallWord:
    """Reads it time and again. `state` is what an account leaves the cluster, once the wall has said it."""

    def __init__(self, api: Api, name: str) -> None:
        self._api, self._path = api, api.path("deployments", name, group=APPS)
        self.state: AccountState | None = None

    async def run(self) -> None:
        """Read until cancelled. While Kubernetes doesn't answer, what was said last counts."""
        while True:
            await asyncio.sleep(_EVERY)
            try:
                self.read(await self._api.request("GET", self._path, timeout=10.0))
            except (Answer, Unreachable):
                continue

    def read(self, record: Json) -> None:
        """Take in what stands on the record."""
        text = (record["metadata"].get("annotations") or {}).get(names.WORD)
        try:
            self.state = None if text is None else read_record(AccountState, text, "word of the wall")
        except Unreadable:  # of a newer wall, or not by one
            self.state = None

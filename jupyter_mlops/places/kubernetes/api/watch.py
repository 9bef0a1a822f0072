"""Everything that happens to a kind of object, without gaps: list, watch, resume, and list again when that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from ....core.cluster import Problem
from .client import Answer, Api, Json, Unreachable

#: Seconds after which the API ends a watch, to be resumed; and after which silence means that it is gone.
ROUND = 60
SILENCE = 75.0
#: Seconds between two tries at most: as long as a change may go unseen once the API is well again.
LONGEST = 5.0
#: Objects in one page of a list.
PAGE = 500


class ObjectWatch:
    """Calls `synced` with all objects, first and after every gap, and `changed` with each change in between.

    Parameters
    ----------
    path, query : what to watch, as for `Api.request`.
    synced : called with the list; what it knew and is not in there was deleted in the gap.
    changed : called with ADDED, MODIFIED or DELETED and the object.
    trouble : called with a problem while the API doesn't answer, and with None when it does again.
    """

    def __init__(
        self,
        api: Api,
        path: str,
        query: Mapping[str, Any],
        synced: Callable[[list[Json]], None],
        changed: Callable[[str, Json], None],
        trouble: Callable[[Problem | None], None] = lambda problem: None,
    ) -> None:
        self._api, self._path, self._query = api, path, dict(query)
        self._synced, self._changed, self._trouble = synced, changed, trouble
        self._version = ""
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """ObjectWatch until cancelled."""
        failures = 0
        while True:
            try:
                if not self._version:
                    await self._list()
                    self._trouble(None)
                    failures = 0
                await self._follow()
                failures = 0
            except Unreachable as error:
                failures += 1
                if failures > 1:  # more than a connection that broke: when it answers again, look at everything
                    self._version = ""
                    self._trouble(Problem(what=error.what, why=error.why))
                await asyncio.sleep(min(LONGEST, 0.2 * 2**failures))
            except Answer as answer:
                self._version = ""
                if answer.status != 410:  # what was asked from is older than the API remembers: just list again
                    failures += 1
                    self._trouble(answer.problem)
                    await asyncio.sleep(min(LONGEST, 0.5 * 2**failures))

    async def _list(self) -> None:
        items: list[Json] = []
        more = ""
        while True:
            page = await self._api.request(
                "GET", self._path, query={**self._query, "limit": PAGE, **({"continue": more} if more else {})}
            )
            items.extend(page.get("items") or [])
            more = page["metadata"].get("continue", "")
            if not more:
                break
        self._version = page["metadata"]["resourceVersion"]
        self._synced(items)
        self.ready.set()

    async def _follow(self) -> None:
        query = {
            **self._query,
            "watch": 1,
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": ROUND,
        }
        async for event in self._api.lines(self._path, query, SILENCE):
            kind, item = event["type"], event["object"]
            if kind == "ERROR":
                raise Answer(int(item.get("code", 500)), item)
            self._version = item["metadata"]["resourceVersion"]
            if kind != "BOOKMARK":
                self._changed(kind, item)

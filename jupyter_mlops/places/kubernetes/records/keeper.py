"""Stores what a cluster must not lose outside of its scheduler's pod: in two Secrets that outlive both.

The receipt's Secret is small, because lists of clusters read it; the history's has the files of the controller's
folder, compressed.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import logging
import os
import time
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from ....controller.runs.restored import Restored
from ....core.base import read_record
from ....core.cluster import ClusterState, Receipt
from ....core.errors import Unreadable
from ....core.run import RunState
from ..api.client import MERGE_PATCH, Answer, Api, Json, Unreachable
from ..names import ObjectNames
from .kept import KeptFiles, change
from .logs import LOGS

logger = logging.getLogger("distributed.scheduler.mlops")

_T = TypeVar("_T")

#: Files of the controller's folder that are stored, the most important first.
FILES = (
    "ledger.jsonl",
    "limits.jsonl",
    "spend.jsonl",
    "events.jsonl",
    "runs.jsonl",
    "timeline.jsonl",
    LOGS,
    "results.jsonl",
)
#: Seconds between two looks at the ledger (which is also the sign of life that costs end with), and at all else
#: unless there is news.
LEDGER_EVERY, EVERY = 1.0, 5.0
#: Bytes of all files, compressed: a Secret takes 1 MiB.
ROOM = 900_000
#: In the history's Secret: the runs that are not over, as they were when it was kept last.
LIVE = "live.json"


class RecordKeeper:
    """Copies `folder` to the Secrets, and from there into an empty folder.

    Parameters
    ----------
    state : the cluster's state as it is sent to watchers.
    runs : the runs that are not over.
    news : something that is another thing as soon as all is to be stored at once.
    """

    def __init__(
        self,
        api: Api,
        ids: ObjectNames,
        folder: Path,
        state: Callable[[], Json],
        runs: Callable[[], list[RunState]],
        news: Callable[[], object],
    ) -> None:
        self._api, self._ids, self._folder, self._state, self._runs = api, ids, folder, state, runs
        self._news, self._known = news, object()
        self._sizes: dict[str, int] = {}
        self._packed: dict[str, bytes] = {}
        self._live = "[]"
        self._stored_at = 0.0

    async def restore(self) -> Restored:
        """Fill an empty folder with what was kept, when this pod is another one than before; what was known last."""
        receipt, history = await asyncio.gather(self._get(self._ids.receipt), self._get(self._ids.history))
        ledger = self._folder / FILES[0]
        if not ledger.exists():
            await asyncio.to_thread(self._fill, history)
            if ledger.exists() and (alive := read_number(receipt.text("alive"))):  # until then the scheduler lived
                os.utime(ledger, (alive, alive))
        state = _restored(ClusterState, receipt.text("state.json"))
        live = _restored(list[RunState], history.text(LIVE))
        return Restored(live or []) if state is None else Restored(live or [], state.groups, state.work)

    async def told_end(self) -> Receipt | None:
        """What somebody wrote who ended the cluster without its scheduler; None where nobody did, or it isn't seen."""
        with contextlib.suppress(Answer, Unreachable):
            found = await self._api.request("GET", self._api.path("secrets", self._ids.receipt), timeout=5.0)
            return _restored(Receipt, KeptFiles("secrets", found).text("receipt.json"))
        return None

    async def run(self) -> None:
        """Keep copying until cancelled."""
        while True:
            try:
                await self._store(whole=time.time() - self._stored_at >= EVERY or self._news() != self._known)
            except (Answer, Unreachable) as error:
                logger.info("The cluster's records could not be stored; they are tried again: %s", error)
                await asyncio.sleep(EVERY)
            await asyncio.sleep(LEDGER_EVERY)

    async def finish(self) -> None:
        """Store everything, the receipt too, for the last time."""
        for attempt in range(5):
            try:
                await self._store(whole=True)
                return
            except (Answer, Unreachable) as error:
                if isinstance(error, Answer) and error.status in (403, 404):
                    logger.warning("The receipt could not be stored: %s", error)
                    return
                await asyncio.sleep(0.3 * 2**attempt)

    async def _store(self, whole: bool) -> None:
        news = self._news()
        state, runs = (self._state(), self._runs()) if whole else ({}, [])
        changed = await asyncio.to_thread(self._pack, FILES if whole else FILES[:1])
        live = json.dumps([run.model_dump(mode="json") for run in runs]) if whole else self._live
        if changed or live != self._live:
            await self._patch(self._ids.history, {**{f"{name}.gz": self._packed[name] for name in changed}, LIVE: live})
            self._sizes.update(changed)
            self._live = live
        summary = await asyncio.to_thread(self._summary, state) if whole else {}
        await self._patch(self._ids.receipt, {"alive": str(time.time()), **summary})
        if whole:
            self._stored_at, self._known = time.time(), news

    def _pack(self, files: tuple[str, ...]) -> dict[str, int]:
        """The files that changed, compressed, as name → size; the older half of one that is too big is left out."""
        changed = {}
        for name in files:
            path = self._folder / name
            size = path.stat().st_size if path.exists() else 0
            if size and size != self._sizes.get(name):
                text = path.read_bytes()
                room = ROOM - sum(len(data) for other, data in self._packed.items() if other != name)
                data = gzip.compress(text, compresslevel=5)
                while len(data) > room and name != FILES[0]:
                    text = text[len(text) // 2 :].partition(b"\n")[2]
                    data = gzip.compress(text, compresslevel=5)
                self._packed[name], changed[name] = data, size
        return changed

    def _fill(self, history: KeptFiles) -> None:
        for packed in history.names:
            name = packed.removesuffix(".gz")
            if name == packed:
                continue
            try:
                text = unpacked(history, name)
            except Unreadable as error:  # without it the cluster goes on, as without a file that was never written
                logger.warning("A part of the cluster's history is lost. %s", error)
                continue
            (self._folder / name).write_text(text, encoding="utf-8")

    def _summary(self, state: Json) -> dict[str, str]:
        summary = {"state.json": json.dumps({**state, "timeline": []})}
        receipt = self._folder / "receipt.json"
        if receipt.exists():
            summary["receipt.json"] = receipt.read_text(encoding="utf-8")
        return summary

    async def _get(self, name: str) -> KeptFiles:
        """A Secret; waits while the API doesn't answer."""
        while True:
            try:
                return KeptFiles("secrets", await self._api.request("GET", self._api.path("secrets", name)))
            except Unreachable as error:
                logger.warning("Waiting for Kubernetes: %s", error)
                await asyncio.sleep(1)

    async def _patch(self, name: str, files: Mapping[str, str | bytes]) -> None:
        path = self._api.path("secrets", name)
        await self._api.request("PATCH", path, change(files), content=MERGE_PATCH, parse=False, timeout=10.0)


def unpacked(history: KeptFiles, name: str) -> str:
    """The text of a stored file; empty when there is none.

    Raises
    ------
    Unreadable : what is stored is damaged.
    """
    try:
        data = history.data(f"{name}.gz")
        return gzip.decompress(data).decode("utf-8", errors="replace") if data else ""
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise Unreadable(f"The {name} of a cluster can't be read", f"{history.where}: {error}") from error


def read_number(text: object) -> float:
    """A moment that is stored as text; zero when there is none."""
    try:
        return float(str(text))
    except ValueError:
        return 0.0


def _restored(kind: type[_T], text: str | None) -> _T | None:
    """What was stored, if it can be read: a scheduler that comes back goes on without the rest."""
    if text is None:
        return None
    try:
        return read_record(kind, text)
    except Unreadable as error:
        logger.warning("A part of the cluster's record is lost. %s", error)
        return None

"""How the wall acts in a namespace: by a word to a cluster's controller, by ending what runs, and by what it writes on
the namespace itself, which the admission policy reads."""

from __future__ import annotations

import asyncio
import datetime
import logging
from collections.abc import Mapping, Sequence

from ....core.account import AccountState
from ....core.base import Time, read_record
from ....core.errors import Unreadable
from .. import names
from ..api.asking import AT_ONCE
from ..api.client import MERGE_PATCH, Answer, Api, Json
from ..records import daskcluster, record
from .counted import WalledSpace

logger = logging.getLogger("jupyter_mlops.wall")

#: Seconds that a pod has to end, whatever it says itself.
GRACE = 30

#: How a time is written on a namespace, and how old it may be.
_TIME = "%Y-%m-%d %H:%M UTC"
_FRESH = datetime.timedelta(minutes=5)


async def records_in(api: Api, space: WalledSpace) -> dict[str, Json]:
    """The records of clusters in a namespace, by what they are part of."""
    query = {"labelSelector": f"{names.MANAGED_BY}={names.US},{names.PART}=record"}
    found = await api.request("GET", api.path("deployments", group=record.APPS), query=query)
    return {space.tab_of(item): item for item in found.get("items") or []}


def word_on(item: Json) -> AccountState | None:
    """What the wall has said last to the cluster of this record."""
    text = (item["metadata"].get("annotations") or {}).get(names.WORD)
    try:
        return None if text is None else read_record(AccountState, text)
    except Unreadable:
        return None


async def tell(api: Api, records: Mapping[str, Json], states: Mapping[str, AccountState]) -> None:
    """Say to clusters what their accounts leave them, where that is another thing than was said; to those that aren't
    among `states`, that nothing is to be said any more."""
    for tab, item in records.items():
        state, said = states.get(tab), (item["metadata"].get("annotations") or {}).get(names.WORD)
        before = word_on(item)
        if (state is None and said is None) or (state and before and state.step == before.step):
            continue
        patch = {"metadata": {"annotations": {names.WORD: None if state is None else state.model_dump_json()}}}
        path = api.path("deployments", item["metadata"]["name"], group=record.APPS)
        await api.request("PATCH", path, patch, content=MERGE_PATCH, parse=False)


async def end(api: Api, item: Json | None, pods: Sequence[Json]) -> None:
    """End a cluster, by its record where there is one, and these pods, whoever made them."""
    if item is not None:
        metadata, how = item["metadata"], {"propagationPolicy": "Background"}
        for owner in metadata.get("ownerReferences") or []:
            if owner["kind"] == daskcluster.KIND:
                path = api.path(daskcluster.CLUSTERS, owner["name"], group=daskcluster.API)
                await _delete(api, path, owner["uid"], how)
        await _delete(api, api.path("deployments", metadata["name"], group=record.APPS), metadata["uid"], how)
    gate = asyncio.Semaphore(AT_ONCE)
    await asyncio.gather(*(_end_pod(api, gate, pod) for pod in pods))


def ends(pod: Json) -> bool:
    """Whether a pod is about to end, as soon as the wall would want."""
    metadata = pod["metadata"]
    return "deletionTimestamp" in metadata and metadata.get("deletionGracePeriodSeconds", 0) <= GRACE


async def close(api: Api, space: WalledSpace, owners: Sequence[str], now: Time) -> None:
    """Have the admission policy refuse new pods of these owners, and of no others, by what stands on the namespace."""
    closed = ",".join(sorted({names.label(owner) for owner in owners if not space.owner or owner == space.owner}))
    looked = datetime.datetime.fromtimestamp(now, datetime.timezone.utc)
    if closed == space.closed and space.looked and looked < _moment(space.looked) + _FRESH:
        return
    written = {names.CLOSED: closed, names.LOOKED: looked.strftime(_TIME)}
    path = api.path("namespaces", space.name, namespace="")
    await api.request("PATCH", path, {"metadata": {"annotations": written}}, content=MERGE_PATCH, parse=False)


def _moment(text: str) -> datetime.datetime:
    """A moment as it stands on a namespace; long ago, where others have written there."""
    try:
        return datetime.datetime.strptime(text, _TIME).replace(tzinfo=datetime.timezone.utc)
    except ValueError:
        return datetime.datetime.fromtimestamp(0, datetime.timezone.utc)


async def _end_pod(api: Api, gate: asyncio.Semaphore, pod: Json) -> None:
    metadata = pod["metadata"]
    async with gate:
        await _delete(api, api.path("pods", metadata["name"]), metadata["uid"], {"gracePeriodSeconds": GRACE})


async def _delete(api: Api, path: str, uid: str, how: Json) -> None:
    """Delete what was looked at, and no later object of its name, whose account may be full."""
    try:
        await api.request("DELETE", path, {**how, "preconditions": {"uid": uid}}, parse=False)
    except Answer as answer:
        if answer.status not in (404, 409):
            raise

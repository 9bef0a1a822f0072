"""Asks Kubernetes for clusters on record, and ends those whose end nobody wrote down."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Sequence

from ....core.base import Time
from ....core.cluster import EndCause, Problem, Receipt
from ....core.errors import Unreadable
from ....core.ledger import Ledger, LedgerEntry
from ....core.lines import read_lines
from ....core.receipt import receipt_of
from ....core.run import RunState
from ....core.spend import SpendEntry
from .. import names
from ..api.client import MERGE_PATCH, Answer, Api, Json
from ..why import Facts, pending, refusal, restarted
from ..why.facts import containers, moment
from . import daskcluster, record
from .keeper import unpacked
from .kept import KeptFiles, Storage, change
from .stored import StoredCluster, last_cost, read_clusters

#: Seconds that the receipt of an ended cluster is kept.
KEPT = 7 * 24 * 3600.0
#: Seconds without a sign of life after which a scheduler is looked at.
SILENT = 20.0
#: Seconds after which a record that never got its scheduler's pod was left by somebody who died.
LEFT = 120.0

#: Why a cluster is gone of which nothing is left.
_BOTH = "its record and its receipt were deleted from Kubernetes"

#: Which Kubernetes, and which namespace of it.
_Namespace = tuple[str, str]


async def stored_clusters(api: Api) -> list[StoredCluster]:
    """All clusters of ours in the namespace. What died without a receipt gets one; old receipts are thrown away."""
    selector = f"{names.MANAGED_BY}={names.US}"
    path = api.path("deployments", group=record.APPS)
    records, *receipts = await asyncio.gather(
        api.request("GET", path, query={"labelSelector": f"{selector},{names.PART}=record"}),
        _receipts(api, "secrets", selector),
        _receipts(api, "configmaps", selector),
    )
    found = read_clusters(api, records.get("items") or [], [each for some in receipts for each in some])
    looked_at = await asyncio.gather(*(_looked_at(entry) for entry in found))
    return [entry for entry in looked_at if entry is not None]


async def pod_of(entry: StoredCluster) -> Json | None:
    """The scheduler's pod: the newest one."""
    query = {"labelSelector": f"{names.CLUSTER}={entry.ids.cluster},{names.PART}=scheduler"}
    found = (await entry.api.request("GET", entry.api.path("pods"), query=query)).get("items") or []
    return max(found, key=lambda pod: str(pod["metadata"]["creationTimestamp"]), default=None)


async def scheduler_problem(entry: StoredCluster) -> Problem | None:
    """Why the scheduler doesn't answer: its pod is pending, crashing or not there."""
    pod = await pod_of(entry)
    if pod is None:
        return await _no_pod(entry)
    query = {"fieldSelector": f"involvedObject.uid={pod['metadata']['uid']}"}
    events = (await entry.api.request("GET", entry.api.path("events"), query=query)).get("items") or []
    again = any(status.get("restartCount") for status in containers(pod))
    logs = await scheduler_log(entry, 10, previous=True) if again else []
    facts = Facts(events=events, logs=logs)
    return pending(pod, facts) or restarted(pod, "The scheduler was started again", facts)


async def scheduler_log(entry: StoredCluster, lines: int, previous: bool = False) -> list[str]:
    """The end of the scheduler's log; of the one before it was started again, with `previous`."""
    pod = await pod_of(entry)
    if pod is None:
        return []
    query = {"tailLines": lines, "container": "scheduler", **({"previous": "true"} if previous else {})}
    try:
        text = await entry.api.text(entry.api.path("pods", pod["metadata"]["name"]) + "/log", query)
    except Answer:  # no container yet
        return []
    return text.splitlines()


async def history(entry: StoredCluster) -> KeptFiles:
    """Its ledger, events, timeline and runs; none when they are gone."""
    try:
        found = await entry.api.request("GET", entry.api.path(entry.storage, entry.ids.history))
    except Answer as answer:
        if answer.status != 404:
            raise
        found = {}
    return KeptFiles(entry.storage, found)


async def write_end(entry: StoredCluster, cause: EndCause, why: str, ended: Time) -> Receipt:
    """Write the end of a cluster whose controller can't. Its cost ends with `ended`."""
    stored = await history(entry)
    try:
        ledger = Ledger(read_lines(LedgerEntry, unpacked(stored, "ledger.jsonl")))
        runs = len({run.id for run in read_lines(RunState, unpacked(stored, "runs.jsonl"))})
        spent = read_lines(SpendEntry, unpacked(stored, "spend.jsonl"))
        receipt = receipt_of(ledger, entry.spec, ended, cause, why, spent=spent, runs=runs)
        if not stored.item and entry.state is not None:  # its history is gone, but not what was told last
            receipt = receipt.model_copy(update=_last_known(entry))
    except Unreadable:  # then what it used is what its controller said last, and the cluster ends all the same
        receipt = receipt_of(Ledger([]), entry.spec, ended, cause, why).model_copy(update=_last_known(entry))
    if entry.fault is not None:  # without the spec, prices are not known
        receipt = receipt.model_copy(update=_last_known(entry))
    body = change({"receipt.json": receipt.model_dump_json()}, entry.storage)
    path = entry.api.path(entry.storage, entry.ids.receipt)
    try:
        await entry.api.request("PATCH", path, body, content=MERGE_PATCH, parse=False)
    except Answer as answer:
        if answer.status != 404:
            raise
    return receipt


def _last_known(entry: StoredCluster) -> dict[str, object]:
    """What becomes of a receipt whose ledger is lost: its cost is the last one that was told, and nobody can say what
    that would have been without what saves money."""
    return {"cost": last_cost(entry), "baseline": None}


async def _receipts(api: Api, storage: Storage, selector: str) -> list[KeptFiles]:
    """What is kept of clusters' receipts in that kind of object."""
    try:
        found = await api.request("GET", api.path(storage), query={"labelSelector": f"{selector},{names.PART}=receipt"})
    except Answer as answer:
        if storage == "configmaps" and answer.status == 403:
            return []  # who has rights to this version's clusters only, has no others
        raise
    return [KeptFiles(storage, item) for item in found.get("items") or []]


async def _looked_at(entry: StoredCluster) -> StoredCluster | None:
    """The entry with what is known of a scheduler that is silent, or with its end; None when nothing is left of it."""
    if entry.fault is not None:
        return entry  # what can't be read is never ended or removed
    now = time.time()
    if entry.receipt is not None:
        if entry.record is not None:
            await record.remove(entry.api, entry.ids)  # its controller could not
        elif entry.receipt.ended < now - KEPT:
            await record.forget(entry.api, entry.ids, entry.storage)
            return None
        elif entry.receipt.cause == "deleted" and entry.receipt.ended > now - LEFT:
            await daskcluster.end(entry.api, entry.ids)  # what was deleted may have been the Deployment below it
        return entry
    if entry.record is None:
        if await pod_of(entry) is not None or await _is_there(entry):
            return entry  # its controller is writing the receipt, or it was made between the two lists
        with_it = await _namespace_is_gone(entry.api)
        why = (
            f"its namespace {entry.api.namespace!r} was deleted"
            if with_it
            else "its record was deleted from Kubernetes"
        )
        receipt = await write_end(entry, "deleted", why, max(entry.alive, entry.spec.created))
        await daskcluster.end(entry.api, entry.ids)
        return dataclasses.replace(entry, receipt=receipt)
    made = moment(entry.record["metadata"]["creationTimestamp"])
    if not entry.ready and not entry.record["spec"].get("replicas") and made < now - LEFT:
        await asyncio.gather(record.remove(entry.api, entry.ids), record.forget(entry.api, entry.ids, entry.storage))
        return None
    if not entry.ready or entry.alive < now - SILENT:
        return dataclasses.replace(entry, problem=await scheduler_problem(entry) or entry.problem)
    return entry


async def _is_there(entry: StoredCluster) -> bool:
    """Whether the record is there, as it is asked for by its name: only that it isn't, or is a later cluster's, is a
    proof."""
    try:
        held = await entry.api.request("GET", entry.api.path("deployments", entry.ids.scheduler, group=record.APPS))
    except Answer as answer:
        if answer.status == 404:
            return False
        raise
    annotations = held["metadata"].get("annotations") or {}
    return bool(annotations.get(names.RECEIPT, entry.ids.receipt) == entry.ids.receipt)


async def _no_pod(entry: StoredCluster) -> Problem | None:
    """The Deployment says why it can't make the pod: a quota, an admission rule."""
    conditions = ((entry.record or {}).get("status") or {}).get("conditions") or []
    failed = next((c for c in conditions if c["type"] == "ReplicaFailure" and c["status"] == "True"), None)
    if failed is None:
        return None
    return refusal(403, {"message": failed.get("message", ""), "reason": failed.get("reason", "")})


class Vanished:
    """What this process saw of clusters, to list those of them that are gone."""

    def __init__(self) -> None:
        #: What was there at the last look, and what is gone since.
        self._there: dict[_Namespace, dict[str, StoredCluster]] = {}
        self._gone: dict[_Namespace, dict[str, StoredCluster]] = {}

    async def added_to(self, api: Api, found: Sequence[StoredCluster]) -> list[StoredCluster]:
        """`found`, and those that were there before and didn't end by themselves, as ended."""
        place, now = (api.host, api.namespace), {_key(entry): entry for entry in found}
        missing = [entry for key, entry in self._there.get(place, {}).items() if key not in now]
        with_it = bool(missing) and await _namespace_is_gone(api)
        self._there[place] = now  # only now: who is too impatient for that answer looks again
        gone = self._gone.setdefault(place, {})
        for entry in missing:
            if with_it or (entry.live and entry.ready):  # else it was forgotten, or never began
                why = f"its namespace {api.namespace!r} was deleted" if with_it else _BOTH
                gone[_key(entry)] = dataclasses.replace(entry, record=None, receipt=_receipt(entry, why))
        for key in [key for key, entry in gone.items() if key in now or entry.spec.created < time.time() - KEPT]:
            del gone[key]
        return [*found, *gone.values()]

    def forget(self, entry: StoredCluster) -> None:
        """List it no more."""
        for gone in self._gone.values():
            gone.pop(_key(entry), None)


def _key(entry: StoredCluster) -> str:
    """Tells a cluster from an earlier one of its name, however much of its record can be read."""
    return entry.ids.receipt


async def _namespace_is_gone(api: Api) -> bool:
    try:
        found = await api.request("GET", api.path("namespaces", api.namespace, namespace=""), timeout=5.0)
    except Answer as answer:
        return answer.status == 404
    return "deletionTimestamp" in found["metadata"]


def _receipt(entry: StoredCluster, why: str) -> Receipt:
    """What it had cost when it was last seen; its own receipt, if it had one by then."""
    if entry.receipt is not None:
        return entry.receipt.model_copy(update={"why": why} if entry.receipt.cause == "deleted" else {})
    receipt = receipt_of(Ledger([]), entry.spec, time.time(), "deleted", why)
    return receipt if entry.state is None else receipt.model_copy(update=_last_known(entry))

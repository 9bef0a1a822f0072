"""Clusters as Kubernetes has them on record: live ones, ended ones, and those whose end nobody wrote down."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import time
from dataclasses import dataclass

from ....core.base import Time
from ....core.cluster import ClusterSpec, ClusterState, EndCause, Event, Problem, Receipt, groups_asked
from ....core.ledger import Ledger, LedgerEntry
from ....core.receipt import receipt_of
from ....core.run import RunState
from .. import names
from ..api.client import MERGE_PATCH, Answer, Api, Json
from ..names import Names
from ..why import Facts, pending, restarted
from ..why.facts import containers, moment
from . import daskcluster, record
from .keeper import unpacked

#: Seconds that the receipt of an ended cluster is kept.
KEPT = 7 * 24 * 3600.0
#: Seconds without a sign of life after which a scheduler is looked at.
SILENT = 20.0
#: Seconds after which a record that never got its scheduler's pod was left by somebody who died.
LEFT = 120.0


@dataclass(frozen=True)
class Entry:
    """A cluster on record."""

    api: Api
    ids: Names
    spec: ClusterSpec
    record: Json | None
    receipt: Receipt | None = None
    #: What its controller said last.
    state: ClusterState | None = None
    alive: Time = 0
    #: Why its scheduler doesn't answer.
    problem: Problem | None = None

    @property
    def live(self) -> bool:
        """Whether it has not ended."""
        return self.receipt is None


async def entries(api: Api) -> list[Entry]:
    """All clusters of ours in the namespace. What died without a receipt gets one; old receipts are thrown away."""
    selector = f"{names.MANAGED_BY}={names.US}"
    records, receipts = await asyncio.gather(
        api.request(
            "GET",
            api.path("deployments", group=record.APPS),
            query={"labelSelector": f"{selector},{names.PART}=record"},
        ),
        api.request("GET", api.path("configmaps"), query={"labelSelector": f"{selector},{names.PART}=receipt"}),
    )
    live = {
        item["metadata"]["name"]: {**item, "apiVersion": record.APPS, "kind": "Deployment"}
        for item in records.get("items") or []
    }
    found = []
    for kept in receipts.get("items") or []:
        spec = ClusterSpec.model_validate_json(kept["data"]["spec.json"])
        ids = record.ids_of(spec, api.namespace)
        held = live.get(ids.scheduler)
        if held is not None and _spec(held).created == spec.created:
            del live[ids.scheduler]
        else:
            held = None
        found.append(_entry(api, ids, spec, held, kept))
    for held in live.values():
        spec = _spec(held)
        found.append(Entry(api, record.ids_of(spec, api.namespace), spec, held))
    settled = await asyncio.gather(*(_settle(entry) for entry in found))
    return [entry for entry in settled if entry is not None]


async def pod_of(entry: Entry) -> Json | None:
    """The scheduler's pod: the newest one."""
    query = {"labelSelector": f"{names.CLUSTER}={entry.ids.cluster},{names.PART}=scheduler"}
    found = (await entry.api.request("GET", entry.api.path("pods"), query=query)).get("items") or []
    return max(found, key=lambda pod: str(pod["metadata"]["creationTimestamp"]), default=None)


async def scheduler_problem(entry: Entry) -> Problem | None:
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


async def scheduler_log(entry: Entry, lines: int, previous: bool = False) -> list[str]:
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


async def history(entry: Entry) -> Json:
    """The ConfigMap with its ledger, events, timeline and runs; empty when it is gone."""
    try:
        return await entry.api.request("GET", entry.api.path("configmaps", entry.ids.history))
    except Answer as answer:
        if answer.status == 404:
            return {}
        raise


async def write_end(entry: Entry, cause: EndCause, why: str, ended: Time) -> Receipt:
    """Write the end of a cluster whose controller can't. Its cost ends with `ended`."""
    kept = await history(entry)
    ledger = Ledger(LedgerEntry.model_validate_json(line) for line in unpacked(kept, "ledger.jsonl").splitlines())
    runs = {RunState.model_validate_json(line).id for line in unpacked(kept, "runs.jsonl").splitlines()}
    receipt = receipt_of(ledger, entry.spec, ended, cause, why, runs=len(runs))
    body = {"data": {"receipt.json": receipt.model_dump_json()}}
    path = entry.api.path("configmaps", entry.ids.receipt)
    try:
        await entry.api.request("PATCH", path, body, content=MERGE_PATCH, parse=False)
    except Answer as answer:
        if answer.status != 404:
            raise
    return receipt


def shown(entry: Entry) -> ClusterState:
    """What a card shows, as far as records tell; a link knows more of a live one."""
    spec, receipt = entry.spec, entry.receipt
    state = entry.state or ClusterState(
        name=spec.name,
        place="kubernetes",
        profile=spec.profile.name,
        owner=spec.owner,
        maker=spec.maker,
        phase="starting",
        created=spec.created,
        groups=groups_asked(spec),
        limits=spec.profile.limits,
    )
    if receipt is not None:
        failed = receipt.cause in ("failed", "killed", "deleted")
        problem = Problem(what=f"Ended: {receipt.cause}", why=receipt.why) if failed else None
        update = {"phase": "ended", "ended": receipt.ended, "cause": receipt.cause, "cost": receipt.cost}
        return state.model_copy(update={**update, "problem": problem, "commands": [], "stop": None, "runs": []})
    if entry.record is None or "deletionTimestamp" in entry.record["metadata"]:
        return state.model_copy(update={"phase": "stopping"})
    return state.model_copy(update={"problem": entry.problem}) if entry.problem else state


def events_of(kept: Json) -> list[Event]:
    """The events in a history."""
    return [Event.model_validate_json(line) for line in unpacked(kept, "events.jsonl").splitlines()]


def _spec(held: Json) -> ClusterSpec:
    return ClusterSpec.model_validate_json(held["metadata"]["annotations"][record.SPEC])


def _entry(api: Api, ids: Names, spec: ClusterSpec, held: Json | None, kept: Json) -> Entry:
    data = kept["data"]
    receipt = Receipt.model_validate_json(data["receipt.json"]) if "receipt.json" in data else None
    state = ClusterState.model_validate(json.loads(data["state.json"])) if "state.json" in data else None
    return Entry(api, ids, spec, held, receipt, state, float(data.get("alive", 0)))


async def _settle(entry: Entry) -> Entry | None:
    now = time.time()
    if entry.receipt is not None:
        if entry.record is not None:
            await record.remove(entry.api, entry.ids)  # its controller could not
        elif entry.receipt.ended < now - KEPT:
            await record.forget(entry.api, entry.ids)
            return None
        elif entry.receipt.cause == "deleted" and entry.receipt.ended > now - LEFT:
            await daskcluster.end(entry.api, entry.ids)  # what was deleted may have been the Deployment below it
        return entry
    if entry.record is None:
        if await pod_of(entry) is not None:
            return entry  # its controller is writing the receipt
        why = "its record was deleted from Kubernetes"
        receipt = await write_end(entry, "deleted", why, max(entry.alive, entry.spec.created))
        await daskcluster.end(entry.api, entry.ids)
        return dataclasses.replace(entry, receipt=receipt)
    made = moment(entry.record["metadata"]["creationTimestamp"])
    if not entry.record["spec"].get("replicas") and made < now - LEFT:
        await asyncio.gather(record.remove(entry.api, entry.ids), record.forget(entry.api, entry.ids))
        return None
    if entry.state is None or entry.alive < now - SILENT:
        return dataclasses.replace(entry, problem=await scheduler_problem(entry))
    return entry


async def _no_pod(entry: Entry) -> Problem | None:
    """The Deployment says why it can't make the pod: a quota, an admission rule."""
    conditions = ((entry.record or {}).get("status") or {}).get("conditions") or []
    failed = next((c for c in conditions if c["type"] == "ReplicaFailure" and c["status"] == "True"), None)
    if failed is None:
        return None
    from ..why import refusal

    return refusal(403, {"message": failed.get("message", ""), "reason": failed.get("reason", "")})

"""What happens around the pods: their events, room on nodes, nodes of dead ones. What may not be read is left out."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Collection, Mapping
from typing import Any

from ....core import words
from ....core.cluster import ClusterSpec
from .. import names
from ..api.client import Answer, Api, Json, Unreachable
from ..api.watch import ObjectWatch
from ..node import is_spot
from ..options import options_of
from ..why import Facts
from ..why.facts import free, moment, no_node

#: Pods whose events are kept, and events of each.
PODS, EVENTS = 2000, 8
#: Seconds that a pod may take before anybody wonders: to look costs the API much, while it makes hundreds of them.
USUAL = 10.0
#: Seconds between two looks at a group's events and at the nodes.
EVENTS_EVERY, NODES_EVERY = 6.0, 30.0


class PodContext:
    """Gathers `Facts` about pods without ever making the scheduler wait."""

    def __init__(self, api: Api, spec: ClusterSpec) -> None:
        self._api, self._spec = api, spec
        self._events: OrderedDict[str, list[Json]] = OrderedDict()
        self._free: dict[str, dict[str, float]] | None = None
        patience = options_of(spec.profile).spot_fallback
        self._details = {} if patience is None else {"on demand after": words.span(patience)}
        self._looked_at_events = self._looked_at_nodes = 0.0
        query = {"fieldSelector": "type=Warning,involvedObject.kind=Pod"}
        self._watch = ObjectWatch(api, api.path("events"), query, self._synced, self._changed)

    async def run(self) -> None:
        """Follow the warnings until cancelled."""
        await self._watch.run()

    def facts(self, pod: Json) -> Facts:
        """What is known around a pod that doesn't run yet."""
        return Facts(events=self._events.get(_key(pod), ()), free=self._free, details=self._details)

    async def of_dead(self, pod: Json, logs: list[str], peak: float | None) -> Facts:
        """What is known around a pod that ended."""
        node, details = None, {}
        name = (pod.get("spec") or {}).get("nodeName")
        if name:
            try:
                node = await self._api.request("GET", self._api.path("nodes", name, namespace=""), timeout=5.0)
            except Answer as answer:
                details["node"] = "gone" if answer.status == 404 else "unknown"
            except Unreachable:
                details["node"] = "unknown"
        spot = self._asks_for_spot(pod) or (node is not None and is_spot(node["metadata"].get("labels") or {}))
        events = self._events.get(_key(pod), ())
        return Facts(events=events, node=node, logs=logs, peak=peak, spot=spot, details=details)

    def _asks_for_spot(self, pod: Json) -> bool:
        """Whether it runs on spot nodes only: these are seldom there any more when it is asked why it died."""
        metadata = pod["metadata"]
        group = (metadata.get("labels") or {}).get(names.GROUP)
        is_spots = any(each.name == group and each.spot for each in self._spec.profile.groups)
        return is_spots and names.ON_DEMAND not in (metadata.get("annotations") or {})

    async def look(self, waiting: Collection[Json]) -> None:
        """Ask for what no watch tells of pods that don't come: all events of one of each group, and room on nodes."""
        now, lately = time.monotonic(), time.time() - USUAL
        nowhere = [pod for pod in waiting if no_node(pod)]
        slow = [pod for pod in waiting if moment(pod["metadata"]["creationTimestamp"]) < lately]
        if (slow or nowhere) and now - self._looked_at_events > EVENTS_EVERY:
            self._looked_at_events = now
            first = {pod["metadata"]["labels"].get(names.GROUP): pod for pod in [*slow, *nowhere]}
            await asyncio.gather(*(self._all_events(pod) for pod in first.values()))
        if nowhere and now - self._looked_at_nodes > NODES_EVERY:
            self._looked_at_nodes = now
            await self._room()

    async def _all_events(self, pod: Json) -> None:
        query = {"fieldSelector": f"involvedObject.uid={pod['metadata']['uid']}"}
        try:
            found = await self._api.request("GET", self._api.path("events"), query=query, timeout=5.0)
        except (Answer, Unreachable):
            return
        items = sorted(found.get("items") or [], key=time_of)
        if items:
            self._events[pod["metadata"]["uid"]] = items[-EVENTS:]

    async def _room(self) -> None:
        try:
            nodes, placed = await asyncio.gather(
                self._api.request("GET", self._api.path("nodes", namespace="")),
                self._api.request(
                    "GET", self._api.path("pods", namespace=""), query={"fieldSelector": "status.phase!=Succeeded"}
                ),
            )
        except (Answer, Unreachable):
            self._free = None  # not allowed, or not now
            return
        self._free = await asyncio.to_thread(free, nodes.get("items") or [], placed.get("items") or [])

    def _synced(self, events: list[Json]) -> None:
        for event in sorted(events, key=time_of):
            self._changed("ADDED", event)

    def _changed(self, kind: str, event: Json) -> None:
        uid = event["involvedObject"].get("uid")
        name = event["involvedObject"].get("name", "")
        if kind == "DELETED" or not uid or not name.startswith(f"{self._spec.name}-"):
            return
        kept = self._events.setdefault(uid, [])
        kept[:] = [other for other in kept if other["metadata"]["uid"] != event["metadata"]["uid"]][-EVENTS + 1 :]
        kept.append(event)
        self._events.move_to_end(uid)
        if len(self._events) > PODS:
            self._events.popitem(last=False)


def _key(pod: Json) -> str:
    return str(pod["metadata"].get("uid", ""))


def time_of(event: Mapping[str, Any]) -> str:
    """When it was seen last, as Kubernetes writes it."""
    series = event.get("series") or {}
    return str(
        series.get("lastObservedTime")
        or event.get("lastTimestamp")
        or event.get("eventTime")
        or event["metadata"].get("creationTimestamp")
        or ""
    )

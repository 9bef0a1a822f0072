"""Clusters that went with their namespace, receipts and all: what this process saw of them last is what is left."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence

from ....core.cluster import Receipt
from ....core.ledger import Ledger
from ....core.receipt import receipt_of
from ..api.client import Answer, Api
from .entries import KEPT, Entry

_Key = tuple[str, float]
#: Which Kubernetes, and which namespace of it.
_Place = tuple[str, str]


class Vanished:
    """What this process saw of clusters, to list those of them that are gone."""

    def __init__(self) -> None:
        #: What was there at the last look, and what is gone since.
        self._there: dict[_Place, dict[_Key, Entry]] = {}
        self._gone: dict[_Place, dict[_Key, Entry]] = {}

    async def added_to(self, api: Api, found: Sequence[Entry]) -> list[Entry]:
        """`found`, and those that were there before and didn't end by themselves, as ended."""
        place, now = (api.host, api.namespace), {_key(entry): entry for entry in found}
        missing = [entry for key, entry in self._there.get(place, {}).items() if key not in now]
        self._there[place] = now
        gone = self._gone.setdefault(place, {})
        with_it = bool(missing) and await _namespace_is_gone(api)
        for entry in missing:
            if with_it or (entry.live and entry.state is not None):  # else it was forgotten, or never began
                gone[_key(entry)] = dataclasses.replace(entry, record=None, receipt=entry.receipt or _receipt(entry))
        for key in [key for key, entry in gone.items() if key in now or entry.spec.created < time.time() - KEPT]:
            del gone[key]
        return [*found, *gone.values()]

    def forget(self, entry: Entry) -> None:
        """List it no more."""
        for gone in self._gone.values():
            gone.pop(_key(entry), None)


def _key(entry: Entry) -> _Key:
    return entry.spec.name, entry.spec.created


async def _namespace_is_gone(api: Api) -> bool:
    try:
        found = await api.request("GET", api.path("namespaces", api.namespace, namespace=""), timeout=5.0)
    except Answer as answer:
        return answer.status == 404
    return "deletionTimestamp" in found["metadata"]


def _receipt(entry: Entry) -> Receipt:
    """What it had cost when it was last seen."""
    why = "its record and its receipt were deleted from Kubernetes"
    receipt = receipt_of(Ledger([]), entry.spec, time.time(), "deleted", why)
    if entry.state is None:
        return receipt
    cost = entry.state.cost
    return receipt.model_copy(
        update={"cost": cost if cost.per_hour is None else cost.model_copy(update={"per_hour": 0.0})}
    )

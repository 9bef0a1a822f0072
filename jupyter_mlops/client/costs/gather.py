"""The bills of all clusters: those that are kept, those that ended since, and those of live clusters so far."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable

from ... import places
from ...core.bill import Bill
from ...core.cluster import ClusterState, SilentPlace
from ...core.errors import MlopsError, UnknownCluster
from ...home import bills as book
from ..clusters.listing import list_clusters
from ..clusters.live import live_state


async def all_bills() -> tuple[list[Bill], list[SilentPlace]]:
    """All bills, oldest first, and the places that did not answer: they may have more. Raises `Unreadable`."""
    listing = await list_clusters()
    states = await asyncio.gather(*map(_now, listing.clusters))
    return await bills_of(states), listing.silent


async def _now(record: ClusterState) -> ClusterState:
    try:
        return await live_state(record)
    except UnknownCluster:  # it was removed since it was listed
        return record


async def bills_of(states: Iterable[ClusterState]) -> list[Bill]:
    """The bills that are kept, and those of these clusters, oldest first. What ended is kept from here on; where it
    can't be written, it is told all the same. Raises `Unreadable`."""
    known = await asyncio.to_thread(book.kept)
    new = [state for state in states if state.id not in known and not state.unreadable]
    made = await asyncio.gather(*map(_bill, new))
    with contextlib.suppress(MlopsError, OSError):  # a disk that can't be written is tried again the next time
        await asyncio.to_thread(book.keep, [bill for bill, is_final in made if is_final])
    return sorted([*known.values(), *(bill for bill, _ in made)], key=lambda bill: bill.created)


async def _bill(state: ClusterState) -> tuple[Bill, bool]:
    """A cluster's bill, and whether that is its last word: it has ended, and its place could say how."""
    try:
        place = places.get(state.place)
        receipt = await place.receipt(state.id) if state.phase == "ended" else None
        return Bill.of(state, receipt, await place.runs(state.id)), state.phase == "ended"
    except MlopsError:  # a place that has forgotten it, is away or no longer installed: what its state says counts
        return Bill.of(state, None, []), False

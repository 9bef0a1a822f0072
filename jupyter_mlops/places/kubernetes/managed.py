"""Clusters that we made: they have a controller, which is asked where it answers, and a record in Kubernetes."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from ...controller.link import Link
from ...controller.roles import CLIENT
from ...controller.runs.results import kept_parts
from ...core.base import Time
from ...core.cluster import ClusterSpec, ClusterState, EndCause, Event, Problem, Receipt, Sample
from ...core.errors import (
    ClusterEnded,
    ClusterUnreachable,
    Conflict,
    MlopsError,
    StartFailed,
    UnknownCluster,
    UnknownWorker,
    Unreadable,
)
from ...core.lines import read_lines
from ...core.run import RunState
from ...home.clusters import RESULTS
from .. import keys
from ..base import Address, ends_itself
from . import names
from .api.client import Json
from .options import options_of
from .placed import unreachable
from .records import keeper, listing, logs, record
from .records.listing import Vanished
from .records.stored import StoredCluster, state_of
from .tunnel.connections import Connections, has_name_here

if TYPE_CHECKING:
    from distributed.security import Security

#: Seconds between two looks at a record that is waited for.
_LOOK = 0.25


@dataclass(frozen=True)
class ManagedCluster:
    """Implements `PlacedCluster`.

    Parameters
    ----------
    connections, vanished : of the place.
    entry : the cluster as it was listed.
    """

    connections: Connections
    vanished: Vanished
    entry: StoredCluster

    @property
    def spec(self) -> ClusterSpec:
        """As in `PlacedCluster`."""
        return self.entry.spec

    @property
    def fault(self) -> Problem | None:
        """As in `PlacedCluster`."""
        return self.entry.fault

    @property
    def live(self) -> bool:
        """As in `PlacedCluster`."""
        return self.entry.live

    def state(self) -> ClusterState:
        """As in `PlacedCluster`."""
        return state_of(self.entry)

    async def address(self, timeout: float) -> Address:
        """As in `PlacedCluster`. From outside of the Kubernetes cluster, the address is a tunnel's."""
        return await self.connections.run(self._address(timeout))

    async def link(self, timeout: float) -> Link:
        """As in `PlacedCluster`."""
        from ...controller.remote import answering
        from .tunnel.remote import KubernetesLink

        address = await self.address(timeout)
        link = KubernetesLink(self.connections, address.url, address.security, self.entry.api, self.spec.name)
        return await answering(link)

    async def stop(self, cause: str, why: str, force: bool) -> None:
        """As in `PlacedCluster`: through its controller when that answers in time, else by removing its record."""
        if not self.live:
            return
        if not force and self.entry.ready and self.fault is None and await ends_itself(self.link, cause, why):
            return
        await self.connections.run(self._end(cause, why))

    async def forget(self) -> None:
        """As in `PlacedCluster`. Raises `Conflict` when it is alive."""
        if self.live:
            raise Conflict(f"Cluster {self.spec.name!r} is alive", todo="Stop it first.")
        self.vanished.forget(self.entry)
        await self.connections.run(record.forget(self.entry.api, self.entry.ids, self.entry.storage))

    def receipt(self) -> Receipt | None:
        """As in `PlacedCluster`; None, too, when it can't be read."""
        return self.entry.receipt if self.fault is None else None

    async def events(self) -> list[Event]:
        """As in `PlacedCluster`. Events that can't be read are one event, which says so."""
        try:
            return read_lines(Event, await self._stored("events.jsonl"))
        except Unreadable as error:
            problem = Problem.of(error)
            return [Event(seq=1, time=self.spec.created, kind="problem", text=error.what, problem=problem)]

    async def timeline(self, since: Time) -> list[Sample]:
        """As in `PlacedCluster`; empty when it can't be read, which the events say."""
        with contextlib.suppress(Unreadable):
            lines = await self._stored("timeline.jsonl")
            return [sample for sample in read_lines(Sample, lines) if sample.time > since]
        return []

    async def runs(self) -> list[RunState]:
        """As in `PlacedCluster`; none when they can't be read, which the events say."""
        with contextlib.suppress(Unreadable):
            return list({run.id: run for run in read_lines(RunState, await self._stored("runs.jsonl"))}.values())
        return []

    async def results(self, run: str) -> list[bytes]:
        """As in `PlacedCluster`."""
        return kept_parts(await self._stored(RESULTS), run)

    async def logs(self, worker: str | None, lines: int) -> list[str]:
        """As in `PlacedCluster`. Raises `UnknownWorker`."""
        if not self.live:
            saved = logs.in_text(await self._stored(logs.LOGS))
            if worker is not None and worker not in saved:
                raise UnknownWorker.named(worker, [known for known in saved if known])
            return saved.get(worker or logs.SCHEDULER, [])[-lines:]
        if worker is None:
            return await self.connections.run(listing.scheduler_log(self.entry, lines))
        link = await self.link(30.0)
        try:
            return await link.logs(worker, lines)
        finally:
            await link.close()

    async def _stored(self, file: str) -> str:
        return keeper.unpacked(await self.connections.run(listing.history(self.entry)), file)

    async def _address(self, timeout: float) -> Address:
        deadline, entry = time.monotonic() + timeout, self.entry
        while True:
            if entry.fault is not None:
                raise unreachable(entry.fault)
            if entry.receipt is not None:
                raise _ended(entry.receipt)
            if entry.ready:
                return await _address(self.connections, entry)
            if time.monotonic() > deadline:
                raise _not_ready(entry, timeout)
            await asyncio.sleep(_LOOK)
            entry = await _again(entry)

    async def _end(self, cause: str, why: str) -> None:
        """End it without its controller: write its receipt, and let Kubernetes remove all of it."""
        entry = self.entry
        if not why and cause == "user":
            why = "its scheduler didn't answer" if entry.ready else "before it was ready"
        await listing.write_end(entry, cast(EndCause, cause), why, time.time())
        await record.remove(entry.api, entry.ids)
        await self.connections.close_tunnels(entry.api, entry.ids.cluster)


async def _again(entry: StoredCluster) -> StoredCluster:
    """The same cluster, as it is now. Raises `UnknownCluster` when its record is gone."""
    for other in await listing.stored_clusters(entry.api):
        if other.ids.receipt == entry.ids.receipt:
            return other
    raise UnknownCluster.named(entry.spec.name, [])


async def _address(connections: Connections, entry: StoredCluster) -> Address:
    """By DNS from inside of the same Kubernetes cluster, else through a tunnel."""
    tls = options_of(entry.spec.profile).tls
    security = None
    if tls:
        security = security_of(await entry.api.request("GET", entry.api.path("secrets", entry.ids.tls)))
    scheme = "tls" if tls else "tcp"
    if await has_name_here(entry.ids.host):
        return Address(f"{scheme}://{entry.ids.host}:{names.SCHEDULER_PORT}", security)
    port = await connections.tunnel(entry.api, entry.ids.cluster, names.RELAY_PORT, guarded=not tls)
    return Address(f"{scheme}://127.0.0.1:{port}", security)


def security_of(secret: Json) -> Security:
    """Dask's security settings of the clients' key in a cluster's Secret. Raises `ClusterUnreachable` when it can't be
    read."""
    data = secret.get("data") or {}
    try:
        found = {name: base64.b64decode(text, validate=True).decode("ascii") for name, text in data.items()}
        pair = keys.Pair(found["tls.key"], found["tls.crt"])
    except (LookupError, TypeError, ValueError) as error:
        where = f"Secret {secret['metadata'].get('namespace', '')}/{secret['metadata']['name']}"
        todo = "Stop the cluster and start a new one."
        raise ClusterUnreachable("The key of the cluster can't be read", f"{where}: {error!r}", todo) from None
    if "ca.crt" not in found:  # made before each part had its own
        return keys.security_of_one(pair)
    return keys.security(found["ca.crt"], **{CLIENT: pair})


def _ended(receipt: Receipt) -> MlopsError:
    todo = "Start a new one, by the same profile."
    if receipt.cause == "failed":
        return StartFailed(f"Cluster {receipt.name!r} could not be started", receipt.why, todo)
    return ClusterEnded(f"Cluster {receipt.name!r} has ended", receipt.ending, todo)


def _not_ready(entry: StoredCluster, timeout: float) -> MlopsError:
    problem = entry.problem
    if problem is None:
        why = f"its scheduler did not start within {timeout:.0f} s"
        return ClusterUnreachable(f"Cluster {entry.spec.name!r} isn't ready", why, "Wait a little, and try again.")
    return StartFailed(f"Cluster {entry.spec.name!r} doesn't start", problem.words, problem.todo)

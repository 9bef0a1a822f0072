"""Clusters that we made: they have a controller, which is asked where it answers, and a record in Kubernetes."""

from __future__ import annotations

import asyncio
import base64
import time
from dataclasses import dataclass
from typing import cast

from ...controller.link import Link
from ...controller.runs.results import RESULTS, kept_parts
from ...core.base import Time
from ...core.cluster import ClusterSpec, ClusterState, EndCause, Event, Receipt, Sample
from ...core.errors import (
    ClusterEnded,
    ClusterUnreachable,
    Conflict,
    MlopsError,
    StartFailed,
    UnknownCluster,
    UnknownWorker,
)
from ...core.run import RunState
from .. import keys
from ..base import Address, ends_itself
from . import names
from .options import options_of
from .records import entries, lastlogs, record
from .records.entries import Entry
from .records.keeper import unpacked
from .records.vanished import Vanished
from .tunnel.connections import Connections, has_name_here

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
    entry: Entry

    @property
    def spec(self) -> ClusterSpec:
        """As in `PlacedCluster`."""
        return self.entry.spec

    @property
    def live(self) -> bool:
        """As in `PlacedCluster`."""
        return self.entry.live

    def state(self) -> ClusterState:
        """As in `PlacedCluster`."""
        return entries.shown(self.entry)

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
        if not force and self.entry.state is not None and await ends_itself(self.link, cause, why):
            return
        await self.connections.run(self._end(cause, why))

    async def forget(self) -> None:
        """As in `PlacedCluster`. Raises `Conflict` when it is alive."""
        if self.live:
            raise Conflict(f"Cluster {self.spec.name!r} is alive", todo="Stop it first.")
        self.vanished.forget(self.entry)
        await self.connections.run(record.forget(self.entry.api, self.entry.ids))

    def receipt(self) -> Receipt | None:
        """As in `PlacedCluster`."""
        return self.entry.receipt

    async def events(self) -> list[Event]:
        """As in `PlacedCluster`."""
        return entries.events_of(await self.connections.run(entries.history(self.entry)))

    async def timeline(self, since: Time) -> list[Sample]:
        """As in `PlacedCluster`."""
        lines = (await self._stored("timeline.jsonl")).splitlines()
        return [sample for line in lines if (sample := Sample.model_validate_json(line)).time > since]

    async def runs(self) -> list[RunState]:
        """As in `PlacedCluster`."""
        lines = (await self._stored("runs.jsonl")).splitlines()
        return list({run.id: run for run in map(RunState.model_validate_json, lines)}.values())

    async def results(self, run: str) -> list[bytes]:
        """As in `PlacedCluster`."""
        return kept_parts(await self._stored(RESULTS), run)

    async def logs(self, worker: str | None, lines: int) -> list[str]:
        """As in `PlacedCluster`. Raises `UnknownWorker`."""
        if not self.live:
            kept = lastlogs.read(await self.connections.run(entries.history(self.entry)))
            if worker is not None and worker not in kept:
                raise UnknownWorker.named(worker, [known for known in kept if known])
            return kept.get(worker or lastlogs.SCHEDULER, [])[-lines:]
        if worker is None:
            return await self.connections.run(entries.scheduler_log(self.entry, lines))
        link = await self.link(30.0)
        try:
            return await link.logs(worker, lines)
        finally:
            await link.close()

    async def _stored(self, file: str) -> str:
        return unpacked(await self.connections.run(entries.history(self.entry)), file)

    async def _address(self, timeout: float) -> Address:
        deadline, entry = time.monotonic() + timeout, self.entry
        while True:
            if entry.receipt is not None:
                raise _ended(entry.receipt)
            if entry.state is not None:
                return await _address(self.connections, entry)
            if time.monotonic() > deadline:
                raise _not_ready(entry, timeout)
            await asyncio.sleep(_LOOK)
            entry = await _again(entry)

    async def _end(self, cause: str, why: str) -> None:
        """End it without its controller: write its receipt, and let Kubernetes remove all of it."""
        entry = self.entry
        if not why and cause == "user":
            why = "its scheduler didn't answer" if entry.state else "before it was ready"
        await entries.write_end(entry, cast(EndCause, cause), why, time.time())
        await record.remove(entry.api, entry.ids)
        await self.connections.close_tunnels(entry.api, entry.ids.cluster)


async def _again(entry: Entry) -> Entry:
    """The same cluster, as it is now. Raises `UnknownCluster` when its record is gone."""
    for other in await entries.entries(entry.api):
        if (other.spec.name, other.spec.created) == (entry.spec.name, entry.spec.created):
            return other
    raise UnknownCluster.named(entry.spec.name, [])


async def _address(connections: Connections, entry: Entry) -> Address:
    """By DNS from inside of the same Kubernetes cluster, else through a tunnel."""
    tls = options_of(entry.spec.profile).tls
    security = None
    if tls:
        secret = await entry.api.request("GET", entry.api.path("secrets", entry.ids.tls))
        pair = {name: base64.b64decode(data).decode() for name, data in secret["data"].items()}
        security = keys.security(pair["tls.key"], pair["tls.crt"])
    scheme = "tls" if tls else "tcp"
    if await has_name_here(entry.ids.host):
        return Address(f"{scheme}://{entry.ids.host}:{names.SCHEDULER_PORT}", security)
    port = await connections.tunnel(entry.api, entry.ids.cluster, names.RELAY_PORT)
    return Address(f"{scheme}://127.0.0.1:{port}", security)


def _ended(receipt: Receipt) -> MlopsError:
    why = f"{receipt.cause}: {receipt.why}" if receipt.why else receipt.cause
    todo = "Start a new one, by the same profile."
    if receipt.cause == "failed":
        return StartFailed(f"Cluster {receipt.name!r} could not be started", receipt.why, todo)
    return ClusterEnded(f"Cluster {receipt.name!r} has ended", why, todo)


def _not_ready(entry: Entry, timeout: float) -> MlopsError:
    problem = entry.problem
    if problem is None:
        why = f"its scheduler did not start within {timeout:.0f} s"
        return ClusterUnreachable(f"Cluster {entry.spec.name!r} isn't ready", why, "Wait a little, and try again.")
    return StartFailed(
        f"Cluster {entry.spec.name!r} doesn't start", f"{problem.what}: {problem.why}".rstrip(": "), problem.todo
    )

"""Clusters of ours: they have a controller, which is asked where it answers, and a record in Kubernetes."""

from __future__ import annotations

import asyncio
import base64
import os
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
from ...core.waiting import wait_for
from .. import keys
from ..base import Address, ends_itself
from . import names
from .records import entries, lastlogs, record, vanished
from .records.entries import Entry
from .records.keeper import unpacked
from .tunnel.connections import hub

#: Seconds between two looks at a record that is waited for.
_LOOK = 0.25


@dataclass(frozen=True)
class Ours:
    """Implements `Known`."""

    entry: Entry

    @property
    def spec(self) -> ClusterSpec:
        """As in `Known`."""
        return self.entry.spec

    @property
    def live(self) -> bool:
        """As in `Known`."""
        return self.entry.live

    def state(self) -> ClusterState:
        """As in `Known`."""
        return entries.shown(self.entry)

    async def address(self, timeout: float) -> Address:
        """As in `Known`. From outside of the Kubernetes cluster, the address is a tunnel's."""
        return await hub().run(self._address(timeout))

    async def link(self, timeout: float) -> Link:
        """As in `Known`."""
        from ...controller.remote import answering
        from .tunnel.remote import KubernetesLink

        address = await self.address(timeout)
        return await answering(KubernetesLink(address.url, address.security, self.entry.api, self.spec.name))

    async def stop(self, cause: str, why: str, force: bool) -> None:
        """As in `Known`: through its controller when that answers in time, else by removing its record."""
        if not self.live:
            return
        if not force and self.entry.state is not None and await ends_itself(self.link, cause, why):
            return
        await hub().run(_end(self.entry, cause, why))

    async def forget(self) -> None:
        """As in `Known`. Raises `Conflict` when it is alive."""
        if self.live:
            raise Conflict(f"Cluster {self.spec.name!r} is alive", todo="Stop it first.")
        vanished.forget(self.entry)
        await hub().run(record.forget(self.entry.api, self.entry.ids))

    def receipt(self) -> Receipt | None:
        """As in `Known`."""
        return self.entry.receipt

    async def events(self) -> list[Event]:
        """As in `Known`."""
        return entries.events_of(await hub().run(entries.history(self.entry)))

    async def timeline(self, since: Time) -> list[Sample]:
        """As in `Known`."""
        lines = (await self._kept("timeline.jsonl")).splitlines()
        return [sample for line in lines if (sample := Sample.model_validate_json(line)).time > since]

    async def runs(self) -> list[RunState]:
        """As in `Known`."""
        lines = (await self._kept("runs.jsonl")).splitlines()
        return list({run.id: run for run in map(RunState.model_validate_json, lines)}.values())

    async def results(self, run: str) -> list[bytes]:
        """As in `Known`."""
        return kept_parts(await self._kept(RESULTS), run)

    async def logs(self, worker: str | None, lines: int) -> list[str]:
        """As in `Known`. Raises `UnknownWorker`."""
        if not self.live:
            kept = lastlogs.read(await hub().run(entries.history(self.entry)))
            if worker is not None and worker not in kept:
                raise UnknownWorker.named(worker, [known for known in kept if known])
            return kept.get(worker or lastlogs.SCHEDULER, [])[-lines:]
        if worker is None:
            return await hub().run(entries.scheduler_log(self.entry, lines))
        link = await self.link(30.0)
        try:
            return await link.logs(worker, lines)
        finally:
            await link.close()

    async def _kept(self, file: str) -> str:
        return unpacked(await hub().run(entries.history(self.entry)), file)

    async def _address(self, timeout: float) -> Address:
        deadline, entry = time.monotonic() + timeout, self.entry
        while True:
            if entry.receipt is not None:
                raise _ended(entry.receipt)
            if entry.state is not None:
                return await _reach(entry)
            if time.monotonic() > deadline:
                raise _not_ready(entry, timeout)
            await asyncio.sleep(_LOOK)
            entry = await _again(entry)


async def _again(entry: Entry) -> Entry:
    """The same cluster, as it is now. Raises `UnknownCluster` when its record is gone."""
    for other in await entries.entries(entry.api):
        if (other.spec.name, other.spec.created) == (entry.spec.name, entry.spec.created):
            return other
    raise UnknownCluster.named(entry.spec.name, [])


async def _reach(entry: Entry) -> Address:
    """By DNS from inside of the same Kubernetes cluster, else through a tunnel."""
    tls = entry.spec.profile.kubernetes.tls
    security = None
    if tls:
        secret = await entry.api.request("GET", entry.api.path("secrets", entry.ids.tls))
        pair = {name: base64.b64decode(data).decode() for name, data in secret["data"].items()}
        security = keys.security(pair["tls.key"], pair["tls.crt"])
    scheme = "tls" if tls else "tcp"
    if await has_name_here(entry.ids.host):
        return Address(f"{scheme}://{entry.ids.host}:{names.SCHEDULER_PORT}", security)
    port = await hub().tunnel(entry.api, entry.ids.cluster, names.RELAY_PORT)
    return Address(f"{scheme}://127.0.0.1:{port}", security)


async def has_name_here(host: str) -> bool:
    """Whether the service `host` is found by DNS: from inside of its Kubernetes cluster."""
    if "KUBERNETES_SERVICE_HOST" not in os.environ:
        return False
    try:
        await wait_for(asyncio.get_running_loop().getaddrinfo(host, names.SCHEDULER_PORT), 2.0)
    except (OSError, asyncio.TimeoutError):
        return False
    return True


async def _end(entry: Entry, cause: str, why: str) -> None:
    """End a cluster without its controller: write its receipt, and let Kubernetes remove all of it."""
    if not why and cause == "user":
        why = "its scheduler didn't answer" if entry.state else "before it was ready"
    await entries.settle(entry, cast(EndCause, cause), why, time.time())
    await record.remove(entry.api, entry.ids)
    await hub().close_tunnels(entry.api, entry.ids.cluster)


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

"""The Kubernetes place: what the upper layers call. Holds nothing: Kubernetes' records are the truth."""

from __future__ import annotations

import asyncio
import base64
import os
import time
from typing import ClassVar, cast

from ...controller.link import Link
from ...controller.results import RESULTS, kept_parts
from ...core.cluster import ClusterSpec, ClusterState, EndCause, Event, Problem, Receipt, Sample
from ...core.errors import (
    ClusterEnded,
    ClusterUnreachable,
    Conflict,
    InvalidSpec,
    MlopsError,
    StartFailed,
    Unavailable,
    UnknownCluster,
    UnknownWorker,
)
from ...core.model import Time
from ...core.profile import Place, Profile
from ...core.run import RunState
from .. import keys
from ..base import Address, Backend
from . import daskcluster, entries, lastlogs, names, record
from .api import Answer, Unreachable
from .check import check
from .entries import Entry
from .hub import hub
from .keeper import unpacked
from .pricelist import price_list
from .template import scheduler_pod, worker_pod
from .where import Where, everywhere, remember, where

#: Seconds between two looks at a record that is waited for.
_LOOK = 0.25
#: Seconds that a controller may take to accept its end, before the cluster is ended by force.
_PATIENCE = 5.0
#: Seconds for Kubernetes to answer a list.
_LIST = 8.0


#: The last list of each place, to be shown as unreachable while Kubernetes doesn't answer.
_seen: dict[Where, list[ClusterState]] = {}
#: Places that didn't answer the last time, and who asks them again.
_silent: dict[Where, asyncio.Future[list[ClusterState]] | None] = {}


class KubernetesBackend(Backend):
    """Clusters of pods."""

    place: ClassVar[Place] = "kubernetes"

    async def check(self, profile: Profile) -> None:
        """As in `Backend`: the templates make pods, and the user has the rights."""
        spec = ClusterSpec(name="check", owner="check", profile=profile, created=0)
        _check_templates(spec)
        await hub().run(self._check(spec))

    async def start(self, spec: ClusterSpec) -> ClusterState:
        """As in `Backend`. Raises `InvalidSpec` before anything is made, too."""
        _check_templates(spec)
        return await hub().run(self._start(spec))

    async def clusters(self) -> list[ClusterState]:
        """As in `Backend`. Where Kubernetes doesn't answer, what was seen there last, as unreachable."""
        found = await asyncio.gather(*(hub().run(_states(place)) for place in await asyncio.to_thread(everywhere)))
        states = {(state.name, state.created): state for some in found for state in some}
        return sorted(states.values(), key=lambda state: state.created, reverse=True)

    async def get(self, name: str) -> ClusterState:
        """As in `Backend`."""
        return entries.shown(await self._entry(name))

    async def spec(self, name: str) -> ClusterSpec:
        """As in `Backend`."""
        return (await self._entry(name)).spec

    async def address(self, name: str, timeout: float = 30.0) -> Address:
        """As in `Backend`. From outside of the Kubernetes cluster, the address is a tunnel's."""
        return await hub().run(self._address(name, timeout))

    async def link(self, name: str, timeout: float = 30.0) -> Link:
        """As in `Backend`."""
        from .remote import open_link

        address = await self.address(name, timeout)
        entry = await self._entry(name)
        return await open_link(address.url, address.security, entry.api, name)

    async def stop(self, name: str, cause: str = "user", why: str = "", force: bool = False) -> None:
        """As in `Backend`."""
        entry = await self._entry(name)
        if not entry.live:
            return
        if not force and entry.state is not None and await self._stopped(name, cause, why):
            return
        await hub().run(_end(entry, cause, why))

    async def forget(self, name: str) -> None:
        """As in `Backend`."""
        entry = await self._entry(name)
        if entry.live:
            raise Conflict(f"Cluster {name!r} is alive", todo="Stop it first.")
        await hub().run(record.forget(entry.api, entry.ids))

    async def receipt(self, name: str) -> Receipt | None:
        """As in `Backend`."""
        return (await self._entry(name)).receipt

    async def events(self, name: str) -> list[Event]:
        """As in `Backend`."""
        return entries.events_of(await hub().run(entries.history(await self._entry(name))))

    async def timeline(self, name: str, since: Time = 0) -> list[Sample]:
        """As in `Backend`."""
        kept = await hub().run(entries.history(await self._entry(name)))
        samples = [Sample.model_validate_json(line) for line in unpacked(kept, "timeline.jsonl").splitlines()]
        return [sample for sample in samples if sample.time > since]

    async def runs(self, name: str) -> list[RunState]:
        """As in `Backend`."""
        kept = await hub().run(entries.history(await self._entry(name)))
        states = [RunState.model_validate_json(line) for line in unpacked(kept, "runs.jsonl").splitlines()]
        return list({state.id: state for state in states}.values())

    async def results(self, name: str, run: str) -> list[bytes]:
        """As in `Backend`."""
        kept = await hub().run(entries.history(await self._entry(name)))
        return kept_parts(unpacked(kept, RESULTS), run)

    async def logs(self, name: str, worker: str | None = None, lines: int = 200) -> list[str]:
        """As in `Backend`. Raises `UnknownWorker`, too."""
        entry = await self._entry(name)
        if not entry.live:
            kept = lastlogs.read(await hub().run(entries.history(entry)))
            if worker is not None and worker not in kept:
                raise UnknownWorker.named(worker, [known for known in kept if known])
            return kept.get(worker or lastlogs.SCHEDULER, [])[-lines:]
        if worker is None:
            return await hub().run(entries.scheduler_log(entry, lines))
        link = await self.link(name)
        try:
            return await link.logs(worker, lines)
        finally:
            await link.close()

    async def _check(self, spec: ClusterSpec) -> None:
        api = await hub().api(*where(spec.profile))
        (await check(api)).raise_missing()
        if spec.profile.kubernetes.record == "operator":
            refusal = await daskcluster.try_out(api, spec, record.ids_of(spec, api.namespace))
            if refusal is not None:
                raise refusal

    async def _start(self, spec: ClusterSpec) -> ClusterState:
        api = await hub().api(*where(spec.profile))
        await asyncio.to_thread(remember, where(spec.profile))
        new_pair = asyncio.to_thread(keys.new_pair if spec.profile.kubernetes.tls else _no_pair)
        prices, pair = await asyncio.gather(price_list(api, spec), new_pair)
        made = await record.make(api, spec, pair, prices)
        return entries.shown(Entry(api, record.ids_of(spec, api.namespace), spec, made))

    async def _entry(self, name: str) -> Entry:
        return await hub().run(_find(name))

    async def _address(self, name: str, timeout: float) -> Address:
        deadline = time.monotonic() + timeout
        while True:
            entry = await _find(name)
            if entry.receipt is not None:
                raise _ended(entry.receipt)
            if entry.state is not None:
                return await _reach(entry)
            if time.monotonic() > deadline:
                raise _not_ready(entry, timeout)
            await asyncio.sleep(_LOOK)

    async def _stopped(self, name: str, cause: str, why: str) -> bool:
        """Whether the controller accepted to end the cluster, in time."""
        try:
            await asyncio.wait_for(self._ask_to_stop(name, cause, why), _PATIENCE)
        except (asyncio.TimeoutError, ClusterUnreachable):
            return False
        except (ClusterEnded, StartFailed):
            pass
        return True

    async def _ask_to_stop(self, name: str, cause: str, why: str) -> None:
        link = await self.link(name, _PATIENCE)
        try:
            await link.stop(cause, why)
        finally:
            await link.close()


def _check_templates(spec: ClusterSpec) -> None:
    """Raise `InvalidSpec` when the profile's and groups' templates don't merge into pods."""
    ids = names.Names(spec.name, "check")
    scheduler_pod(spec, ids)
    for group in spec.profile.groups:
        worker_pod(spec, group, f"{group.name}-1", ids, {})


def _no_pair() -> None:
    """A cluster without TLS has no key."""


async def _states(place: Where) -> list[ClusterState]:
    """The clusters of a place. One that didn't answer the last time is asked again beside: nobody waits for it."""
    if place not in _silent:
        return await _look(place)
    asking = _silent[place]
    if asking is None or asking.done():
        _silent[place] = asyncio.ensure_future(_look(place))
    return _unreachable(place)


async def _look(place: Where) -> list[ClusterState]:
    try:
        api = await hub().api(*place)
        _seen[place] = [entries.shown(each) for each in await asyncio.wait_for(entries.entries(api), _LIST)]
    except (Unreachable, Answer, asyncio.TimeoutError) as error:
        if not isinstance(error, Answer) or error.status not in (401, 403):
            _silent.setdefault(place, None)
            return _unreachable(place)
        _seen[place] = []  # not ours to see; starting one there says so in words
    except (Unavailable, InvalidSpec):
        _seen[place] = []  # no Kubernetes here
    _silent.pop(place, None)
    return _seen[place]


def _unreachable(place: Where) -> list[ClusterState]:
    """What was seen there last."""
    problem = Problem(what="Kubernetes doesn't answer", todo="Check the network (VPN?); the cluster lives on.")
    return [
        state if state.phase == "ended" else state.model_copy(update={"phase": "unreachable", "problem": problem})
        for state in _seen.get(place, [])
    ]


async def _find(name: str) -> Entry:
    """The newest cluster of that name, in all places; a live one goes first."""
    found: list[Entry] = []
    unreachable: MlopsError | None = None
    for place in await asyncio.to_thread(everywhere):
        try:
            there = await entries.entries(await hub().api(*place))
            _seen[place] = [entries.shown(entry) for entry in there]
            found += there
        except Unreachable as error:
            unreachable = ClusterUnreachable(error.what, error.why, error.todo)
        except Answer as answer:
            if answer.status not in (401, 403):
                raise
            unreachable = unreachable or answer.error
        except (Unavailable, InvalidSpec):
            continue
    named = [entry for entry in found if entry.spec.name == name]
    if not named:
        raise unreachable or UnknownCluster.named(name, [entry.spec.name for entry in found])
    return max(named, key=lambda entry: (entry.live, entry.spec.created))


async def _reach(entry: Entry) -> Address:
    """By DNS from inside of the same Kubernetes cluster, else through a tunnel."""
    tls = entry.spec.profile.kubernetes.tls
    security = None
    if tls:
        secret = await entry.api.request("GET", entry.api.path("secrets", entry.ids.tls))
        pair = {name: base64.b64decode(data).decode() for name, data in secret["data"].items()}
        security = keys.security(pair["tls.key"], pair["tls.crt"])
    scheme = "tls" if tls else "tcp"
    if "KUBERNETES_SERVICE_HOST" in os.environ and await _resolves(entry.ids.host):
        return Address(f"{scheme}://{entry.ids.host}:{names.SCHEDULER_PORT}", security)
    port = await hub().tunnel(entry.api, entry.ids.cluster, names.RELAY_PORT)
    return Address(f"{scheme}://127.0.0.1:{port}", security)


async def _resolves(host: str) -> bool:
    try:
        await asyncio.wait_for(asyncio.get_running_loop().getaddrinfo(host, names.SCHEDULER_PORT), 2.0)
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

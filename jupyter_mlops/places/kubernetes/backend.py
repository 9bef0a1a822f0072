"""The Kubernetes place: what the upper layers call.

It holds connections and what was seen last, and nothing that would be lost with it: Kubernetes' records are the truth.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar

from ...controller.link import Link
from ...core.account import AccountBook, AccountStore
from ...core.base import Input, Seconds, Time
from ...core.cluster import ClusterSpec, ClusterState, Event, Problem, Receipt, Sample
from ...core.estimate import Quotes
from ...core.price import Price
from ...core.profile import Place, Profile
from ...core.run import RunState
from ...home import last_seen, settings
from .. import keys
from ..base import Address, Backend
from ..hosting import Hosting
from ..package_index import is_public, package_index
from ..scheduling import Scheduling
from . import names, shipped
from .api import kubeconfig
from .api.where import Where, everywhere, remember, where
from .check import check
from .finder import ClusterFinder
from .market import NodeMarket
from .options import GroupOptions, KubernetesOptions, options_of
from .placed import PlacedCluster, unreadable
from .pods.template import scheduler_pod, worker_pod
from .pricelist import price_list
from .records import daskcluster, record
from .records.accounts import AccountSecrets
from .records.stored import StoredCluster, state_of
from .tunnel.connections import Connections


class KubernetesBackend(Backend):
    """Clusters of pods."""

    place: ClassVar[Place] = "kubernetes"
    title: ClassVar[str] = "Kubernetes"
    has_spot: ClassVar[bool] = True
    prices_hosts: ClassVar[bool] = True
    profile_options: ClassVar[type[Input]] = KubernetesOptions
    group_options: ClassVar[type[Input]] = GroupOptions

    def __init__(self) -> None:
        self._connections = Connections()
        self._finder = ClusterFinder(self._connections)
        self._market = NodeMarket(self._connections)
        self._hosting: Hosting | None = None
        self._scheduling: Scheduling | None = None

    def hosting(self) -> Hosting:
        """As in `Backend`."""
        if self._hosting is None:
            from .services.hosting import KubernetesHosting  # the pods of a cluster haven't it: they have no services

            self._hosting = KubernetesHosting(self._connections)
        return self._hosting

    def scheduling(self) -> Scheduling:
        """As in `Backend`."""
        if self._scheduling is None:
            from .schedules.scheduling import KubernetesScheduling  # as above

            self._scheduling = KubernetesScheduling(self._connections)
        return self._scheduling

    def shipped_profiles(self) -> list[Profile]:
        """As in `Backend`, where there is a way to a Kubernetes cluster."""
        return [shipped.PROFILE] if shipped.reachable() else []

    def with_packages(self, profile: Profile, packages: list[str]) -> Profile:
        """As in `Backend`: pods install what their image lacks, if they can reach an index. None where an index here
        has a login, which a spec isn't the place for, or is a folder: the public one may have others of that name."""
        index = package_index()
        if not is_public(index):
            return profile
        options = {**profile.options, "kernel_packages": packages, "package_index": index}
        return profile.model_copy(update={"options": options})

    async def check(self, profile: Profile) -> None:
        """As in `Backend`: the templates make pods, and the user has the rights."""
        await super().check(profile)
        spec = ClusterSpec(name="check", owner="check", profile=profile, created=0)
        _check_templates(spec)
        await self._connections.run(self._check(spec))

    async def quotes(self, profile: Profile, price: Price, patience: Seconds = 0.0) -> Quotes | None:
        """As in `Backend`: on the cheapest kind of node that there is and that takes a worker. Rates that somebody set
        are what pods cost anyhow, unless there are prices of instance types beside them."""
        if price.known and (profile.price is not None or not (await asyncio.to_thread(settings.load)).kinds):
            return None
        found = await self._connections.run(self._market.quotes(profile, price, patience))
        is_whole = found.asked is not None and all(each.per_hour is not None for each in found.groups)
        return None if price.known and not is_whole else found

    async def accounts(self, profile: Profile | None = None) -> AccountStore | None:
        """As in `Backend`: in the namespace of `profile`, else in the current one, where there is a way to it."""
        if profile is None and not shipped.reachable():
            return None
        return _AccountsThere(self._connections, Where() if profile is None else where(profile))

    async def start(self, spec: ClusterSpec) -> ClusterState:
        """As in `Backend`. Raises `InvalidSpec` before anything is made, too."""
        self.check_options(spec.profile)
        _check_templates(spec)
        return await self._connections.run(self._start(spec))

    async def clusters(self) -> list[ClusterState]:
        """As in `Backend`. Where Kubernetes doesn't answer, what was seen there last, as unreachable."""
        found = await self._connections.run(self._finder.states(await asyncio.to_thread(everywhere)))
        states = {state.id: state for state in found}
        return sorted(states.values(), key=lambda state: state.created, reverse=True)

    def silence(self) -> Problem | None:
        """As in `Backend`. Where there is no way to Kubernetes any more, clusters that lived there may still live."""
        absence = self._finder.absence()
        if absence is not None and (before := last_seen.recall(self.place, None)) is not None and before.clusters:
            return absence
        return self._finder.silence()

    def way(self) -> str | None:
        """As in `Backend`: where the current context leads."""
        return kubeconfig.way()

    async def get(self, name: str) -> ClusterState:
        """As in `Backend`."""
        return (await self._placed(name)).state()

    async def spec(self, name: str) -> ClusterSpec:
        """As in `Backend`. Raises `Unreadable`, too."""
        cluster = await self._placed(name)
        if cluster.fault is not None:
            raise unreadable(cluster.fault)
        return cluster.spec

    async def address(self, name: str, timeout: float = 30.0) -> Address:
        """As in `Backend`. From outside of the Kubernetes cluster, the address is a tunnel's."""
        return await (await self._placed(name)).address(timeout)

    async def link(self, name: str, timeout: float = 30.0) -> Link:
        """As in `Backend`."""
        return await (await self._placed(name)).link(timeout)

    async def stop(self, name: str, cause: str = "user", why: str = "", force: bool = False) -> None:
        """As in `Backend`. Raises `Refused` for a cluster that only its maker can end."""
        await (await self._placed(name)).stop(cause, why, force)

    async def end(self, name: str, cause: str, why: str) -> None:
        """As in `Backend`."""
        await self.stop(name, cause, why, force=True)

    async def forget(self, name: str) -> None:
        """As in `Backend`."""
        await (await self._placed(name)).forget()

    async def receipt(self, name: str) -> Receipt | None:
        """As in `Backend`."""
        return (await self._placed(name)).receipt()

    async def events(self, name: str) -> list[Event]:
        """As in `Backend`."""
        return await (await self._placed(name)).events()

    async def timeline(self, name: str, since: Time = 0) -> list[Sample]:
        """As in `Backend`."""
        return await (await self._placed(name)).timeline(since)

    async def runs(self, name: str) -> list[RunState]:
        """As in `Backend`."""
        return await (await self._placed(name)).runs()

    async def results(self, name: str, run: str) -> list[bytes]:
        """As in `Backend`."""
        return await (await self._placed(name)).results(run)

    async def logs(self, name: str, worker: str | None = None, lines: int = 200) -> list[str]:
        """As in `Backend`. Raises `UnknownWorker`, too."""
        return await (await self._placed(name)).logs(worker, lines)

    async def _placed(self, name: str) -> PlacedCluster:
        return await self._connections.run(self._finder.find(name))

    async def _check(self, spec: ClusterSpec) -> None:
        api = await self._connections.api(*where(spec.profile))
        (await check(api, options_of(spec.profile).service_account)).raise_missing()
        if options_of(spec.profile).record == "operator":
            refusal = await daskcluster.try_out(api, spec, record.ids_of(spec, api.namespace))
            if refusal is not None:
                raise refusal

    async def _start(self, spec: ClusterSpec) -> ClusterState:
        api = await self._connections.api(*where(spec.profile))
        await asyncio.to_thread(remember, where(spec.profile))
        new_keys = asyncio.to_thread(keys.new_keys if options_of(spec.profile).tls else _no_keys)
        prices, made_keys = await asyncio.gather(price_list(api, spec), new_keys)
        made = await record.make(api, spec, made_keys, prices)
        return state_of(StoredCluster(api, record.ids_of(spec, api.namespace), spec, made))


class _AccountsThere:
    """The accounts of a namespace, from any loop."""

    def __init__(self, connections: Connections, place: Where) -> None:
        self._connections, self._place = connections, place

    async def books(self) -> list[AccountBook]:
        """As in `AccountStore`."""

        async def books() -> list[AccountBook]:
            return await AccountSecrets(await self._connections.api(*self._place)).books()

        return await self._connections.run(books())

    async def change(self, name: str, do: Callable[[AccountBook | None], AccountBook | None]) -> AccountBook | None:
        """As in `AccountStore`."""

        async def change() -> AccountBook | None:
            return await AccountSecrets(await self._connections.api(*self._place)).change(name, do)

        return await self._connections.run(change())


def _check_templates(spec: ClusterSpec) -> None:
    """Raise `InvalidSpec` when the profile's and groups' templates don't merge into pods."""
    ids = names.ObjectNames(spec.name, "check")
    scheduler_pod(spec, ids)
    for group in spec.profile.groups:
        worker_pod(spec, group, f"{group.name}-1", ids, {})


def _no_keys() -> None:
    """A cluster without TLS has no key."""

"""Which clusters there are, in all contexts and namespaces that this user's may be in, whoever made them."""

from __future__ import annotations

import asyncio

from ...core.cluster import ClusterState, Problem
from ...core.errors import ClusterUnreachable, InvalidSpec, MlopsError, Unavailable, UnknownCluster
from ...core.waiting import wait_for
from .api.client import Answer, Unreachable
from .api.where import Where, everywhere
from .foreign.cluster import ForeignClusters
from .managed import ManagedCluster
from .placed import PlacedCluster
from .records import listing
from .records.listing import Vanished
from .tunnel.connections import Connections, kubeconfig

#: Seconds for Kubernetes to answer a list.
_LIST = 8.0

#: A place, as one kubeconfig leads to it.
_Seen = tuple[Where, str]

_SILENT = Problem(what="Kubernetes doesn't answer", todo="Check the network (VPN?); the cluster lives on.")


class ClusterFinder:
    """Lists and finds clusters, and remembers what it saw for as long as Kubernetes doesn't answer.

    Its coroutines run on the loop of `connections` only.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._foreign = ForeignClusters(connections)
        self._vanished = Vanished()
        #: The last list of each place, to be shown as unreachable while Kubernetes doesn't answer.
        self._seen: dict[_Seen, list[ClusterState]] = {}
        #: Places that didn't answer the last time, and who asks them again.
        self._silent: dict[_Seen, asyncio.Future[list[ClusterState]] | None] = {}
        #: Why they didn't: a login that is refused is said otherwise than a network that is away.
        self._why: dict[_Seen, Problem] = {}

    async def states(self, place: Where) -> list[ClusterState]:
        """The clusters of a place. One that didn't answer the last time is asked again beside: nobody waits for it.

        Where Kubernetes doesn't answer, what was seen there last, as unreachable.
        """
        key = (place, kubeconfig())
        if key not in self._silent:
            return await self._look(key)
        asking = self._silent[key]
        if asking is None or asking.done():
            self._silent[key] = asyncio.ensure_future(self._look(key))
        return self._unreachable(key)

    def silence(self) -> Problem | None:
        """Why a place of this kubeconfig didn't answer the last time; None when all did."""
        return next((self._why.get(key, _SILENT) for key in list(self._silent) if key[1] == kubeconfig()), None)

    async def find(self, name: str) -> PlacedCluster:
        """The newest cluster of that name, in all places; a live one goes first.

        Raises
        ------
        UnknownCluster : no place has it; a near name is suggested.
        ClusterUnreachable : none that answers has it.
        """
        found: list[PlacedCluster] = []
        unreachable: MlopsError | None = None
        for place in await asyncio.to_thread(everywhere):
            try:
                there = await self._placed(place)
                self._seen[place, kubeconfig()] = [cluster.state() for cluster in there]
                found += there
            except Unreachable as error:
                unreachable = ClusterUnreachable(error.what, error.why, error.todo)
            except Answer as answer:
                unreachable = unreachable or answer.error
            except (Unavailable, InvalidSpec):
                continue
        named = [cluster for cluster in found if cluster.spec.name == name]
        if not named:
            raise unreachable or UnknownCluster.named(name, [cluster.spec.name for cluster in found])
        return max(named, key=lambda cluster: (cluster.live, cluster.spec.created))

    async def _placed(self, place: Where) -> list[PlacedCluster]:
        api = await self._connections.api(*place)
        there, foreign = await asyncio.gather(listing.stored_clusters(api), self._foreign.list(api))
        managed = await self._vanished.added_to(api, there)
        live = {entry.spec.name for entry in managed if entry.live}
        for name in {entry.spec.name for entry in managed} - live:
            await self._connections.close_tunnels(api, name)  # who still waits for it waits in vain
        return [*(ManagedCluster(self._connections, self._vanished, entry) for entry in managed), *foreign]

    async def _look(self, key: _Seen) -> list[ClusterState]:
        try:
            self._seen[key] = [cluster.state() for cluster in await wait_for(self._placed(key[0]), _LIST)]
        except (Unreachable, Answer, asyncio.TimeoutError) as error:
            refused = isinstance(error, Answer) and error.status in (401, 403)
            if not refused or self._seen.get(key):
                self._silent.setdefault(key, None)
                self._why[key] = error.problem if refused and isinstance(error, Answer) else _SILENT
                return self._unreachable(key)
            self._seen[key] = []  # not ours to see; starting one there says so in words
        except (Unavailable, InvalidSpec):
            self._seen[key] = []  # no Kubernetes here
        self._silent.pop(key, None)
        return self._seen[key]

    def _unreachable(self, key: _Seen) -> list[ClusterState]:
        """What was seen there last."""
        problem = self._why.get(key, _SILENT)
        return [
            state if state.phase == "ended" else state.model_copy(update={"phase": "unreachable", "problem": problem})
            for state in self._seen.get(key, [])
        ]

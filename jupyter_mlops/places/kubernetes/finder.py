"""Which clusters there are, in all contexts and namespaces that this user's may be in, whoever made them."""

from __future__ import annotations

import asyncio

from ...core import naming
from ...core.base import Seconds
from ...core.cluster import ClusterState, Problem
from ...core.errors import ClusterUnreachable, MlopsError, Refused
from ...core.waiting import wait_for
from .api import kubeconfig
from .api.client import Answer, problem_of
from .api.kubeconfig import UnknownContext
from .api.login import NoKubernetes, no_way
from .api.where import Where, everywhere, was_started_in
from .foreign.cluster import ForeignClusters
from .managed import ManagedCluster
from .placed import PlacedCluster
from .records import listing
from .records.listing import Vanished
from .tunnel.connections import Connections

#: Seconds for Kubernetes to answer a list.
_LIST = 8.0
#: And where one cluster is looked for, of which something is to become.
_FIND = 30.0

#: A place, as one kubeconfig leads to it.
_Seen = tuple[Where, str]


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
        #: Why places couldn't be asked the last time, and who asks them again.
        self._silent: dict[_Seen, Problem] = {}
        self._asking: dict[_Seen, asyncio.Future[list[ClusterState]]] = {}
        #: Places to which there is no way from here at all.
        self._absent: dict[_Seen, Problem] = {}
        self._looked: list[_Seen] = []

    async def states(self, places: list[Where]) -> list[ClusterState]:
        """The clusters of `places`. One that couldn't be asked the last time is asked again beside: nobody waits for
        it, and what was seen there last is shown as unreachable."""
        self._looked = [(place, kubeconfig.stamp()) for place in places]
        found = await asyncio.gather(*map(self._states, self._looked))
        return [state for some in found for state in some]

    async def _states(self, key: _Seen) -> list[ClusterState]:
        if key not in self._silent:
            return await self._look(key)
        if key not in self._asking or self._asking[key].done():
            self._asking[key] = asyncio.ensure_future(self._look(key))
        return self._unreachable(key)

    def silence(self) -> Problem | None:
        """Why places that were asked the last time didn't answer; None when all did."""
        return _together([self._silent[key] for key in self._looked if key in self._silent])

    def absence(self) -> Problem | None:
        """Why there is no way to any Kubernetes from here; None when there is one."""
        absent = [self._absent[key] for key in self._looked if key in self._absent]
        if not self._looked:  # no profile names one
            return Problem.of(no_way())
        return absent[0] if len(absent) == len(self._looked) else None

    async def find(self, name: str) -> PlacedCluster:
        """The cluster that is meant, in all places, as `core.naming` says. A place that didn't answer the last time
        keeps nobody waiting who looks for what others have.

        Raises
        ------
        UnknownCluster : no place has it; a near name is suggested.
        AmbiguousName : it may mean several.
        ClusterUnreachable, Refused : none that answers has it.
        """
        keys = [(place, kubeconfig.stamp()) for place in await asyncio.to_thread(everywhere)]
        found: dict[str, PlacedCluster] = {}
        states: list[ClusterState] = []
        faults: list[MlopsError] = []
        for asked in ([key for key in keys if key not in self._silent], [key for key in keys if key in self._silent]):
            for there in await asyncio.gather(*map(self._list, asked), return_exceptions=True):
                if isinstance(there, MlopsError):
                    faults.append(there)
                elif isinstance(there, BaseException):
                    raise there
                else:
                    for cluster in there:
                        state = cluster.state()
                        found[state.id] = cluster
                        states.append(state)
            if (meant := naming.find(name, states)) is not None:
                return found[meant.id]
        if faults:
            raise next((fault for fault in faults if isinstance(fault, ClusterUnreachable)), faults[0])
        raise naming.unknown(name, states)

    async def _list(self, key: _Seen) -> list[PlacedCluster]:
        """What is in a place; what keeps it from answering is raised as an error for users."""
        try:
            there = await wait_for(self._placed(key[0]), _FIND)
        except (NoKubernetes, UnknownContext):
            return []
        except Answer as answer:
            raise answer.error from None
        except Refused:
            raise
        except (MlopsError, asyncio.TimeoutError) as error:
            problem = _problem(key[0], error, _FIND)
            raise ClusterUnreachable(problem.what, problem.why, problem.todo) from None
        self._seen[key] = [cluster.state() for cluster in there]
        return there

    async def _placed(self, place: Where) -> list[PlacedCluster]:
        api = await self._connections.api(*place)
        there, foreign = await asyncio.gather(listing.stored_clusters(api), self._foreign.list(api))
        managed = await self._vanished.added_to(api, there)
        live = {entry.spec.name for entry in managed if entry.live}
        for name in {entry.spec.name for entry in managed} - live:
            await self._connections.close_tunnels(api, name)  # who still waits for it waits in vain
        return [*(ManagedCluster(self._connections, self._vanished, entry) for entry in managed), *foreign]

    async def _look(self, key: _Seen) -> list[ClusterState]:
        self._absent.pop(key, None)
        try:
            self._seen[key] = [cluster.state() for cluster in await wait_for(self._placed(key[0]), _LIST)]
        except NoKubernetes as error:
            self._absent[key] = Problem.of(error)
            self._seen[key] = []
        except Exception as error:  # noqa: BLE001 - whatever it is, the other places are listed, and it is said
            if not isinstance(error, UnknownContext) or await asyncio.to_thread(was_started_in, key[0]):
                self._silent[key] = _problem(key[0], error)
                return self._unreachable(key)
            self._seen[key] = []  # a profile of an administrator's, for others
        self._silent.pop(key, None)
        return self._seen[key]

    def _unreachable(self, key: _Seen) -> list[ClusterState]:
        """What was seen there last."""
        problem = self._silent[key]
        return [
            state if state.phase == "ended" else state.model_copy(update={"phase": "unreachable", "problem": problem})
            for state in self._seen.get(key, [])
        ]


def _problem(place: Where, error: Exception, patience: Seconds = _LIST) -> Problem:
    """Why a place can't be asked, with its name where it isn't the current one."""
    problem = problem_of(error, patience)
    named = {"context": place.context, "namespace": place.namespace}
    where = ", ".join(f"{noun} {name!r}" for noun, name in named.items() if name)
    return problem.model_copy(update={"what": f"{problem.what} ({where})"}) if where else problem


def _together(problems: list[Problem]) -> Problem | None:
    """Several problems as one."""
    if len(problems) < 2:
        return problems[0] if problems else None
    whats, whys, todos = (
        list(dict.fromkeys(filter(None, parts)))
        for parts in zip(*((each.what, each.why, each.todo) for each in problems), strict=True)
    )
    return Problem(what="; ".join(whats), why="; ".join(whys), todo=" ".join(todos))

"""Which services there are, in all contexts and namespaces that this user's may be in."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping

from ....core.base import Seconds
from ....core.cluster import Problem
from ....core.errors import MlopsError, UnknownService, Unreadable
from ....core.service import ServiceState
from ....core.waiting import wait_for
from ....home.owner import me
from .. import names
from ..api import kubeconfig
from ..api.client import Answer, Api, Json, problem_of, unanswered
from ..api.kubeconfig import UnknownContext
from ..api.login import NoKubernetes
from ..api.where import Where
from ..names import ServiceNames
from ..records.record import APPS
from ..tunnel.connections import Connections
from .seen import folder_of, told_here
from .stored import StoredService
from .trial import BOARD

#: Seconds for Kubernetes to answer a list, and where one service is looked for.
_LIST: Seconds = 5.0
_FIND: Seconds = 30.0

#: Seconds that a list is good for: those who look every second ask Kubernetes less often.
_FRESH: Seconds = 2.0

#: Seconds that the record of a service which stopped is kept.
_KEPT: Seconds = 7 * 24 * 3600.0

#: A place, as one kubeconfig leads to it.
_Seen = tuple[Where, str]


class ServiceFinder:
    """Lists and finds this user's services. Where a place doesn't answer, what was seen there last is told, as
    unreachable, and nobody waits for it: it is asked again beside.

    Its coroutines run on the loop of `connections` only.

    Parameters
    ----------
    seen : called with each service that was seen.
    """

    def __init__(self, connections: Connections, seen: Callable[[Api, StoredService], None] = lambda *_: None) -> None:
        self._connections, self._on_seen = connections, seen
        #: Of each place, by Kubernetes' own number of their record: two places may be the same one.
        self._seen: dict[_Seen, dict[str, ServiceState]] = {}
        self._looked_at: dict[_Seen, float] = {}
        self._silent: dict[_Seen, Problem] = {}
        self._asking: dict[_Seen, asyncio.Task[None]] = {}
        self._looked: list[_Seen] = []
        #: What was found last: by which kubeconfig, when, and where.
        self._found: tuple[str, float, Api, StoredService] | None = None

    async def states(self, places: list[Where]) -> list[ServiceState]:
        """The services of `places`, as they were two seconds ago at most where these answer."""
        self._looked = [(place, kubeconfig.stamp()) for place in places]
        for known in (self._seen, self._looked_at, self._silent, self._asking):
            for gone in known.keys() - set(self._looked):  # a kubeconfig may change each hour
                del known[gone]
        now = time.monotonic()
        old = [key for key in self._looked if now - self._looked_at.get(key, float("-inf")) >= _FRESH]
        for key in old:
            if key not in self._asking or self._asking[key].done():
                self._asking[key] = asyncio.create_task(self._look(key))
        if waited := [self._asking[key] for key in old if key not in self._silent]:
            await asyncio.wait(waited)
        return list({uid: state for key in self._looked for uid, state in self._told(key).items()}.values())

    def silence(self) -> Problem | None:
        """Why a place didn't answer the last time."""
        return next((self._silent[key] for key in self._looked if key in self._silent), None)

    def forget(self) -> None:
        """What was seen isn't so any more, and what is just being looked at may be older, too."""
        self._looked_at.clear()
        self._asking.clear()
        self._found = None

    async def find(self, name: str, places: list[Where]) -> tuple[Api, StoredService]:
        """The service of that name: of several the one that lives. A place that didn't answer the last time
        keeps nobody waiting who looks for what others have. Raises `UnknownService`; `Unavailable` where it may be in
        a place that doesn't answer."""
        keys = [(place, kubeconfig.stamp()) for place in places]
        faults: list[MlopsError] = []
        known: list[str] = []
        named: list[tuple[Api, StoredService]] = []
        for asked in ([key for key in keys if key not in self._silent], [key for key in keys if key in self._silent]):
            for there in await asyncio.gather(*(self._told_by(place) for place, _ in asked)):
                if isinstance(there, MlopsError):
                    faults.append(there)
                elif there is not None:
                    api, found = there
                    known += [each.ids.service for each in found]
                    named += [(api, each) for each in found if each.ids.service == name]
            if named:
                api, best = min(named, key=lambda each: (each[1].stopped, each[1].deployment is None))
                self._found = (kubeconfig.stamp(), time.monotonic(), api, best)
                return api, best
        if faults:
            raise faults[0]
        raise UnknownService.named(name, known)

    async def lately(self, name: str, places: list[Where]) -> tuple[Api, StoredService]:
        """As `find`, or as that found it two seconds ago at most: for what stays as it is while a service lives, and
        is asked for with each request to it."""
        if self._found is not None:
            stamp, at, api, found = self._found
            if found.ids.service == name and stamp == kubeconfig.stamp() and time.monotonic() - at < _FRESH:
                return api, found
        return await self.find(name, places)

    async def _told_by(self, place: Where) -> tuple[Api, list[StoredService]] | MlopsError | None:
        """What is in a place, or why it doesn't tell; None where there is no way to it."""
        try:
            return await wait_for(self._all(place), _FIND)
        except (NoKubernetes, UnknownContext):
            return None
        except Answer as answer:
            return answer.error
        except MlopsError as error:
            return error
        except asyncio.TimeoutError:
            return unanswered(_FIND)

    async def _look(self, key: _Seen) -> None:
        seen, problem = self._seen.get(key, {}), None
        try:
            seen = await wait_for(self._states(key[0]), _LIST)
        except (NoKubernetes, UnknownContext):
            seen = {}
        except Exception as error:  # noqa: BLE001 - whatever it is, the other places are listed, and it is said
            problem = problem_of(error, _LIST)
        if self._asking.get(key) is not asyncio.current_task():
            return  # somebody looks anew
        self._seen[key], self._looked_at[key] = seen, time.monotonic()
        if problem is None:
            self._silent.pop(key, None)
        else:
            self._silent[key] = problem

    async def _states(self, place: Where) -> dict[str, ServiceState]:
        api, found = await self._all(place)
        kept = [each for each in found if not await _thrown_away(api, each)]
        return await asyncio.to_thread(lambda: {each.uid: told_here(each) for each in kept})

    async def _all(self, place: Where) -> tuple[Api, list[StoredService]]:
        """Those of this user in a place: others' are theirs."""
        api = await self._connections.api(*place)
        found = await services_listed(api, {"labelSelector": f"{names.MANAGED_BY}={names.US},{names.SERVICE}"})
        mine = [each for each in found if each.owner == me()]
        for each in mine:
            with contextlib.suppress(Unreadable):
                self._on_seen(api, each)
        return api, mine

    def _told(self, key: _Seen) -> dict[str, ServiceState]:
        seen = self._seen.get(key, {})
        if (problem := self._silent.get(key)) is None:
            return seen
        away = {"phase": "unreachable", "problem": problem}
        return {uid: each if each.phase == "stopped" else each.model_copy(update=away) for uid, each in seen.items()}


async def services_listed(api: Api, query: Mapping[str, str]) -> list[StoredService]:
    """All services of a namespace, whoever's they are, of the objects that the query finds."""
    label, both = query["labelSelector"], f"service-record,{BOARD}"
    kept, deployments, pods = await asyncio.gather(
        api.request("GET", api.path("secrets"), query={"labelSelector": f"{label},{names.PART} in ({both})"}),
        api.request("GET", api.path("deployments", group=APPS), query={"labelSelector": label}),
        api.request("GET", api.path("pods"), query={"labelSelector": f"{label},{names.PART}=replica"}),
    )
    made = {_service(each): each for each in deployments.get("items") or []}
    boards = [each for each in kept.get("items") or [] if each["metadata"]["labels"].get(names.PART) == BOARD]
    found = []
    for record in (each for each in kept.get("items") or [] if each not in boards):
        ids = ServiceNames(_service(record), api.namespace)
        if _name(record) != ids.whole:  # a pod may call its board what it likes, and run what people wrote
            continue
        its = [pod for pod in pods.get("items") or [] if _service(pod) == ids.service]
        own = [each for each in boards if _name(each) == ids.board(_name(each).rpartition("-")[2])]
        found.append(StoredService(ids, record, made.get(ids.service), its, own))
    return found


def _name(item: Json) -> str:
    return str(item["metadata"]["name"])


def _service(item: Json) -> str:
    return str(item["metadata"]["labels"][names.SERVICE])


async def _thrown_away(api: Api, entry: StoredService) -> bool:
    """Whether it stopped so long ago that its record is gone now, if it may be removed from here."""
    receipt = entry.receipt if entry.stopped and entry.deployment is None else None
    if receipt is None or receipt.ended > time.time() - _KEPT:
        return False
    unchanged = {"preconditions": {"resourceVersion": entry.version}}  # nobody wants it again meanwhile
    with contextlib.suppress(Answer):
        await api.request("DELETE", api.path("secrets", entry.ids.whole), unchanged, parse=False)
        await asyncio.to_thread(folder_of(entry).forget)
    return True

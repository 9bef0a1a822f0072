"""Notebooks that Kubernetes runs by itself: a CronJob each, whose pods start a cluster, run the steps and end it.

Nothing of ours has to live for them. What is wanted and how it went stands in Kubernetes, and whoever looks reads that.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Awaitable, Iterable, Sequence
from typing import TypeVar

from ....core.base import Seconds
from ....core.cluster import Problem
from ....core.errors import MlopsError, NotFound, Refused, Unavailable
from ....core.profile import Profile
from ....core.schedule import Outcome, Schedule, ScheduleSpec
from ....core.waiting import wait_for
from ....home.owner import me
from ...scheduling import Scheduling
from .. import names, shipped
from ..api.client import Answer, Api, Json, delete, unanswered
from ..api.kubeconfig import UnknownContext
from ..api.login import NoKubernetes
from ..api.where import Where, everywhere, remember, where
from ..names import ScheduleNames
from ..records.record import RBAC
from ..tunnel.connections import Connections
from .listing import BATCH, cron_jobs, items_of, listed, log_of, one_listed, values_of
from .objects import (
    JOB,
    JOB_UID,
    NotebookParcel,
    build_files,
    build_of,
    change_of,
    cron_job,
    environment_secret,
    outcome_secret,
    rights,
    secrets,
    value_secret,
)
from .stored import StoredSchedule

_JSON_PATCH = "application/json-patch+json"

#: Seconds for Kubernetes to answer a list; that runs have to end, beside their own patience; between two looks.
_LIST: Seconds = 10.0
_ENDING: Seconds = 150.0
_LOOK: Seconds = 0.5

#: Seconds between the beginnings of notebooks of one namespace that are due at the same minutes, and the longest wait.
_APART: Seconds = 10.0
_LONGEST_WAIT: Seconds = 300.0

#: By which all of ours are found.
_ALL = f"{names.MANAGED_BY}={names.US},{names.SCHEDULE}"

#: Bytes of what a run printed that are kept: a Secret takes 1 MiB.
_MOST_LOG = 500_000

_T = TypeVar("_T")

Files = dict[str, str | bytes]


class KubernetesScheduling(Scheduling):
    """Schedules as CronJobs. It holds connections, and nothing that would be lost with it."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def schedule(self, spec: ScheduleSpec, parts: Sequence[bytes]) -> Schedule:
        """As in `Scheduling`. What another namespace has of the notebook is removed there."""

        async def schedule() -> Schedule:
            made = await self._schedule(spec, NotebookParcel(parts))
            found, _ = await self._all(await asyncio.to_thread(everywhere))
            for other, each in found:
                if each.wanted.notebook == spec.schedule.notebook and each.uid != made.uid:
                    await _remove(other, each)
            return made.state()

        return await self._run(schedule())

    async def schedules(self) -> tuple[list[Schedule], Problem | None]:
        """As in `Scheduling`."""
        if not shipped.reachable():
            return [], None
        found, faults = await self._run(self._all(await asyncio.to_thread(everywhere)))
        silent = [each for each in faults if not isinstance(each, (NoKubernetes, UnknownContext, Refused))]
        return [each.state() for _, each in found], Problem.of(silent[0]) if silent else None

    async def get(self, notebook: str) -> Schedule | None:
        """As in `Scheduling`."""
        return next((each.state() for _, each in await self._found(notebook)), None)

    async def unschedule(self, notebook: str) -> bool:
        """As in `Scheduling`."""
        found = await self._found(notebook)
        for api, each in found:
            await self._run(_remove(api, each))
        return bool(found)

    async def log(self, notebook: str) -> list[str]:
        """As in `Scheduling`."""
        api, each = await self._one(notebook)
        return await self._run(log_of(api, each))

    async def values(self, notebook: str) -> list[bytes]:
        """As in `Scheduling`."""
        api, each = await self._one(notebook)
        return await self._run(values_of(api, each))

    async def keep(self, spec: ScheduleSpec, outcome: Outcome, log: str, values: Sequence[bytes]) -> None:
        """As in `Scheduling`. How it went comes last: what is told of is whole."""

        async def keep() -> None:
            api = await self._connections.api(*where(spec.profile))
            ids = ScheduleNames.of(spec.schedule.notebook, spec.owner, api.namespace)
            tail = log.encode()[-_MOST_LOG:].decode(errors="replace")
            job, uid = os.environ[JOB], os.environ[JOB_UID]
            bodies = [value_secret(spec, ids, job, uid, number, part) for number, part in enumerate(values)]
            for body in [*bodies, outcome_secret(spec, ids, job, uid, outcome, tail)]:
                await api.request("POST", api.path("secrets"), body, parse=False)

        await self._run(keep())

    async def _run(self, work: Awaitable[_T]) -> _T:
        return await self._connections.run(work)  # type: ignore[arg-type]  # each is a coroutine

    async def _one(self, notebook: str) -> tuple[Api, StoredSchedule]:
        for found in await self._found(notebook):
            return found
        raise NotFound(f"{notebook} doesn't run by itself there", "", "See: jupyter mlops pipeline list")

    async def _found(self, notebook: str) -> list[tuple[Api, StoredSchedule]]:
        """Those of that notebook. Raises where one may be in a place that doesn't answer."""
        found, faults = await self._run(self._all(await asyncio.to_thread(everywhere)))
        its = [(api, each) for api, each in found if each.wanted.notebook == notebook]
        if not its and faults:
            raise faults[0]
        return its

    # On the loop of the connections.

    async def _all(self, places: list[Where]) -> tuple[list[tuple[Api, StoredSchedule]], list[MlopsError]]:
        """This user's in these places, each once, and why a place doesn't tell of its own."""
        told = await asyncio.gather(*(self._told_by(place) for place in places))
        found = {each.uid: (api, each) for there in told if isinstance(there, list) for api, each in there}
        return list(found.values()), [each for each in told if isinstance(each, MlopsError)]

    async def _told_by(self, place: Where) -> list[tuple[Api, StoredSchedule]] | MlopsError:
        try:
            api = await wait_for(self._connections.api(*place), _LIST)
            found = await wait_for(listed(api, _ALL), _LIST)
            return [(api, each) for each in found if each.owner == me()]
        except Answer as answer:
            return answer.error
        except MlopsError as error:
            return error
        except asyncio.TimeoutError:
            return unanswered(_LIST)

    async def _schedule(self, spec: ScheduleSpec, parcel: NotebookParcel) -> StoredSchedule:
        place = where(spec.profile)
        api = await self._connections.api(*place)
        await asyncio.to_thread(remember, place)
        ids = ScheduleNames.of(spec.schedule.notebook, spec.owner, api.namespace)
        try:
            there = {each.ids.whole: each for each in await cron_jobs(api, _ALL)}
            before = there.pop(ids.whole, None)
            spec = _inside(spec).model_copy(update={"delay": _delay(spec, there.values())})
            files = await asyncio.to_thread(build_files, spec)
            if before is None:
                await self._make(api, ids, spec, files, parcel)
            else:
                await self._change(api, before, spec, files, parcel)
        except Answer as answer:
            raise _not_made(spec, answer) from None
        return await one_listed(api, ids)

    async def _make(
        self, api: Api, ids: ScheduleNames, spec: ScheduleSpec, files: Files, parcel: NotebookParcel
    ) -> None:
        """Make all of it; it begins to run last. Whatever interrupts it, nothing is left."""
        build = build_of(files)
        made = cron_job(spec, ids, build, parcel)
        posted = await api.request("POST", api.path("cronjobs", group=BATCH), made)
        made = cron_job(spec, ids, build, parcel, str(posted["metadata"]["uid"]))
        try:
            await _supply(api, ids, spec, posted, build, files, parcel)
            await _patch(api, _path(api, ids), change_of(made))
        except BaseException:
            with contextlib.suppress(Answer, MlopsError):  # why it could not be made is to be said
                await asyncio.shield(_delete(api, ids, posted))
            raise

    async def _change(
        self, api: Api, before: StoredSchedule, spec: ScheduleSpec, files: Files, parcel: NotebookParcel
    ) -> None:
        """Want something else of one that is there. What its runs began with stays until they are over."""
        ids, build = before.ids, build_of(files)
        made = cron_job(spec, ids, build, parcel, before.uid)
        if "deletionTimestamp" in before.cron_job["metadata"]:
            raise Unavailable("The notebook can't be scheduled now", "its schedule is being removed", "Try again.")
        await _supply(api, ids, spec, before.cron_job, build, files, parcel)
        await _patch(api, _path(api, ids), change_of(made))
        now = await one_listed(api, ids)
        used = _secrets_of(made["spec"]["jobTemplate"]["spec"]["template"]["spec"])
        used.update(*(_secrets_of(job["spec"]["template"]["spec"]) for job in now.going))  # some have no pod so far
        for item in await items_of(api, "secrets", "", f"{ids.selector},{names.PART}=build"):
            if (name := str(item["metadata"]["name"])) not in used:
                await delete(api, api.path("secrets", name))


def _inside(spec: ScheduleSpec) -> ScheduleSpec:
    """As its pods are to have it, which have no kubeconfig: its contexts lead nowhere there."""

    def inside(profile: Profile) -> Profile:
        options = {name: value for name, value in profile.options.items() if name != "context"}
        return profile.model_copy(update={"options": options})

    return spec.model_copy(update={"profile": inside(spec.profile), "asked": inside(spec.asked)})


def _delay(spec: ScheduleSpec, others: Iterable[StoredSchedule]) -> Seconds:
    """How long it waits when it is due: those that are due at the same minutes begin one after the other."""
    same = [each for each in others if each.wanted.line == spec.schedule.line]
    return min(len(same) * _APART, _LONGEST_WAIT)


def _not_made(spec: ScheduleSpec, answer: Answer) -> MlopsError:
    error, notebook = answer.error, os.path.basename(spec.schedule.notebook)  # noqa: PTH119 - it is a text here
    what = f"{notebook} isn't scheduled: {error.what}"
    if isinstance(error, Refused):
        return Refused(what, error.why, error.todo)
    return type(error)(what, error.why, error.todo)


async def _supply(
    api: Api, ids: ScheduleNames, spec: ScheduleSpec, owner: Json, build: str, files: Files, parcel: NotebookParcel
) -> None:
    """What its pods need."""
    owns = names.owner_of({"apiVersion": BATCH, "kind": "CronJob", **owner})
    for kind, body in rights(spec, ids, owns).items():
        await _post(api, kind, "" if kind == "serviceaccounts" else RBAC, body)
    for body in secrets(spec, ids, owns, build, files, parcel):
        await _post(api, "secrets", "", body)
    if (environment := environment_secret(spec, ids, owns)) is not None and not await _post(
        api, "secrets", "", environment
    ):
        whole = [{"op": "replace", "path": "/data", "value": environment["data"]}]  # without what isn't wanted any more
        await _patch(api, api.path("secrets", ids.environment), whole)


async def _post(api: Api, kind: str, group: str, body: Json) -> bool:
    """Make an object; whether it wasn't there. One that an earlier CronJob owned is about to go: it is made anew."""
    path, deadline = api.path(kind, group=group), time.monotonic() + _LIST
    while True:
        try:
            await api.request("POST", path, body, parse=False)
            return True
        except Answer as answer:
            if answer.status != 409 or time.monotonic() > deadline:
                raise
        if await _is_owned(api, kind, body):
            return False
        await asyncio.sleep(_LOOK)


async def _is_owned(api: Api, kind: str, body: Json) -> bool:
    """Whether what is there of that name belongs to the same CronJob. Not everybody may read accounts and roles, whose
    names say it."""
    if kind != "secrets":
        return True
    query = {"fieldSelector": f"metadata.name={body['metadata']['name']}"}
    there = (await api.request("GET", api.path(kind), query=query)).get("items") or []
    return bool(there) and there[0]["metadata"].get("ownerReferences") == body["metadata"]["ownerReferences"]


async def _patch(api: Api, path: str, operations: Sequence[Json]) -> None:
    await api.request("PATCH", path, list(operations), content=_JSON_PATCH, parse=False)  # type: ignore[arg-type]  # a JSON patch is a list


def _path(api: Api, ids: ScheduleNames) -> str:
    return api.path("cronjobs", ids.whole, group=BATCH)


async def _remove(api: Api, found: StoredSchedule) -> None:
    """End its runs, whose clusters they end, and remove all of it. Returns when it is gone."""
    suspend = [{"op": "replace", "path": "/spec/suspend", "value": True}]
    with contextlib.suppress(Answer):  # without the right to it a run may begin meanwhile, and goes with the rest
        await _patch(api, _path(api, found.ids), suspend)
    for job in await items_of(api, "jobs", BATCH, found.ids.selector):
        path = api.path("jobs", str(job["metadata"]["name"]), group=BATCH)
        await delete(api, path, {"propagationPolicy": "Background"})
    deadline = time.monotonic() + _ENDING
    while await items_of(api, "pods", "", found.ids.selector):  # each ends its cluster, by the rights that go last
        _check_patience(found, deadline)
        await asyncio.sleep(_LOOK)
    await _delete(api, found.ids, found.cron_job)
    while await cron_jobs(api, found.ids.selector) or await items_of(api, "secrets", "", found.ids.selector):
        _check_patience(found, deadline)
        await asyncio.sleep(_LOOK)


def _check_patience(found: StoredSchedule, deadline: float) -> None:
    if time.monotonic() > deadline:
        why = f"Kubernetes has something of {found.ids.whole!r} still after {_ENDING:.0f} s"
        raise Unavailable("The schedule is being removed", why, "Look again later.")


async def _delete(api: Api, ids: ScheduleNames, item: Json) -> None:
    """Remove the CronJob that was found, and no other one of its name; with it goes what it owns."""
    its = {"uid": item["metadata"]["uid"]}
    await delete(api, _path(api, ids), {"propagationPolicy": "Background", "preconditions": its})


def _secrets_of(pod: Json) -> set[str]:
    """The Secrets that a pod mounts."""
    volumes = pod.get("volumes") or []
    found = {str(each["secret"]["secretName"]) for each in volumes if "secret" in each}
    sources = [source for each in volumes for source in (each.get("projected") or {}).get("sources") or []]
    return found | {str(source["secret"]["name"]) for source in sources if "secret" in source}

"""What Kubernetes tells of notebooks that it runs by itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from ....core.errors import Unavailable, Unreadable
from .. import names
from ..api.client import Answer, Api, Json
from ..names import ScheduleNames
from ..records.kept import KeptFiles
from .stored import StoredSchedule

#: The group of CronJobs and Jobs.
BATCH = "batch/v1"


async def cron_jobs(api: Api, selector: str) -> list[StoredSchedule]:
    """Those that the labels select, without their runs."""
    found = await api.request("GET", api.path("cronjobs", group=BATCH), query={"labelSelector": selector})
    return [
        StoredSchedule(ScheduleNames(str(each["metadata"]["name"]), api.namespace), each)
        for each in found.get("items") or []
    ]


async def listed(api: Api, selector: str) -> list[StoredSchedule]:
    """Those that the labels select, with their runs."""
    found = await cron_jobs(api, selector)
    if not found:
        return []
    jobs, pods, outcomes = await asyncio.gather(
        items_of(api, "jobs", BATCH, selector),
        items_of(api, "pods", "", f"{selector},{names.PART}=driver"),
        items_of(api, "secrets", "", f"{selector},{names.PART}=outcome"),
    )
    whole = [
        StoredSchedule(each.ids, each.cron_job, *(_of(each.ids, kind) for kind in (jobs, pods, outcomes)))
        for each in found
    ]
    return list(await asyncio.gather(*(_with_events(api, each) for each in whole)))


async def one_listed(api: Api, ids: ScheduleNames) -> StoredSchedule:
    """That of these names, with its runs. Raises `Unavailable` where it is gone."""
    for found in await listed(api, ids.selector):
        return found
    raise Unavailable("The notebook isn't scheduled", "somebody has removed its schedule meanwhile", "Try again.")


async def _with_events(api: Api, each: StoredSchedule) -> StoredSchedule:
    """With what Kubernetes told of its last run, where that has begun and has no pod."""
    if each.last is None or each.pods_of(each.last) or (each.last.get("status") or {}).get("conditions"):
        return each
    query = {"fieldSelector": f"involvedObject.uid={each.last['metadata']['uid']}"}
    events = (await api.request("GET", api.path("events"), query=query)).get("items") or []
    return StoredSchedule(each.ids, each.cron_job, each.jobs, each.pods, each.outcomes, events)


async def items_of(api: Api, kind: str, group: str, selector: str) -> list[Json]:
    """The objects of a kind that the labels select."""
    found = await api.request("GET", api.path(kind, group=group), query={"labelSelector": selector})
    return list(found.get("items") or [])


def _of(ids: ScheduleNames, items: Sequence[Json]) -> list[Json]:
    return [item for item in items if (item["metadata"].get("labels") or {}).get(names.SCHEDULE) == ids.whole]


async def log_of(api: Api, found: StoredSchedule) -> list[str]:
    """What its last run printed: as it was kept, or as its pod has it."""
    kept = found.log()
    if kept is not None or found.last is None:
        return kept or []
    lines: list[str] = []
    for pod in found.pods_of(found.last):
        with contextlib.suppress(Answer):  # it hasn't begun, or is gone
            lines += (await api.text(api.path("pods", str(pod["metadata"]["name"])) + "/log")).splitlines()
    return lines


async def values_of(api: Api, found: StoredSchedule) -> list[bytes]:
    """What is kept of what the steps of its last run made that is over, in parts."""
    kept = await items_of(api, "secrets", "", f"{found.ids.selector},{names.PART}=values")
    its = {str(item["metadata"]["name"]): KeptFiles("secrets", item) for item in found.of_ended(kept)}
    try:
        return [its[name].data("part") or b"" for name in sorted(its)]
    except ValueError as error:
        raise Unreadable("What the steps made can't be read", str(error), "Run them again.") from None

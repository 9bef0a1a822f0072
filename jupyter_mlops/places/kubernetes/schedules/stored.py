"""What a notebook that is run by itself is, as its CronJob, its Jobs and their pods tell. Asks nobody."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ....core.base import Time, read_record
from ....core.cluster import Problem
from ....core.errors import Unreadable
from ....core.schedule import Outcome, Schedule
from .. import names
from ..names import ScheduleNames
from ..records.kept import KeptFiles
from ..why import Facts, pending, refusal
from ..why.death import death
from ..why.facts import moment, sentence
from .objects import LOG, OUTCOME, TOLD

#: The place that all of these are of.
PLACE = "kubernetes"

Json = dict[str, Any]


@dataclass(frozen=True)
class StoredSchedule:
    """A notebook that is run by itself, as Kubernetes told of it a moment ago.

    Parameters
    ----------
    cron_job : its CronJob.
    jobs, pods, outcomes : of its runs that are kept; `events` of the last one.
    """

    ids: ScheduleNames
    cron_job: Json
    jobs: Sequence[Json] = field(default_factory=tuple)
    pods: Sequence[Json] = field(default_factory=tuple)
    outcomes: Sequence[Json] = field(default_factory=tuple)
    events: Sequence[Json] = field(default_factory=tuple)

    @property
    def owner(self) -> str:
        """Whose it is."""
        return str((self.cron_job["metadata"].get("annotations") or {}).get(names.OWNER_IN_FULL, ""))

    @property
    def uid(self) -> str:
        """Kubernetes' own number of it."""
        return str(self.cron_job["metadata"]["uid"])

    @property
    def wanted(self) -> Schedule:
        """What is wanted. Where that can't be read, one that says so."""
        told = str((self.cron_job["metadata"].get("annotations") or {}).get(TOLD, ""))
        noun = f"schedule in the CronJob {self.ids.namespace}/{self.ids.whole}"
        try:
            found = read_record(Schedule, told, noun)
        except Unreadable as error:
            todo = error.todo or f"Remove it: kubectl delete cronjob -n {self.ids.namespace} {self.ids.whole}"
            problem = Problem(what=error.what, why=error.why, todo=todo)
            found = Schedule(notebook=self.ids.whole, every="", created=0, place=PLACE, problem=problem)
        return found.model_copy(update={"where": self.ids.namespace})

    @property
    def last(self) -> Json | None:
        """The Job that began last."""
        return max(self.jobs, key=_made, default=None)

    @property
    def going(self) -> list[Json]:
        """The Jobs that aren't over."""
        return [job for job in self.jobs if _end(job)[0] is None]

    def state(self) -> Schedule:
        """What is told of it: when it runs, how that went last, and what is in its way."""
        schedule = self.wanted.model_copy(update={"suspended": bool(self.cron_job["spec"].get("suspend"))})
        if self.last is None:
            return schedule
        told = self._told_of(self.last)
        return schedule.model_copy(update={**told, "problem": told["problem"] or schedule.problem})

    def log(self) -> list[str] | None:
        """What its last run printed; None where that isn't kept."""
        kept = None if self.last is None else self._kept(self.last)
        text = None if kept is None else kept.text(LOG)
        return None if text is None else text.splitlines()

    def pods_of(self, job: Json) -> list[Json]:
        """The pods of a Job."""
        return [pod for pod in self.pods if _owner(pod) == job["metadata"]["uid"]]

    def of_ended(self, items: Sequence[Json]) -> list[Json]:
        """Those that belong to the last of the Jobs of which is kept how they went."""
        ended = max((job for job in self.jobs if self._kept(job)), key=_made, default=None)
        return [item for item in items if ended is not None and _owner(item) == ended["metadata"]["uid"]]

    def _kept(self, job: Json) -> KeptFiles | None:
        found = (KeptFiles("secrets", item) for item in self.outcomes if _owner(item) == job["metadata"]["uid"])
        return next(found, None)

    def _told_of(self, job: Json) -> Json:
        """How a run went, or goes."""
        began = moment(str((job.get("status") or {}).get("startTime") or job["metadata"]["creationTimestamp"]))
        outcome = self._outcome(job)
        if outcome is not None:
            return {"began": began, "ended": outcome.ended, "code": outcome.code, "said": outcome.said, "problem": None}
        ended, failed = _end(job)
        if ended is None:
            return {"began": began, "problem": self._in_the_way(job)}
        said = "" if failed is None else self._why(job, failed)
        return {"began": began, "ended": ended, "code": 0 if failed is None else 1, "said": said, "problem": None}

    def _outcome(self, job: Json) -> Outcome | None:
        if (kept := self._kept(job)) is not None:
            with contextlib.suppress(Unreadable):
                return read_record(Outcome, kept.text(OUTCOME) or "", "outcome of a run")
        return None

    def _in_the_way(self, job: Json) -> Problem | None:
        """Why a run that has begun doesn't go on; None where nothing keeps it."""
        if its := self.pods_of(job):
            return next((problem for pod in its if (problem := pending(pod, Facts())) is not None), None)
        refused = [event for event in self.events if event.get("reason") == "FailedCreate"]
        return refusal(403, {"message": refused[-1].get("message", ""), "reason": "Forbidden"}) if refused else None

    def _why(self, job: Json, failed: Json) -> str:
        """Why a run ended that couldn't say so itself."""
        if failed.get("reason") == "DeadlineExceeded":
            return f"it ran longer than {job['spec'].get('activeDeadlineSeconds', 0):.0f} s, and was ended"
        for pod in self.pods_of(job):
            return death(pod).words
        return sentence(failed.get("message")) or "Kubernetes doesn't say why"


def _end(job: Json) -> tuple[Time | None, Json | None]:
    """When a Job was over, and its condition if it failed."""
    status = job.get("status") or {}
    for condition in status.get("conditions") or []:
        if condition.get("status") == "True" and condition.get("type") in ("Complete", "Failed"):
            when = moment(str(status.get("completionTime") or condition["lastTransitionTime"]))
            return when, condition if condition["type"] == "Failed" else None
    return None, None


def _made(item: Json) -> str:
    return str(item["metadata"]["creationTimestamp"])


def _owner(item: Json) -> str:
    return next((str(each["uid"]) for each in item["metadata"].get("ownerReferences") or []), "")

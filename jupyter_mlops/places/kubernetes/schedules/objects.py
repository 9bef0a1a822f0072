"""The objects of a notebook that is run by itself: what Kubernetes is asked for. Makes nothing.

The CronJob owns all the others, so that Kubernetes removes everything with it; how a run went belongs to its Job, and
goes with that. What pods are made by has names of its own for each content, so that those which run keep what they
began with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ....core.base import Seconds
from ....core.formats import FORMAT
from ....core.schedule import Outcome, Schedule, ScheduleSpec, parse_every
from ....home.parcels import digest_of
from .. import names
from ..names import ScheduleNames
from ..options import options_of
from ..pods.merge import merge
from ..pods.template import DRIVER, driver_pod
from ..records import code
from ..records.kept import secret
from ..records.manifests import DRIVER_RULES, bound

Json = dict[str, Any]

#: Files of what pods are made by, and of how a run went.
SPEC, OUTCOME, LOG = "spec.json", "outcome.json", "log.txt"

#: The annotation of the CronJob: what is told of it.
TOLD = "jupyter-mlops/scheduled"

#: Variables that tell a pod of which Job it is.
JOB, JOB_UID = "JUPYTER_MLOPS_JOB", "JUPYTER_MLOPS_JOB_UID"

#: Jobs that are kept, of those that were done and of those that failed, and for how long: longer than a week.
_KEPT, _KEPT_FOR = 2, 8 * 86400

#: A run that could not begin in time begins as late as this. Kubernetes counts what was missed in it, and gives up for
#: good where that is more than a hundred.
_LATEST: Seconds = 6 * 3600

#: Seconds that a run may take where its profile bounds no cluster's life; what it has beside one that does; and those
#: that it has to end.
_LONGEST, _BESIDE, _ENDING = 86400, 1800, 90


@dataclass(frozen=True)
class NotebookParcel:
    """The files of a notebook, in parts."""

    parts: Sequence[bytes]

    @property
    def digest(self) -> str:
        """By which it is known again."""
        return digest_of(self.parts)


def account_of(spec: ScheduleSpec, ids: ScheduleNames, uid: str) -> str:
    """The service account of its pods; `uid` is the CronJob's."""
    return options_of(spec.profile).driver_account or ids.driver(uid)


def build_files(spec: ScheduleSpec) -> dict[str, str | bytes]:
    """What its pods start with: the code, and what is wanted."""
    return {
        **code.packed_for_pipeline(),
        SPEC: spec.model_dump_json(),
        "packages.txt": "\n".join(options_of(spec.profile).packages),
    }


def build_of(files: dict[str, str | bytes]) -> str:
    """A number for what pods are made by: another one for each other content."""
    digest = hashlib.sha256()
    for name in sorted(files):
        content = files[name]
        digest.update(name.encode() + (content.encode() if isinstance(content, str) else content))
    return digest.hexdigest()[:10]


def cron_job(spec: ScheduleSpec, ids: ScheduleNames, build: str, parcel: NotebookParcel, uid: str = "") -> Json:
    """The CronJob; suspended until there is what its pods need, which it owns, and Kubernetes has given it its number,
    `uid`. Raises `InvalidSpec` where the profile's templates don't fit."""
    schedule = spec.schedule
    metadata = _metadata(spec, ids, ids.whole, "schedule")
    metadata["annotations"][TOLD] = _told(schedule)
    longest = spec.profile.limits.lifetime
    pod = _pod(spec, ids, build, parcel, account_of(spec, ids, uid))
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": metadata,
        "spec": {
            "schedule": schedule.line,
            "timeZone": schedule.zone,
            "suspend": True,
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": round(min(parse_every(schedule.every).span, _LATEST)),
            "successfulJobsHistoryLimit": _KEPT,
            "failedJobsHistoryLimit": _KEPT,
            "jobTemplate": {
                "metadata": {"labels": pod["metadata"]["labels"], "annotations": _owner(spec)},
                "spec": {
                    "backoffLimit": 0,
                    "activeDeadlineSeconds": round(_LONGEST if longest is None else longest + _BESIDE),
                    "ttlSecondsAfterFinished": _KEPT_FOR,
                    "template": pod,
                },
            },
        },
    }


def change_of(made: Json, suspend: bool = False) -> list[Json]:
    """The JSON patch by which a CronJob that is there becomes this one."""
    told = f"/metadata/annotations/{TOLD.replace('/', '~1')}"
    return [
        {"op": "replace", "path": "/spec", "value": {**made["spec"], "suspend": suspend}},
        {"op": "replace", "path": told, "value": made["metadata"]["annotations"][TOLD]},
    ]


def rights(spec: ScheduleSpec, ids: ScheduleNames, owner: Json) -> dict[str, Json]:
    """The account, role and binding by which its pods make clusters, by the path of their kind; none where the profile
    names an account that is ready."""
    if options_of(spec.profile).driver_account:
        return {}
    name = ids.driver(owner["uid"])
    return bound(name, ids.namespace, _metadata(spec, ids, name, "schedule", owner), DRIVER_RULES)


def secrets(
    spec: ScheduleSpec,
    ids: ScheduleNames,
    owner: Json,
    build: str,
    files: dict[str, str | bytes],
    parcel: NotebookParcel,
) -> list[Json]:
    """The Secrets that its pods are made by."""

    def metadata(name: str) -> Json:
        return _metadata(spec, ids, name, "build", owner)

    found = [secret(metadata(ids.build(build)), files)]
    found += [secret(metadata(ids.part(parcel.digest, n)), {"part": part}) for n, part in enumerate(parcel.parts)]
    return found


def environment_secret(spec: ScheduleSpec, ids: ScheduleNames, owner: Json) -> Json | None:
    """The Secret with the variables of its profile; None where there are none."""
    if not spec.profile.environment:
        return None
    return secret(_metadata(spec, ids, ids.environment, "environment", owner), spec.profile.environment)


def outcome_secret(spec: ScheduleSpec, ids: ScheduleNames, job: str, uid: str, outcome: Outcome, log: str) -> Json:
    """How a run went, which belongs to its Job."""
    metadata = _metadata(spec, ids, ids.outcome(job), "outcome", _job(job, uid))
    return secret(metadata, {OUTCOME: outcome.model_dump_json(), LOG: log})


def value_secret(spec: ScheduleSpec, ids: ScheduleNames, job: str, uid: str, number: int, part: bytes) -> Json:
    """A part of what the steps of a run made, of ten at most, which belongs to its Job."""
    return secret(_metadata(spec, ids, ids.values(job, number), "values", _job(job, uid)), {"part": part})


def _job(name: str, uid: str) -> Json:
    return names.owner_of({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "uid": uid}})


def _pod(spec: ScheduleSpec, ids: ScheduleNames, build: str, parcel: NotebookParcel, account: str) -> Json:
    arguments = ["python", f"{names.SPEC}/start.py", "pipeline", names.SPEC, names.NOTEBOOK_PARTS, names.STATE]
    sources = [
        {"secret": {"name": ids.part(parcel.digest, n), "items": [{"key": "part", "path": f"part-{n:03}"}]}}
        for n in range(len(parcel.parts))
    ]
    own = {
        "JUPYTER_MLOPS_HOME": f"{names.STATE}/home",
        "JUPYTERHUB_USER": spec.owner,  # whose clusters it makes
        "JUPYTER_MLOPS_NAMESPACE": ids.namespace,
    }
    of_job = {JOB: "metadata.labels['batch.kubernetes.io/job-name']"}
    of_job[JOB_UID] = "metadata.labels['batch.kubernetes.io/controller-uid']"
    container = {
        "name": DRIVER,
        "env": [
            *({"name": name, "value": value} for name, value in own.items()),
            *({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in of_job.items()),
        ],
        "volumeMounts": [
            {"name": "state", "mountPath": names.STATE},
            {"name": "notebook", "mountPath": names.NOTEBOOK_PARTS, "readOnly": True},
        ],
    }
    ours: Json = {
        "metadata": {
            "labels": {**ids.labels(spec.owner, DRIVER), names.BUILD: build},
            "annotations": _owner(spec),
        },
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": _ENDING,
            "containers": [container],
            "volumes": [
                {"name": "spec", "secret": {"secretName": ids.build(build)}},
                {"name": "state", "emptyDir": {}},
                {"name": "notebook", "projected": {"sources": sources}},
            ],
        },
    }
    return merge(driver_pod(spec.profile, ids.whole, arguments, account), ours)


def _told(schedule: Schedule) -> str:
    return schedule.model_dump_json(exclude={"began", "ended", "code", "said", "suspended", "problem"})


def _owner(spec: ScheduleSpec) -> Json:
    return {names.OWNER_IN_FULL: spec.owner}


def _metadata(spec: ScheduleSpec, ids: ScheduleNames, name: str, part: str, owner: Json | None = None) -> Json:
    metadata: Json = {
        "name": name,
        "namespace": ids.namespace,
        "labels": ids.labels(spec.owner, part),
        "annotations": {**_owner(spec), names.FORMAT: str(FORMAT)},
    }
    return metadata | ({"ownerReferences": [owner]} if owner else {})

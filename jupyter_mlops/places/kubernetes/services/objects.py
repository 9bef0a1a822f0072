"""The objects of a service: what Kubernetes is asked for. Makes nothing.

The Deployment owns all but the record, so that Kubernetes removes everything with it. Nothing of it asks Kubernetes for
anything: its pods have no token. What pods are made by has names of its own for each content, so that pods which are
there keep what they began with.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ....core.base import Seconds
from ....core.errors import InvalidSpec
from ....core.formats import FORMAT
from ....core.profile import Profile
from ....core.service import ServiceSpec
from .. import names
from ..names import ServiceNames
from ..options import options_of
from ..pods.merge import merge
from ..pods.template import REPLICA, replica_pod
from ..records import code
from ..records.kept import secret
from ..records.record import APPS, POLICY
from .parcel import Parcels, ServiceParcel
from .trial import trial_template, volume_of

Json = dict[str, Any]

#: The annotations of the Deployment: which wish it is, and of its pods: what they serve.
REVISION = "jupyter-mlops/revision"

#: Files of the record: what is wanted, and was before; a version that was tried, and went back; who may call, and the
#: owner's token; since when it has how many replicas, and what that was in the end.
WANTED, BEFORE, PAST, CALLERS, TOKEN, LEDGER, RECEIPT = (
    "spec.json",
    "before.json",
    "past.json",
    "callers.json",
    "token",
    "ledger.jsonl",
    "receipt.json",
)

#: Characters of a service's name: those of its objects are longer.
MOST_NAME = 36

#: Seconds between two questions whether a pod is ready; that it may take to load its version; and that it has beside
#: its patience with requests to end: until nobody is sent there any more, and for its own end.
_ASK: Seconds = 2
_LOADING: Seconds = 600
_ENDING: Seconds = 30

_PORT = "http"


def check_spec(spec: ServiceSpec) -> None:
    """Raise `InvalidSpec` where it can't become objects."""
    if len(spec.name) > MOST_NAME:
        why = f"on Kubernetes a service's name has {MOST_NAME} characters at most"
        raise InvalidSpec(f"A service can't be called {spec.name!r}", why, "Name it: mlops.deploy(…, name=…).")
    template_of(spec, ServiceNames(spec.name, "check"), "check", Parcels(ServiceParcel("check", 1)))


#: What pods needn't know of a wish: where only this changes they stay as they are, with what they have counted.
_NOT_TOLD = {"price", "deployment", "pipeline", "retrain", "retrain_rows", "home"}


def build_files(spec: ServiceSpec) -> dict[str, str | bytes]:
    """What its pods start with: the code, and the wish without what they needn't know."""
    assert spec.profile is not None
    profile = spec.profile.model_copy(update={"environment": {}, "price": None})
    plain = spec.model_copy(update={"profile": profile, "revision": "", "replicas": 1, "created": 0, "port": None})
    told = plain.model_dump_json(exclude=_NOT_TOLD)
    return {
        **code.packed_for_service(),
        "spec.json": told,
        "packages.txt": "\n".join(options_of(profile).packages),
    }


def build_of(files: dict[str, str | bytes], environment: dict[str, str]) -> str:
    """A number for what pods are made by: another one for each other content."""
    digest = hashlib.sha256(json.dumps(environment, sort_keys=True).encode())
    for name in sorted(files):
        content = files[name]
        digest.update(name.encode() + (content.encode() if isinstance(content, str) else content))
    return digest.hexdigest()[:10]


def template_of(spec: ServiceSpec, ids: ServiceNames, build: str, parcels: Parcels) -> Json:
    """The template of its pods. Raises `InvalidSpec` where the profile's templates don't fit."""
    grace = round(spec.patience + _ENDING)
    arguments = [
        "python", f"{names.SPEC}/start.py", "service",
        names.SPEC, names.VERSION_PARTS, f"{names.CALLERS}/{CALLERS}", str(names.SERVICE_PORT),
    ]  # fmt: skip
    if spec.candidate is not None and parcels.tried is not None:
        arguments += [names.TRIED_PARTS, ids.board(spec.candidate.salt)]
    health: Json = {"port": names.SERVICE_PORT, "path": "/v2/health/ready"}
    container = {
        "name": REPLICA,
        "ports": [{"name": _PORT, "containerPort": names.SERVICE_PORT}],
        "env": [{"name": "JUPYTER_MLOPS_HOME", "value": f"{names.STATE}/home"}],
        "volumeMounts": [
            {"name": "state", "mountPath": names.STATE},
            {"name": "version", "mountPath": names.VERSION_PARTS, "readOnly": True},
            {"name": "callers", "mountPath": names.CALLERS, "readOnly": True},
        ],
        # A version that takes long to load isn't killed for it: it says itself when it can't be loaded.
        "startupProbe": {
            "httpGet": health,
            "periodSeconds": _ASK,
            "timeoutSeconds": 5,
            "failureThreshold": round(_LOADING / _ASK),
        },
        "readinessProbe": {"httpGet": health, "periodSeconds": _ASK, "timeoutSeconds": 5, "failureThreshold": 3},
        # One with as many callers as it takes lives, though it turns whoever asks by HTTP away.
        "livenessProbe": {
            "tcpSocket": {"port": names.SERVICE_PORT},
            "periodSeconds": 10,
            "timeoutSeconds": 10,
            "failureThreshold": 6,
        },
    }
    ours: Json = {
        "metadata": {
            "labels": {**ids.labels(spec.owner, "replica"), names.VERSION: str(spec.version), names.BUILD: build},
            "annotations": {names.OWNER_IN_FULL: spec.owner},
        },
        "spec": {
            "terminationGracePeriodSeconds": grace,
            "containers": [container],
            "volumes": [
                {"name": "spec", "secret": {"secretName": ids.build(build)}},
                {"name": "state", "emptyDir": {}},
                volume_of("version", parcels.stable, ids),
                {
                    "name": "callers",
                    "secret": {"secretName": ids.whole, "items": [{"key": CALLERS, "path": CALLERS}]},
                },
            ],
        },
    }
    pod = replica_pod(profile_of(spec), ids.whole, arguments)
    if spec.candidate is not None and parcels.tried is not None:
        account = pod["spec"].get("serviceAccountName")
        ours = merge(ours, trial_template(ids, spec.candidate.salt, parcels.tried, account))
    pod = merge(pod, ours)
    # Others than a cluster's pods: nothing is lost where one is made elsewhere, and the budget bounds how many at once.
    stays = dict.fromkeys(names.STAYS)
    return merge(pod, {"metadata": {"annotations": stays}})


def profile_of(spec: ServiceSpec) -> Profile:
    """The profile by which its pods are made: of a pod with two versions, each has what one has otherwise."""
    assert spec.profile is not None
    if spec.candidate is None:
        return spec.profile
    group = spec.profile.groups[0]
    twice = {"cpus": 2 * group.cpus, "memory": 2 * group.memory, "gpus": 2 * group.gpus}
    return spec.profile.model_copy(update={"groups": [group.model_copy(update=twice), *spec.profile.groups[1:]]})


def deployment(spec: ServiceSpec, ids: ServiceNames, template: Json) -> Json:
    """The Deployment, without pods so far: what they need is made after it, since it owns that."""
    its = {names.SERVICE: ids.service, names.PART: "replica"}
    metadata = metadata_of(spec, ids, ids.whole, "service")
    metadata["annotations"][REVISION] = spec.revision
    return {
        "apiVersion": APPS,
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": its},
            # Another version comes beside the one that answers, a pod at a time, and none goes before one is ready.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "progressDeadlineSeconds": round(_LOADING),
            "revisionHistoryLimit": 1,
            "template": template,
        },
    }


def change_of(spec: ServiceSpec, template: Json, before: str) -> list[Json]:
    """The JSON patch by which a Deployment becomes what is wanted, which has to be the wish `before` still: who was
    slower would undo what somebody else wants since."""
    revision = f"/metadata/annotations/{REVISION.replace('/', '~1')}"
    return [
        {"op": "test", "path": revision, "value": before},
        {"op": "replace", "path": "/spec/template", "value": template},
        {"op": "replace", "path": "/spec/replicas", "value": spec.replicas},
        {"op": "replace", "path": revision, "value": spec.revision},
    ]


def build_secrets(
    spec: ServiceSpec, ids: ServiceNames, owner: Json, build: str, files: dict[str, str | bytes], parcels: Parcels
) -> list[Json]:
    """The Secrets that its pods are made by."""

    def metadata(name: str) -> Json:
        return metadata_of(spec, ids, name, "build", owner)

    found = [secret(metadata(ids.build(build)), files)]
    for parcel in filter(None, parcels):
        found += [secret(metadata(ids.part(parcel.digest, n)), {"part": part}) for n, part in enumerate(parcel.parts)]
    return found


def environment_secret(spec: ServiceSpec, ids: ServiceNames, owner: Json) -> Json | None:
    """The Secret with the variables of its profile; None where there are none."""
    assert spec.profile is not None
    if not spec.profile.environment:
        return None
    return secret(metadata_of(spec, ids, ids.environment, "environment", owner), spec.profile.environment)


def address_object(spec: ServiceSpec, ids: ServiceNames, owner: Json) -> Json:
    """The Service: its address."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata_of(spec, ids, ids.whole, "service", owner),
        "spec": {
            "type": "ClusterIP",
            "selector": {names.SERVICE: ids.service, names.PART: "replica"},
            "ports": [{"name": _PORT, "port": port_of(spec), "targetPort": _PORT}],
        },
    }


def budget(spec: ServiceSpec, ids: ServiceNames, owner: Json) -> Json:
    """That nodes which are drained take one of its pods at a time."""
    return {
        "apiVersion": POLICY,
        "kind": "PodDisruptionBudget",
        "metadata": metadata_of(spec, ids, ids.whole, "service", owner),
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": {names.SERVICE: ids.service, names.PART: "replica"}},
        },
    }


def record_object(spec: ServiceSpec, ids: ServiceNames, files: dict[str, str | bytes]) -> Json:
    """The Secret that is its record, and outlives it: what is wanted, who may call, what it cost."""
    return secret(metadata_of(spec, ids, ids.whole, "service-record"), files)


def port_of(spec: ServiceSpec) -> int:
    """The port of its address."""
    return spec.port or names.SERVICE_PORT


def metadata_of(spec: ServiceSpec, ids: ServiceNames, name: str, part: str, owner: Json | None = None) -> Json:
    """The metadata of an object of it; `part` is as in `ServiceNames.labels`."""
    metadata: Json = {
        "name": name,
        "namespace": ids.namespace,
        "labels": ids.labels(spec.owner, part),
        "annotations": {names.OWNER_IN_FULL: spec.owner, names.FORMAT: str(FORMAT)},
    }
    return metadata | ({"ownerReferences": [owner]} if owner else {})

"""From a group to a worker's pod, and the scheduler's pod. Passes Pod Security "restricted" as it is."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from ....controller.roles import SCHEDULER, WORKER
from ....core.cluster import ClusterSpec
from ....core.errors import InvalidSpec
from ....core.profile import Group, Profile
from .. import names, quantity
from ..clouds import GPU, SPOT_LABELS, SPOT_TAINTS
from ..names import ObjectNames
from ..options import options_of, pod_of
from .merge import merge

#: The container that user templates are merged over is named after its part of the cluster.

#: And that of a service's pods.
REPLICA = "replica"

#: And that of the pods that run a notebook by itself; with the CPUs that one asks for, which starts clusters and waits,
#: and the bytes that it has at least.
DRIVER = "driver"
_DRIVER_CPUS, _DRIVER_MEMORY = 0.1, 1024**3

#: What processes share through memory.
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - a mount, no file

_PORTS = {"tcp-comm": names.SCHEDULER_PORT, "http-dashboard": names.DASHBOARD_PORT}


def worker_pod(
    spec: ClusterSpec, group: Group, worker: str, ids: ObjectNames, owner: Mapping[str, Any]
) -> dict[str, Any]:
    """The pod of `worker`.

    Parameters
    ----------
    group : of `spec`; its `spot` is False where a worker of a spot group is made on demand, and on no spot node.
    owner : the ownerReference to the cluster's record: Kubernetes removes the pod with it.

    Raises
    ------
    InvalidSpec : the templates of the profile or group don't merge into a pod.
    """
    options = options_of(spec.profile)
    arguments = [
        "python", f"{names.SPEC}/start.py", "worker",
        "--name", worker, "--group", group.name, "--threads", str(group.threads), "--memory", str(group.memory),
        "--scheduler", ids.address(options.tls), "--grace", str(options.grace),
    ]  # fmt: skip
    pod = _pod(spec, ids, WORKER, arguments, _resources(group.cpus, group.memory, group.gpus))
    instead = {"affinity": _not_on_spot()} if spec.profile.group(group.name).spot else {}
    nodes = _spot() if group.spot else instead
    pod = merge(pod, {"spec": {**nodes, "terminationGracePeriodSeconds": options.grace}})
    pod = merge(pod, {"spec": _gpus(group)})
    pod = merge(pod, _template(pod_of(group), WORKER, f"group {group.name!r}"))
    pod = merge(pod, _shared_memory(pod, group))
    labels = ids.labels(spec.owner, "worker") | ids.dask_labels("worker")
    labels |= {
        names.GROUP: group.name,
        names.WORKER: worker,
        names.DASK_GROUP: names.label(f"{ids.cluster}-{group.name}"),
    }
    metadata = {
        "name": ids.pod(worker),
        "namespace": ids.namespace,
        "labels": labels,
        "annotations": {names.OWNER_IN_FULL: spec.owner},
        "ownerReferences": [dict(owner)],
    }
    return merge(pod, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata})


def scheduler_pod(spec: ClusterSpec, ids: ObjectNames) -> dict[str, Any]:
    """The pod template of the scheduler: never on spot, sized by the workers that it may get.

    Raises
    ------
    InvalidSpec : the templates of the profile don't merge into a pod.
    """
    options = options_of(spec.profile)
    most = sum(group.maximum for group in spec.profile.groups)
    cpus, memory = scheduler_size(most)
    arguments = ["python", f"{names.SPEC}/start.py", "scheduler"]
    resources = {"requests": _amounts(cpus, memory), "limits": {"memory": str(2 * memory)}}
    pod = _pod(spec, ids, SCHEDULER, arguments, resources)
    container = {
        "name": SCHEDULER,
        "ports": [{"name": name, "containerPort": port} for name, port in _PORTS.items()],
        "volumeMounts": [{"name": "state", "mountPath": names.STATE}],
    }
    spec_part: dict[str, Any] = {
        "containers": [container],
        "volumes": [{"name": "state", "emptyDir": {}}],
        "serviceAccountName": options.service_account or ids.controller,
        "automountServiceAccountToken": True,
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "affinity": _not_on_spot(),
    }
    pod = merge(pod, {"spec": spec_part})
    pod = merge(pod, _template(options.scheduler, SCHEDULER, "the scheduler's pod"))
    labels = ids.labels(spec.owner, "scheduler") | ids.dask_labels("scheduler")
    return merge(pod, {"metadata": {"labels": labels, "annotations": {names.OWNER_IN_FULL: spec.owner}}})


def replica_pod(profile: Profile, name: str, arguments: Sequence[str]) -> dict[str, Any]:
    """What the pods of a service have of its profile, and of its first group: image, size, templates. Who makes the
    service adds the rest.

    Parameters
    ----------
    name : what the names of the service's Secrets begin with.
    arguments : the program.

    Raises
    ------
    InvalidSpec : the templates of the profile or group don't merge into a pod.
    """
    group = profile.groups[0]
    resources = _resources(group.cpus, group.memory, group.gpus)
    pod = _without_key(profile, name, REPLICA, arguments, resources)
    pod = merge(pod, {"spec": {**(_spot() if group.spot else {}), "restartPolicy": "Always"}})
    pod = merge(pod, {"spec": _gpus(group)})
    return merge(pod, _template(pod_of(group), REPLICA, f"group {group.name!r}"))


def driver_pod(profile: Profile, name: str, arguments: Sequence[str], account: str) -> dict[str, Any]:
    """What the pods that run a notebook by itself have of its profile: image, templates, and of its first group the
    memory, since what steps make comes back to them. Never on spot.

    Parameters
    ----------
    account : the service account by which it makes clusters.
    Others are those of `replica_pod`, which raises the same.
    """
    resources = _resources(_DRIVER_CPUS, max(profile.groups[0].memory, _DRIVER_MEMORY), 0)
    pod = _without_key(profile, name, DRIVER, arguments, resources)
    own = {"serviceAccountName": account, "automountServiceAccountToken": True, "affinity": _not_on_spot()}
    pod = merge(pod, {"spec": own})
    return merge(pod, _template(options_of(profile).scheduler, DRIVER, "the scheduler's pod"))


def _without_key(
    profile: Profile, name: str, container: str, arguments: Sequence[str], resources: Mapping[str, Any]
) -> dict[str, Any]:
    """The pod of what is no part of a cluster, and has no key of one."""
    plain = profile.model_copy(update={"options": {**profile.options, "tls": False}})
    spec = ClusterSpec.model_construct(name=name, owner="", profile=plain, created=0)
    return _pod(spec, ObjectNames(name, ""), container, arguments, resources)


def scheduler_service(ids: ObjectNames) -> dict[str, Any]:
    """What the Service of the scheduler is to be. Ports have the names that dask-kubernetes' tools look for."""
    return {
        "type": "ClusterIP",
        "selector": {names.CLUSTER: ids.cluster, names.PART: "scheduler"},
        # A DaskCluster's schema takes names of target ports only, no numbers.
        "ports": [{"name": name, "port": port, "targetPort": name} for name, port in _PORTS.items()],
    }


def scheduler_size(workers: int) -> tuple[float, int]:
    """CPUs and bytes that a scheduler of so many workers asks for.

    Measured: 91–98 MB for 1,000 idle workers; tasks take most of it, about 1 kB each, and one core is all it can use.
    """
    cpus = min(1.0, 0.1 + workers / 250)
    return round(cpus, 2), (256 + min(8192, workers * 4)) * 2**20


def _shared_memory(pod: Mapping[str, Any], group: Group) -> dict[str, Any]:
    """A /dev/shm of half the worker's memory, which it counts against, unless the templates bring one. A container's
    own has 64 MB: processes that load data for PyTorch die of it, and NCCL does."""
    mounts = [
        mount for container in pod["spec"]["containers"] for mount in container.get("volumeMounts", ())
        if container["name"] == WORKER
    ]  # fmt: skip
    if any(mount.get("mountPath", "").rstrip("/") == SHARED_MEMORY for mount in mounts):
        return {}
    volume = {"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": str(group.memory // 2)}}
    mount = {"name": "shared-memory", "mountPath": SHARED_MEMORY}
    return {"spec": {"volumes": [volume], "containers": [{"name": WORKER, "volumeMounts": [mount]}]}}


def _resources(cpus: float, memory: int, gpus: int) -> dict[str, Any]:
    """Memory is a limit, because what is over it must end; CPU is only asked for, so that idle CPUs are used."""
    resources: dict[str, Any] = {"requests": _amounts(cpus, memory), "limits": {"memory": str(memory)}}
    if gpus:
        resources["limits"][GPU] = str(gpus)
    return resources


def _amounts(cpus: float, memory: int) -> dict[str, str]:
    return {"cpu": quantity.of_cpus(cpus), "memory": str(memory)}


def _pod(
    spec: ClusterSpec, ids: ObjectNames, container: str, arguments: Sequence[str], resources: Mapping[str, Any]
) -> dict[str, Any]:
    """What the pods of workers and scheduler have in common, with the profile's template. Each has its own key."""
    options = options_of(spec.profile)
    mounts = [
        {"name": "spec", "mountPath": names.SPEC, "readOnly": True},
        {"name": "scratch", "mountPath": names.SCRATCH},
    ]
    volumes: list[dict[str, Any]] = [
        {"name": "spec", "secret": {"secretName": f"{spec.name}-spec"}},
        {"name": "scratch", "emptyDir": {}},
    ]
    if options.tls:
        mounts.append({"name": "tls", "mountPath": names.TLS, "readOnly": True})
        volumes.append({"name": "tls", "secret": {"secretName": ids.tls_of(container)}})
    environment = {"PYTHONUNBUFFERED": "1", "HOME": names.SCRATCH, **_native_threads(spec, resources)}
    ours = {name: value for name, value in environment.items() if name not in spec.profile.environment}
    # The profile's are in a Secret: more people may read pods. What is listed beside them would win over them.
    theirs = [{"secretRef": {"name": f"{spec.name}-environment"}}] if spec.profile.environment else []
    base: dict[str, Any] = {
        "metadata": {"annotations": dict(names.STAYS)},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 1000,
                "runAsGroup": 1000,
                "fsGroup": 1000,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "imagePullSecrets": [{"name": name} for name in options.pull_secrets],
            "containers": [
                {
                    "name": container,
                    "image": options.image or default_image(),
                    "imagePullPolicy": options.pull_policy,
                    "args": list(arguments),
                    "workingDir": names.SCRATCH,
                    "env": [{"name": name, "value": value} for name, value in ours.items()],
                    **({"envFrom": theirs} if theirs else {}),
                    "resources": dict(resources),
                    "volumeMounts": mounts,
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                    "terminationMessagePolicy": "FallbackToLogsOnError",
                }
            ],
            "volumes": volumes,
        },
    }
    return merge(base, _template(options.pod, container, "the profile"))


def _native_threads(spec: ClusterSpec, resources: Mapping[str, Any]) -> dict[str, str]:
    """One thread of native libraries per CPU that the pod asks for, however many the node has."""
    threads = str(max(1, math.floor(quantity.parse(resources["requests"]["cpu"]))))
    return dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), threads)


def _template(template: Mapping[str, Any], container: str, where: str) -> dict[str, Any]:
    """A user's template, with its only or unnamed container taken for ours.

    Raises
    ------
    InvalidSpec : it is not a pod template.
    """
    unknown = set(template) - {"metadata", "spec", "apiVersion", "kind"}
    if unknown:
        raise InvalidSpec(
            f"The pod template of {where} has {', '.join(map(repr, sorted(unknown)))}",
            "a pod template has 'metadata' and 'spec'",
            "Put what belongs to the pod under 'spec'.",
        )
    for part in ("metadata", "spec"):
        if not isinstance(template.get(part, {}), Mapping):
            raise InvalidSpec(f"The pod template of {where} isn't valid", f"{part!r} must be a mapping")
    spec = dict(template.get("spec") or {})
    given = spec.get("containers") or []
    if not isinstance(given, list) or not all(isinstance(each, Mapping) for each in given):
        raise InvalidSpec(f"The pod template of {where} isn't valid", "'containers' must be a list of mappings")
    if given:
        ours = [each for each in given if each.get("name") in (None, container)]
        main = ours[0] if ours else (given[0] if len(given) == 1 else None)
        spec["containers"] = [dict(each) | ({"name": container} if each is main else {}) for each in given]
    return {"metadata": dict(template.get("metadata") or {}), "spec": spec}


def _spot() -> dict[str, Any]:
    tolerations = [
        {"key": key, "operator": "Equal", "value": value, "effect": effect} for key, value, effect in SPOT_TAINTS
    ]
    terms = [
        {"matchExpressions": [{"key": key, "operator": "In", "values": list(values)}]} for key, values in SPOT_LABELS
    ]
    required = {"nodeSelectorTerms": terms}  # terms are alternatives
    return {
        "tolerations": tolerations,
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}},
    }


def _not_on_spot() -> dict[str, Any]:
    expressions = [{"key": key, "operator": "NotIn", "values": list(values)} for key, values in SPOT_LABELS]
    required = {"nodeSelectorTerms": [{"matchExpressions": expressions}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}


def _gpus(group: Group) -> dict[str, Any]:
    return {"tolerations": [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}]} if group.gpus else {}


def default_image() -> str:
    """Dask's public image with the versions of this kernel."""
    return f"ghcr.io/dask/dask:{version('dask')}-py{sys.version_info[0]}.{sys.version_info[1]}"

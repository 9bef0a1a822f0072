"""Foreign clusters, out of the objects that their tools make.

Whether one runs is judged by its pods, never by a DaskCluster's `status.phase`: the operator sets that to Running as
soon as there is a Service. Where there is no foreign cluster, asking costs two short lists.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ....core.base import Time
from ....core.cluster import Problem
from .. import names, quantity
from ..api.client import Answer, Api, Json
from ..clouds import GPU
from ..pods import pods
from ..records.record import APPS
from ..why.facts import moment, requests

#: dask-kubernetes' kinds of objects.
DASK = "kubernetes.dask.org/v1"

#: Answers that say that there is nothing to see: no such kind, no right to look.
_NOTHING = (401, 403, 404)

_NOT_OURS = f"{names.MANAGED_BY}!={names.US}"
_CHART = "release,component in (scheduler,worker)"

#: Labels that dask-kubernetes' operator puts on what it makes.
CLUSTER, COMPONENT, GROUP = "dask.org/cluster-name", "dask.org/component", "dask.org/workergroup-name"


@dataclass(frozen=True)
class DiscoveredGroup:
    """Workers of one shape."""

    name: str
    #: The DaskWorkerGroup or Deployment whose replicas say how many there shall be.
    object: str
    wanted: int
    #: The pods' spec, as their maker wrote it.
    template: Json
    pods: Sequence[Json] = ()
    #: What a DaskAutoscaler keeps it between.
    bounds: tuple[int, int] | None = None


@dataclass(frozen=True)
class Discovered:
    """A cluster that somebody else made."""

    #: What it is called here, and in Kubernetes: there, names may be longer and have dots.
    name: str
    object: str
    #: The kind of object that it is: its end is the cluster's.
    kind: str
    maker: str
    owner: str
    namespace: str
    #: Kubernetes' own, of the object.
    uid: str
    created: Time
    groups: Sequence[DiscoveredGroup]
    #: The scheduler's pods, newest first, and the name of its Service.
    schedulers: Sequence[Json]
    service: str
    #: Labels of its pods, and of its scheduler's.
    selector: str
    scheduler_selector: str
    leaving: bool = False
    #: Names of DaskAutoscalers that change how many workers it has.
    autoscalers: Sequence[str] = ()
    #: Why nothing more is known of it: its objects can't be read.
    fault: Problem | None = None

    @property
    def workers(self) -> list[Json]:
        """The pods of all workers."""
        return [pod for group in self.groups for pod in group.pods]

    @property
    def commands(self) -> list[str]:
        """What can be asked of it. A release of Helm is ended by Helm, which keeps a record of it."""
        if self.fault is not None:
            return [] if self.maker == "helm" else ["stop"]
        return ["scale", "run"] if self.maker == "helm" else ["scale", "stop", "run"]

    def without_parts(self, error: Exception) -> Discovered:
        """The little that is surely known of it, since reading the rest failed with `error`."""
        fault = _fault(self.kind, self.namespace, self.object, error)
        return dataclasses.replace(self, groups=[], schedulers=[], autoscalers=[], fault=fault)

    @property
    def running_scheduler(self) -> Json | None:
        """Its scheduler's pod, if that runs."""
        running = (pod for pod in self.schedulers if pods.step(pod) == "running" and not pods.leaving(pod))
        return next(running, None)

    @property
    def worker_names(self) -> dict[str, str]:
        """What the worker of each pod is called, by the pod's name.

        It is the group's name and the end of the pod's name, which nearly always tells workers apart; where it
        doesn't, the pod's whole name.
        """
        short = {
            str(pod["metadata"]["name"]): f"{group.name}-{pod['metadata']['name'].rpartition('-')[2]}"
            for group in self.groups
            for pod in group.pods
        }
        times = Counter(short.values())
        return {pod: name if times[name] == 1 else pod for pod, name in short.items()}


def of_operator(
    clusters: Iterable[Json], groups: Iterable[Json], autoscalers: Iterable[Json], pods: Iterable[Json]
) -> list[Discovered]:
    """The clusters that DaskClusters stand for."""
    by_cluster: dict[str, list[Json]] = defaultdict(list)
    for group in groups:
        by_cluster[_cluster_of(group)].append(group)
    bounds = {_cluster_of(each): each for each in autoscalers}
    pods_of: dict[tuple[str, str], list[Json]] = defaultdict(list)
    for pod in pods:
        labels = pod["metadata"]["labels"]
        pods_of[labels[CLUSTER], labels.get(GROUP, labels.get(COMPONENT, ""))].append(pod)
    return [
        _or_fault(_daskcluster, each, by_cluster[_name(each)], pods_of, bounds.get(_name(each))) for each in clusters
    ]


def _or_fault(read: Callable[..., Discovered], record: Json, *around: Any) -> Discovered:
    """What `read` makes of an object and what is around it; when that fails, the little that is surely known of it."""
    try:
        return read(record, *around)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        return _unreadable(record, error)


def _unreadable(record: Json, error: Exception) -> Discovered:
    """A cluster whose objects have another form than we know: one that is listed, and says so."""
    metadata, kind = record["metadata"], str(record.get("kind") or "DaskCluster")
    release = metadata.get("labels", {}).get("release") if kind == "Deployment" else None
    return Discovered(
        name=names.fitting(release or _name(record)),
        object=release or _name(record),
        kind=kind,
        maker=maker_of(record),
        owner=_owner(metadata),
        namespace=str(metadata.get("namespace", "")),
        uid=str(metadata.get("uid", "")),
        created=moment(metadata["creationTimestamp"]),
        groups=[],
        schedulers=[],
        service=_name(record),
        selector=",".join(f"{key}={value}" for key, value in _selecting(record).items()),
        scheduler_selector="",
        leaving="deletionTimestamp" in metadata,
        fault=_fault(kind, str(metadata.get("namespace", "")), _name(record), error),
    )


def _fault(kind: str, namespace: str, name: str, error: Exception) -> Problem:
    return Problem(
        what=f"The {kind} {namespace}/{name} can't be read",
        why=f"it has another form than is known here: {error!r}",
        todo=f"Look at it: `kubectl get {kind.lower()} {name} --namespace {namespace} --output yaml`.",
    )


def _selecting(record: Json) -> dict[str, str]:
    """The labels by which the parts of an unreadable cluster are found."""
    labels = record["metadata"].get("labels") or {}
    chart = {key: str(labels[key]) for key in ("app", "release") if key in labels}
    return chart if record.get("kind") == "Deployment" else {CLUSTER: _name(record)}


def _daskcluster(
    cluster: Json, groups: Sequence[Json], pods: dict[tuple[str, str], list[Json]], autoscaler: Json | None
) -> Discovered:
    name, metadata = _name(cluster), cluster["metadata"]
    if not groups:  # the operator has not made them yet
        default = {"metadata": {"name": f"{name}-default"}, "spec": {"worker": cluster["spec"].get("worker") or {}}}
        groups = [default]
    found = []
    for group in sorted(groups, key=lambda each: (_name(each) != f"{name}-default", _name(each))):
        worker = group["spec"].get("worker") or {}
        scaled = autoscaler if _name(group) == f"{name}-default" else None
        found.append(
            DiscoveredGroup(
                name=names.fitting(_name(group).removeprefix(f"{name}-")),
                object=_name(group),
                wanted=int(worker.get("replicas") or 0),
                template=worker.get("spec") or {},
                pods=pods.get((name, _name(group)), []),
                bounds=(int(scaled["spec"]["minimum"]), int(scaled["spec"]["maximum"])) if scaled else None,
            )
        )
    return Discovered(
        name=names.fitting(name),
        object=name,
        kind="DaskCluster",
        maker=maker_of(cluster),
        owner=_owner(metadata),
        namespace=str(metadata.get("namespace", "")),
        uid=str(metadata.get("uid", "")),
        created=moment(metadata["creationTimestamp"]),
        groups=_distinct(found),
        schedulers=newest_first(pods.get((name, "scheduler"), [])),
        service=f"{name}-scheduler",
        selector=f"{CLUSTER}={name},{COMPONENT} in (scheduler,worker)",
        scheduler_selector=f"{CLUSTER}={name},{COMPONENT}=scheduler",
        leaving="deletionTimestamp" in metadata,
        autoscalers=[_name(autoscaler)] if autoscaler else [],
    )


def of_chart(deployments: Iterable[Json], pods: Iterable[Json]) -> list[Discovered]:
    """The clusters that Deployments with the labels of Helm's chart stand for: one for each release of it."""
    parts: dict[tuple[str, str], list[Json]] = defaultdict(list)
    for deployment in deployments:
        parts[_release(deployment)].append(deployment)
    pods_of: dict[tuple[str, str], list[Json]] = defaultdict(list)
    for pod in pods:
        pods_of[_release(pod)].append(pod)
    return [
        _or_fault(_chart, _scheduler_of(each), release, each, pods_of[release])
        for release, each in parts.items()
        if any(_component(deployment) == "scheduler" for deployment in each)
    ]


def of_dask_chart(deployment: Json) -> bool:
    """Whether it comes from the chart, whose name may have been overridden in one of the labels."""
    labels = deployment["metadata"]["labels"]
    return labels.get("app") == "dask" or str(labels.get("chart", "")).startswith("dask-")


def _scheduler_of(deployments: Sequence[Json]) -> Json:
    """The Deployment of a release's scheduler."""
    return {"kind": "Deployment", **next(each for each in deployments if _component(each) == "scheduler")}


def _chart(scheduler: Json, release: tuple[str, str], deployments: Sequence[Json], pods: Sequence[Json]) -> Discovered:
    app, name = release
    selector = f"app={app},release={name}"
    workers = sorted((each for each in deployments if _component(each) == "worker"), key=_name)
    prefix = min((_name(each) for each in workers), key=len, default="")
    groups = [
        DiscoveredGroup(
            name=names.fitting(_name(each).removeprefix(prefix).strip("-") or "default"),
            object=_name(each),
            wanted=int(each["spec"].get("replicas", 1)),
            template=each["spec"]["template"]["spec"],
            pods=[pod for pod in pods if _deployment_of(pod) == _name(each)],
        )
        for each in workers
    ]
    return Discovered(
        name=names.fitting(name),
        object=name,
        kind="Deployment",
        maker=maker_of(scheduler),
        owner=_owner(scheduler["metadata"]),
        namespace=str(scheduler["metadata"].get("namespace", "")),
        uid=str(scheduler["metadata"].get("uid", "")),
        created=moment(scheduler["metadata"]["creationTimestamp"]),
        groups=_distinct(groups),
        schedulers=newest_first([pod for pod in pods if _component(pod) == "scheduler"]),
        service=_name(scheduler),
        selector=f"{selector},component in (scheduler,worker)",
        scheduler_selector=f"{selector},component=scheduler",
        leaving="deletionTimestamp" in scheduler["metadata"],
    )


def maker_of(record: Json) -> str:
    """Which tool made it: Helm and kubectl leave their mark on what they make, `KubeCluster` leaves none."""
    metadata = record["metadata"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    if labels.get("app.kubernetes.io/managed-by") == "Helm" or "meta.helm.sh/release-name" in annotations:
        return "helm"
    applied = "kubectl.kubernetes.io/last-applied-configuration" in annotations
    if applied or any(map(_made_with_kubectl, metadata.get("managedFields") or [])):
        return "kubectl"
    owners = {owner.get("kind") for owner in metadata.get("ownerReferences") or []}
    if "DaskJob" in owners:
        return "DaskJob"
    return "KubeCluster" if record.get("kind", "DaskCluster") == "DaskCluster" else "kubectl"


def _made_with_kubectl(entry: Json) -> bool:
    """Whether an entry of managed fields is that of `kubectl create` or `apply`: `kubectl edit`, `patch` and
    `scale` leave one, too, on what others have made."""
    manager, operation = entry.get("manager"), entry.get("operation")
    return manager in ("kubectl-create", "kubectl-client-side-apply") or (manager, operation) == ("kubectl", "Apply")


def _distinct(groups: Sequence[DiscoveredGroup]) -> list[DiscoveredGroup]:
    """The groups with names that tell them apart: a number is added where they don't."""
    taken: dict[str, int] = defaultdict(int)
    found = []
    for group in groups:
        taken[group.name] += 1
        number = taken[group.name]
        found.append(dataclasses.replace(group, name=f"{group.name[:44]}-{number}") if number > 1 else group)
    return found


def newest_first(pods: Iterable[Json]) -> list[Json]:
    """The pods, the newest first."""
    return sorted(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]), reverse=True)


def _cluster_of(item: Json) -> str:
    """The cluster that a DaskWorkerGroup or DaskAutoscaler names; empty when it names none."""
    return str((item.get("spec") or {}).get("cluster", ""))


def _name(item: Json) -> str:
    return str(item["metadata"]["name"])


def _component(item: Json) -> str:
    return str(item["metadata"]["labels"].get("component", ""))


def _release(item: Json) -> tuple[str, str]:
    labels = item["metadata"]["labels"]
    return str(labels.get("app", "")), str(labels.get("release", ""))


def _deployment_of(pod: Json) -> str:
    """The Deployment that a pod belongs to: its ReplicaSet is named after it. (All of a release share one selector.)"""
    labels = pod["metadata"]["labels"]
    sets = [owner["name"] for owner in pod["metadata"].get("ownerReferences") or [] if owner["kind"] == "ReplicaSet"]
    return str(sets[0]).removesuffix(f"-{labels.get('pod-template-hash', '')}") if sets else ""


def _owner(metadata: Json) -> str:
    labels = metadata.get("labels") or {}
    return str(labels.get("owner") or labels.get("user") or "")


@dataclass(frozen=True)
class Shape:
    """CPUs, bytes of memory and GPUs of one worker; zero where its maker named none."""

    cpus: float = 0.0
    memory: float = 0.0
    gpus: float = 0.0

    @property
    def known(self) -> bool:
        """Whether there is something to be paid for. What nobody asked for isn't free, only unknown."""
        return bool(self.cpus or self.memory)


def shape_of(spec: Json) -> Shape:
    """The shape of pods with this spec: what they ask for, else what they are limited to."""
    asked = requests({"spec": spec})
    return Shape(asked.get("cpu", 0.0), asked.get("memory", 0.0), asked.get(GPU, 0.0))


def memory_limit(pod: Json) -> float:
    """Bytes that its containers may use together; zero when nothing limits them."""
    containers = (pod.get("spec") or {}).get("containers") or []
    return sum(_limit(container) for container in containers)


def container_of(spec: Json, wanted: Iterable[str] = ("worker", "scheduler")) -> Json:
    """The container that Dask runs in: named so by dask-kubernetes, the first one elsewhere."""
    containers: list[Json] = spec.get("containers") or [{}]
    return next((each for each in containers if each.get("name") in set(wanted)), containers[0])


def scheduler_port(spec: Json, name: str, otherwise: int) -> int:
    """The port of the scheduler's container with that name."""
    ports = container_of(spec).get("ports") or []
    return next((int(port["containerPort"]) for port in ports if port.get("name") == name), otherwise)


def _limit(container: Json) -> float:
    limits = (container.get("resources") or {}).get("limits") or {}
    return quantity.parse(limits.get("memory", 0))


async def discover(api: Api) -> list[Discovered]:
    """All clusters in the namespace that somebody else made."""
    found = await asyncio.gather(_of_operator(api), _of_chart(api))
    return [cluster for some in found for cluster in some]


async def look_again(api: Api, known: Discovered, pods: Sequence[Json]) -> Discovered | None:
    """One of them as it is now, with these pods, which the caller watches; None when it is gone."""
    if known.kind == "DaskCluster":
        found = of_operator(*await _made_for_operator(api, known.object), pods)
    else:
        found = of_chart(await _made_by_chart(api, known.object), pods)
    return next((each for each in found if (each.object, each.uid) == (known.object, known.uid)), None)


async def pods_of(api: Api, known: Discovered) -> list[Json]:
    """All of its pods."""
    return await _list(api, "pods", "", {"labelSelector": known.selector})


async def _of_operator(api: Api) -> list[Discovered]:
    selector = f"{CLUSTER},{COMPONENT} in (scheduler,worker),{_NOT_OURS}"
    clusters, groups, autoscalers = await _made_for_operator(api)
    if not clusters:
        return []
    return of_operator(clusters, groups, autoscalers, await _list(api, "pods", "", {"labelSelector": selector}))


async def _made_for_operator(api: Api, only: str = "") -> tuple[list[Json], list[Json], list[Json]]:
    """DaskClusters, DaskWorkerGroups and DaskAutoscalers."""
    fields = {"fieldSelector": f"metadata.name={only}"} if only else {}
    clusters = await _list(api, "daskclusters", DASK, {"labelSelector": _NOT_OURS, **fields})
    if not clusters:
        return [], [], []
    groups, autoscalers = await asyncio.gather(
        _list(api, "daskworkergroups", DASK), _list(api, "daskautoscalers", DASK)
    )
    return clusters, groups, autoscalers


async def _of_chart(api: Api) -> list[Discovered]:
    deployments = await _made_by_chart(api)
    if not deployments:
        return []
    return of_chart(deployments, await _list(api, "pods", "", {"labelSelector": _CHART}))


async def _made_by_chart(api: Api, only: str = "") -> list[Json]:
    """Deployments of the chart."""
    selector = f"{_CHART},release={only}" if only else _CHART
    deployments = await _list(api, "deployments", APPS, {"labelSelector": selector})
    return [deployment for deployment in deployments if of_dask_chart(deployment)]


async def _list(api: Api, plural: str, group: str, query: Mapping[str, Any] | None = None) -> list[Json]:
    """Objects of a kind; none where the kind isn't known, or the user may not list it."""
    try:
        answer = await api.request("GET", api.path(plural, group=group), query=query)
    except Answer as refused:
        if refused.status in _NOTHING:
            return []
        raise
    return answer.get("items") or []

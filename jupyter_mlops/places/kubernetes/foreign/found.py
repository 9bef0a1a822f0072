"""Clusters of others, out of the objects that their tools make. Pure: the API's JSON goes in.

Whether one runs is judged by its pods, never by a DaskCluster's `status.phase`: the operator sets that to Running as
soon as there is a Service.
"""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ....core.base import Time
from ..why.facts import moment

Json = dict[str, Any]

#: Labels that dask-kubernetes' operator puts on what it makes.
CLUSTER, COMPONENT, GROUP = "dask.org/cluster-name", "dask.org/component", "dask.org/workergroup-name"

_NOT_IN_NAMES = re.compile(r"[^a-z0-9-]+")


@dataclass(frozen=True)
class FoundGroup:
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
class Found:
    """A cluster that somebody else made."""

    #: What it is called here, and in Kubernetes: there, names may be longer and have dots.
    name: str
    object: str
    #: The kind of object that it is: its end is the cluster's.
    kind: str
    maker: str
    owner: str
    created: Time
    groups: Sequence[FoundGroup]
    #: The scheduler's pods, newest first, and the name of its Service.
    schedulers: Sequence[Json]
    service: str
    #: Labels of its pods, and of its scheduler's.
    selector: str
    scheduler_selector: str
    leaving: bool = False
    #: Names of DaskAutoscalers that change how many workers it has.
    autoscalers: Sequence[str] = ()

    @property
    def workers(self) -> list[Json]:
        """The pods of all workers."""
        return [pod for group in self.groups for pod in group.pods]

    @property
    def commands(self) -> list[str]:
        """What can be asked of it. A release of Helm is ended by Helm, which keeps a record of it."""
        return ["scale", "run"] if self.maker == "helm" else ["scale", "stop", "run"]


def of_operator(
    clusters: Iterable[Json], groups: Iterable[Json], autoscalers: Iterable[Json], pods: Iterable[Json]
) -> list[Found]:
    """The clusters that DaskClusters stand for."""
    by_cluster: dict[str, list[Json]] = defaultdict(list)
    for group in groups:
        by_cluster[group["spec"]["cluster"]].append(group)
    bounds = {each["spec"]["cluster"]: each for each in autoscalers}
    pods_of: dict[tuple[str, str], list[Json]] = defaultdict(list)
    for pod in pods:
        labels = pod["metadata"]["labels"]
        pods_of[labels[CLUSTER], labels.get(GROUP, labels.get(COMPONENT, ""))].append(pod)
    return [_daskcluster(each, by_cluster[_name(each)], pods_of, bounds.get(_name(each))) for each in clusters]


def _daskcluster(
    cluster: Json, groups: Sequence[Json], pods: dict[tuple[str, str], list[Json]], autoscaler: Json | None
) -> Found:
    name, metadata = _name(cluster), cluster["metadata"]
    if not groups:  # the operator has not made them yet
        default = {"metadata": {"name": f"{name}-default"}, "spec": {"worker": cluster["spec"].get("worker") or {}}}
        groups = [default]
    found = []
    for group in sorted(groups, key=lambda each: (_name(each) != f"{name}-default", _name(each))):
        worker = group["spec"].get("worker") or {}
        scaled = autoscaler if _name(group) == f"{name}-default" else None
        found.append(
            FoundGroup(
                name=fitting(_name(group).removeprefix(f"{name}-")),
                object=_name(group),
                wanted=int(worker.get("replicas") or 0),
                template=worker.get("spec") or {},
                pods=pods.get((name, _name(group)), []),
                bounds=(int(scaled["spec"]["minimum"]), int(scaled["spec"]["maximum"])) if scaled else None,
            )
        )
    return Found(
        name=fitting(name),
        object=name,
        kind="DaskCluster",
        maker=maker_of(cluster),
        owner=_owner(metadata),
        created=moment(metadata["creationTimestamp"]),
        groups=_distinct(found),
        schedulers=newest_first(pods.get((name, "scheduler"), [])),
        service=f"{name}-scheduler",
        selector=f"{CLUSTER}={name},{COMPONENT} in (scheduler,worker)",
        scheduler_selector=f"{CLUSTER}={name},{COMPONENT}=scheduler",
        leaving="deletionTimestamp" in metadata,
        autoscalers=[_name(autoscaler)] if autoscaler else [],
    )


def of_chart(deployments: Iterable[Json], pods: Iterable[Json]) -> list[Found]:
    """The clusters that Deployments with the labels of Helm's chart stand for: one for each release of it."""
    parts: dict[tuple[str, str], list[Json]] = defaultdict(list)
    for deployment in deployments:
        parts[_release(deployment)].append(deployment)
    pods_of: dict[tuple[str, str], list[Json]] = defaultdict(list)
    for pod in pods:
        pods_of[_release(pod)].append(pod)
    return [
        _chart(release, each, pods_of[release])
        for release, each in parts.items()
        if any(_component(deployment) == "scheduler" for deployment in each)
    ]


def of_dask_chart(deployment: Json) -> bool:
    """Whether it comes from the chart, whose name may have been overridden in one of the labels."""
    labels = deployment["metadata"]["labels"]
    return labels.get("app") == "dask" or str(labels.get("chart", "")).startswith("dask-")


def _chart(release: tuple[str, str], deployments: Sequence[Json], pods: Sequence[Json]) -> Found:
    app, name = release
    scheduler = next(each for each in deployments if _component(each) == "scheduler")
    selector = f"app={app},release={name}"
    workers = sorted((each for each in deployments if _component(each) == "worker"), key=_name)
    prefix = min((_name(each) for each in workers), key=len, default="")
    groups = [
        FoundGroup(
            name=fitting(_name(each).removeprefix(prefix).strip("-") or "default"),
            object=_name(each),
            wanted=int(each["spec"].get("replicas", 1)),
            template=each["spec"]["template"]["spec"],
            pods=[pod for pod in pods if _deployment_of(pod) == _name(each)],
        )
        for each in workers
    ]
    return Found(
        name=fitting(name),
        object=name,
        kind="Deployment",
        maker=maker_of(scheduler),
        owner=_owner(scheduler["metadata"]),
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
    managers = {str(entry.get("manager", "")) for entry in metadata.get("managedFields") or []}
    applied = "kubectl.kubernetes.io/last-applied-configuration" in annotations
    if applied or any(manager.startswith("kubectl") for manager in managers):
        return "kubectl"
    owners = {owner.get("kind") for owner in metadata.get("ownerReferences") or []}
    if "DaskJob" in owners:
        return "DaskJob"
    return "KubeCluster" if record.get("kind", "DaskCluster") == "DaskCluster" else "kubectl"


def fitting(name: str) -> str:
    """`name` as one that is valid everywhere here: what isn't allowed becomes a dash, the rest is cut."""
    plain = _NOT_IN_NAMES.sub("-", name.lower()).strip("-")
    if not plain[:1].isalpha():
        plain = f"c-{plain}"
    return plain[:48].rstrip("-")


def _distinct(groups: Sequence[FoundGroup]) -> list[FoundGroup]:
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

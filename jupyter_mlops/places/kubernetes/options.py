"""What a profile and its groups may say about their pods."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import Field

from ...core.base import Input, Period, otherwise, read_record
from ...core.profile import Group, Profile
from ...core.spot import AGAIN, PATIENCE, SpotTerms

#: A Kubernetes pod template (`{metadata: …, spec: …}`), merged strategically over the pods that the place makes.
PodTemplate = dict[str, Any]


class KubernetesOptions(Input):
    """How a cluster is made on Kubernetes.

    Everything has a default: with none of it set, the current context of the kubeconfig (or the pod that Jupyter runs
    in) says where, and the image is Dask's own with the kernel's versions.
    """

    #: A context of the kubeconfig; empty: the current one, or in a pod the cluster that it is in.
    context: str = ""
    #: Empty: the context's namespace.
    namespace: str = ""
    #: Empty: Dask's public image of the kernel's Dask and Python versions.
    image: str = ""
    pull_policy: Annotated[Literal["Always", "IfNotPresent", "Never"], otherwise("IfNotPresent")] = "IfNotPresent"
    pull_secrets: list[str] = []
    #: Whether dask-kubernetes sees the cluster, as a DaskCluster that holds all of it: with "auto" where its operator
    #: acts; with "operator" always, and without the operator no cluster is made; with "deployment" never.
    record: Annotated[Literal["auto", "operator", "deployment"], otherwise("auto")] = "auto"
    #: Seconds in which the operator must react to a DaskCluster. The scheduler starts meanwhile.
    operator_timeout: Annotated[float, Field(ge=1, le=600)] = 5
    #: False lets tools that can't speak TLS reach the scheduler; the NetworkPolicy is then what guards it.
    tls: bool = True
    #: Of the scheduler's pod. Empty: one is made for the cluster, with the few rights that it needs.
    service_account: str = ""
    #: Of pods that run notebooks by themselves. Empty: one is made for each, with the rights to make clusters.
    driver_account: str = ""
    #: Merged over every pod, and over the scheduler's pod. A group's own `pod` comes last.
    pod: PodTemplate = {}
    scheduler: PodTemplate = {}
    #: Packages that are installed when a pod starts, as for `pip install`.
    packages: list[str] = []
    #: Packages of the kernel that started the cluster, as name==version: those that the image lacks are installed when
    #: a pod starts, if it can reach an index.
    kernel_packages: list[str] = []
    #: Where the kernel has them from, as variables for pip.
    package_index: dict[str, str] = {}
    #: A spot group whose pods wait longer than this goes on with nodes on demand. None: it keeps waiting.
    spot_fallback: Period | None = PATIENCE
    #: After so long on nodes on demand spot is tried again. None: never.
    spot_again: Period | None = AGAIN
    #: Seconds that a worker has to hand over its data when Kubernetes takes its pod away.
    grace: Annotated[int, Field(ge=1, le=3600)] = 60


class GroupOptions(Input):
    """How the pods of a group are made on Kubernetes."""

    #: Merged over the group's pods: image, node selector, tolerations, volumes…
    pod: PodTemplate = {}


def options_of(profile: Profile) -> KubernetesOptions:
    """The options of `profile`. An option that only another version knows is ignored: a profile is stored in specs.

    Raises
    ------
    Unreadable : they aren't valid; `Backend.check_options` says so before a cluster is made.
    """
    return read_record(KubernetesOptions, profile.options, "profile")


def spot_terms(profile: Profile) -> SpotTerms:
    """How long its spot groups wait for spot nodes. Raises as `options_of`."""
    options = options_of(profile)
    return SpotTerms(math.inf if options.spot_fallback is None else options.spot_fallback, options.spot_again)


def pod_of(group: Group) -> PodTemplate:
    """The pod template of `group`; raises as `options_of`."""
    return read_record(GroupOptions, group.options, "group").pod

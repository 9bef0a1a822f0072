"""Names and labels of everything that a cluster has in Kubernetes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from ...controller.roles import CLIENT

#: Labels of ours. The last ones are dask-kubernetes', so that its tools list our clusters.
CLUSTER = "jupyter-mlops/cluster"
GROUP = "jupyter-mlops/group"
WORKER = "jupyter-mlops/worker"
PART = "jupyter-mlops/part"
#: Of what belongs to a service, and of its pods: its name, the version that they serve, and by what they are made.
SERVICE = "jupyter-mlops/service"
VERSION = "jupyter-mlops/version"
BUILD = "jupyter-mlops/build"
#: Of its pods that have a second version, which is tried: the experiment.
TRIAL = "jupyter-mlops/trial"
#: Of what belongs to a notebook that is run by itself: what its objects are called.
SCHEDULE = "jupyter-mlops/schedule"
OWNER = "owner"
MANAGED_BY = "app.kubernetes.io/managed-by"
US = "jupyter-mlops"
DASK_CLUSTER = "dask.org/cluster-name"
DASK_COMPONENT = "dask.org/component"
DASK_GROUP = "dask.org/workergroup-name"

#: Whose it is: in full as an annotation, and as a label, which allows fewer characters, to select by.
OWNER_IN_FULL = "jupyter-mlops/owner"
#: The receipt's name tells a cluster's record and DaskCluster from those of another cluster of the same name.
RECEIPT = "jupyter-mlops/receipt"
#: The format of what is stored in an object.
FORMAT = "jupyter-mlops/format"
#: The label of a hub's users' pods: the user as the hub writes her.
HUB_USER = "jupyter-mlops/user"
#: The label of namespaces around which there is a wall: the namespace in which that runs. And the annotation of a
#: cluster's record by which it speaks.
WALL = "jupyter-mlops/wall"
WORD = "jupyter-mlops/wall-word"
#: What a wall writes on a namespace: the owners who get no new pods there, and when it has looked.
CLOSED = "jupyter-mlops/wall-closed"
LOOKED = "jupyter-mlops/wall-looked"
#: A spot group's pod that was made on demand.
ON_DEMAND = "jupyter-mlops/on-demand"

#: Annotations by which autoscalers leave the pod's node alone, though it would be cheaper to put its pods elsewhere.
STAYS = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false", "karpenter.sh/do-not-disrupt": "true"}

SCHEDULER_PORT = 8786
#: Where dask-kubernetes' tools expect a dashboard. Nothing listens there: ours is behind a key, on a port of its own.
DASHBOARD_PORT = 8787
#: Where tunnels arrive, inside of the scheduler's pod only.
RELAY_PORT = 8785
#: Where things are in the pods.
SPEC = "/opt/jupyter-mlops/spec"
PRICES = "prices.json.gz"
TLS = "/opt/jupyter-mlops/tls"
STATE = "/var/lib/jupyter-mlops"
VERSION_PARTS = "/opt/jupyter-mlops/version"
TRIED_PARTS = "/opt/jupyter-mlops/tried"
NOTEBOOK_PARTS = "/opt/jupyter-mlops/notebook"
CALLERS = "/opt/jupyter-mlops/callers"
#: Where a service's pods listen, and the Service in front of them unless another port was asked for.
SERVICE_PORT = 8080
SCRATCH = "/tmp"  # noqa: S108 - in a pod it is its own

_NOT_IN_LABELS = re.compile(r"[^A-Za-z0-9._-]+")
_NOT_IN_NAMES = re.compile(r"[^a-z0-9-]+")


def label(text: str) -> str:
    """`text` as a label's value: what isn't allowed becomes a dash, the rest is cut."""
    return _NOT_IN_LABELS.sub("-", text)[:63].strip("-_.")


def fitting(name: str) -> str:
    """`name` as one that is valid everywhere here: what isn't allowed becomes a dash, the rest is cut."""
    plain = _NOT_IN_NAMES.sub("-", name.lower()).strip("-")
    if not plain[:1].isalpha():
        plain = f"c-{plain}"
    return plain[:48].rstrip("-")


def owner_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """The ownerReference to an object."""
    return {
        "apiVersion": record["apiVersion"],
        "kind": record["kind"],
        "name": record["metadata"]["name"],
        "uid": record["metadata"]["uid"],
        "controller": True,  # else `kubectl drain` takes the pod for one that nobody would make again
        "blockOwnerDeletion": False,  # it needs a right that users rarely have, and nothing waits for it
    }


@dataclass(frozen=True)
class ServiceNames:
    """The names of the objects of one service."""

    service: str
    namespace: str

    @property
    def whole(self) -> str:
        """Its Deployment, its Service, its budget, and the Secret that is its record."""
        return f"{self.service}-service"

    @property
    def environment(self) -> str:
        """The Secret with the environment variables of its profile."""
        return f"{self.whole}-environment"

    def build(self, number: str) -> str:
        """A Secret with the code and the wish that pods are made by."""
        return f"{self.whole}-{number}"

    def part(self, digest: str, number: int) -> str:
        """The Secret with a part of a version."""
        return f"{self.whole}-{digest[:10]}-{number}"

    def board(self, salt: str) -> str:
        """The Secret in which all pods read and write who answers while a version is tried, and the service account,
        role and binding by which they may; `salt` is the experiment's."""
        return f"{self.whole}-trial-{salt[:12]}"

    @property
    def host(self) -> str:
        """Where it is found from inside of the Kubernetes cluster."""
        return f"{self.whole}.{self.namespace}.svc"

    @property
    def selector(self) -> str:
        """By which all that is its own is found."""
        return f"{MANAGED_BY}={US},{SERVICE}={self.service}"

    def labels(self, owner: str, part: str) -> dict[str, str]:
        """What everything of it is labelled with; `part` is service, replica or service-record, for example."""
        owned = {OWNER: label(owner), OWNER_IN_FULL: label(owner)}
        return {SERVICE: self.service, PART: part, **owned, MANAGED_BY: US}


@dataclass(frozen=True)
class ScheduleNames:
    """The names of the objects of a notebook that is run by itself."""

    whole: str
    namespace: str

    @classmethod
    def of(cls, notebook: str, owner: str, namespace: str) -> ScheduleNames:
        """Those of the notebook with this path, of this owner. Kubernetes adds eleven characters of its own."""
        digest = hashlib.sha256(f"{owner}\0{notebook}".encode()).hexdigest()[:8]
        return cls(f"{fitting(PurePath(notebook).stem)[:30].rstrip('-')}-{digest}", namespace)

    @property
    def environment(self) -> str:
        """The Secret with the environment variables of its profile."""
        return f"{self.whole}-environment"

    def driver(self, uid: str) -> str:
        """The service account of its pods, with role and binding; of the CronJob with this number, since those of an
        earlier one may be there still, and about to go."""
        return f"{self.whole}-driver-{uid[:8]}".rstrip("-")

    def build(self, digest: str) -> str:
        """The Secret with the code and the wish that pods are made by."""
        return f"{self.whole}-{digest[:10]}"

    def part(self, digest: str, number: int) -> str:
        """The Secret with a part of the notebook's files."""
        return f"{self.whole}-{digest[:10]}-{number}"

    def outcome(self, job: str) -> str:
        """The Secret with how a run went."""
        return f"{job}-outcome"

    def values(self, job: str, number: int) -> str:
        """The Secret with a part of what the steps of a run made."""
        return f"{job}-values-{number}"

    @property
    def selector(self) -> str:
        """By which all that is its own is found."""
        return f"{MANAGED_BY}={US},{SCHEDULE}={self.whole}"

    def labels(self, owner: str, part: str) -> dict[str, str]:
        """What everything of it is labelled with; `part` is schedule, driver or outcome, for example."""
        owned = {OWNER: label(owner), OWNER_IN_FULL: label(owner)}
        return {SCHEDULE: self.whole, PART: part, **owned, MANAGED_BY: US}


@dataclass(frozen=True)
class ObjectNames:
    """The names of the objects of one cluster. `created` tells it from an earlier one of the same name."""

    cluster: str
    namespace: str
    created: float = 0

    @property
    def scheduler(self) -> str:
        """Its scheduler's Deployment and Service, named as dask-kubernetes names them."""
        return f"{self.cluster}-scheduler"

    @property
    def worker_group(self) -> str:
        """The DaskWorkerGroup that every DaskCluster has."""
        return f"{self.cluster}-default"

    @property
    def controller(self) -> str:
        """Its service account, role and role binding."""
        return f"{self.cluster}-controller"

    @property
    def tls(self) -> str:
        """The Secret with its clients' key and certificate."""
        return self.tls_of(CLIENT)

    def tls_of(self, role: str) -> str:
        """The Secret with the key and the certificate of a part of it; that of clients is the oldest."""
        return f"{self.cluster}-tls" if role == CLIENT else f"{self.cluster}-{role}-tls"

    @property
    def spec(self) -> str:
        """The Secret with its spec and the code that runs in its pods."""
        return f"{self.cluster}-spec"

    @property
    def environment(self) -> str:
        """The Secret with the environment variables of its profile."""
        return f"{self.cluster}-environment"

    @property
    def receipt(self) -> str:
        """The Secret that outlives it: what it was, is, and cost."""
        return f"{self.cluster}-receipt-{round(self.created * 1000):x}"

    @property
    def history(self) -> str:
        """The Secret that outlives it: its ledger, events, timeline and runs."""
        return f"{self.cluster}-history-{round(self.created * 1000):x}"

    @property
    def host(self) -> str:
        """Its scheduler, from inside of the Kubernetes cluster."""
        return f"{self.scheduler}.{self.namespace}.svc"

    def pod(self, worker: str) -> str:
        """The pod of the worker of that name. dask-kubernetes' tools know a worker by the word in its pod's name."""
        group, _, number = worker.rpartition("-")
        return f"{self.cluster}-{group}-worker-{number}"

    def address(self, tls: bool) -> str:
        """How pods reach the scheduler."""
        return f"{'tls' if tls else 'tcp'}://{self.host}:{SCHEDULER_PORT}"

    def labels(self, owner: str, part: str) -> dict[str, str]:
        """What everything of the cluster is labelled with; `part` is scheduler, worker or record, for example."""
        owned = {OWNER: label(owner), OWNER_IN_FULL: label(owner)}
        return {CLUSTER: self.cluster, PART: part, **owned, MANAGED_BY: US}

    def dask_labels(self, component: str) -> dict[str, str]:
        """The labels by which dask-kubernetes' operator and tools find the parts of a cluster."""
        return {DASK_CLUSTER: self.cluster, DASK_COMPONENT: component}

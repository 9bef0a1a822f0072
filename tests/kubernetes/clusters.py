"""Clusters in a namespace of the test's own."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from jupyter_mlops import places
from jupyter_mlops.controller.link import ClusterView, Link
from jupyter_mlops.core.cluster import ClusterSpec
from jupyter_mlops.core.errors import ClusterUnreachable
from jupyter_mlops.core.price import Price
from jupyter_mlops.core.profile import Group, Profile
from jupyter_mlops.home.owner import me
from jupyter_mlops.places.base import Backend

from .kube import Kube

T = TypeVar("T")

#: Seconds that anything may take here: the machine may be busy with other suites.
PATIENCE = 150.0
#: Seconds between two looks: three times what one takes, within these bounds. Each may be a process of kubectl, which
#: on two CPUs takes time from what is waited for.
PAUSE = (0.3, 1.0)
OURS = "app.kubernetes.io/managed-by=jupyter-mlops"
MADE = (
    "pods,deployments,services,secrets,configmaps,serviceaccounts,roles,rolebindings,networkpolicies,"
    "poddisruptionbudgets,cronjobs,jobs"
)
#: For workers with a container: fake nodes may be there, too.
REAL = {
    "spec": {
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{"matchExpressions": [{"key": "fake", "operator": "DoesNotExist"}]}]
                }
            }
        }
    }
}
#: For workers that no container is made for.
FAKE = {"spec": {"nodeSelector": {"fake": "true"}}}
_number = iter(range(1, 1000))


class Namespace:
    """A namespace, and the place as seen with its kubeconfig."""

    def __init__(self, kube: Kube, name: str) -> None:
        self.kube, self.name = kube, name
        self.backend = places.get("kubernetes")

    def spec(self, *groups: Group, **fields: Any) -> ClusterSpec:
        """A spec with small workers; one unless groups are given."""
        options = {**self.options(), **fields.pop("kubernetes", {})}
        profile = Profile(
            **{
                "name": "small",
                "place": "kubernetes",
                "groups": list(groups) or [small(1)],
                "price": Price(cpu_hour=3600.0, source="the test's price", date="2026-01-01"),
                "options": options,
                **fields,
            }
        )
        return ClusterSpec(
            name=f"c{next(_number)}", owner=me(), profile=profile, price=profile.price or Price(), created=time.time()
        )

    def options(self) -> dict[str, Any]:
        """A profile's options for this namespace: the tests' image, the scheduler not on a fake node, and one record,
        whatever kinds of objects other tests bring meanwhile."""
        return {
            "namespace": self.name,
            "image": self.kube.image,
            "grace": 10,
            "record": "deployment",
            "scheduler": {"spec": {"nodeSelector": {"kubernetes.io/hostname": self.kube.node}}},
        }

    def kubeconfig(self, folder: Path) -> Path:
        """A kubeconfig in `folder` in which this namespace is the current one."""
        config = json.loads(self.kube.config)
        config["contexts"][0]["context"]["namespace"] = self.name
        path = folder / f"{self.name}.kubeconfig"
        path.write_text(json.dumps(config))
        return path

    @asynccontextmanager
    async def cluster(self, spec: ClusterSpec, workers: int = 0) -> AsyncIterator[tuple[str, Link]]:
        """A cluster that runs, with so many workers that work; ended afterwards."""
        await self.backend.start(spec)
        try:
            link = await linked(self.backend, spec.name)
            try:
                await until(link.view, lambda view: up(view) >= workers, f"{workers} workers")
                yield spec.name, link
            finally:
                await link.close()
        finally:
            await self.backend.stop(spec.name, force=True)
            if any(
                group.options == {"pod": FAKE} for group in spec.profile.groups
            ):  # before the fake nodes go, which end them
                await until(lambda: in_thread(self.workers), lambda pods: not pods, "no pods")

    def workers(self) -> list[str]:
        """The names of workers' pods, those that are about to end, too."""
        return [pod["metadata"]["name"] for pod in self.kube.get("pods", self.name, "jupyter-mlops/part=worker")]

    def left(self) -> list[str]:
        """What of ours there is in the namespace."""
        return [f"{item['kind']} {item['metadata']['name']}" for item in self.kube.get(MADE, self.name, OURS)]


def by_value(function: Callable[..., T]) -> Callable[..., T]:
    """`function`, sent to the pods by value: they don't have the tests."""
    function.__module__ = "__main__"
    return function


def small(workers: int, name: str = "default", **fields: Any) -> Group:
    """A group of small workers. The more it may have, the more of the node's two CPUs its scheduler asks for."""
    size = {"cpus": 0.05, "memory": "300 MiB"}
    options = {"pod": fields.pop("pod", REAL)}
    return Group(
        **{"name": name, "workers": workers, "maximum": max(workers, 10), "options": options, **size, **fields}
    )


def up(view: ClusterView) -> int:
    """Workers that work."""
    return view.state.counts.idle + view.state.counts.busy


async def until(
    look: Callable[[], Awaitable[T]], is_so: Callable[[T], object], what: str = "", patience: float = PATIENCE
) -> T:
    """Look again and again until it is so; who is too busy to answer in time is asked again."""
    deadline = time.monotonic() + patience
    while True:
        seen: T | ClusterUnreachable
        began = time.monotonic()
        try:
            if is_so(seen := await look()):
                return seen
        except ClusterUnreachable as silence:
            seen = silence
        ended = time.monotonic()
        assert ended < deadline, f"not {what or 'so'} within {patience} s; last seen: {seen!r}"
        await asyncio.sleep(min(max(3 * (ended - began), PAUSE[0]), PAUSE[1]))


async def linked(backend: Backend, name: str) -> Link:
    """An open link to a cluster that runs or starts."""
    return await until(lambda: backend.link(name, PATIENCE), lambda link: True, "answered")


async def in_thread(look: Callable[[], T]) -> T:
    """`look` without holding up the loop, which a tunnel may need."""
    return await asyncio.to_thread(look)

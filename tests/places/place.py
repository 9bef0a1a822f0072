"""What the contract suite needs of a place. Another place joins it with one more class here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from distributed import Client

from jupyter_mlops import places
from jupyter_mlops.client.clusters.spec import new_spec
from jupyter_mlops.controller.link import ClusterView
from jupyter_mlops.core.cluster import ClusterSpec, ClusterState
from jupyter_mlops.core.price import Price
from jupyter_mlops.core.profile import Group, Profile
from jupyter_mlops.places.base import Backend

from ..kubernetes.clusters import PATIENCE, Namespace, by_value, linked, until, up

T = TypeVar("T")


class LocalPlace:
    """Clusters of this machine, in a home folder of the test's own."""

    place = "local"
    #: Set by `opened`.
    home: Path

    def __init__(self) -> None:
        self.backend: Backend = places.get(self.place)

    def group(self, **fields: Any) -> Group:
        """A group of small workers of one CPU; one worker unless told."""
        return Group(**{"workers": 1, "maximum": 4, "memory": "512 MiB", **fields})

    def profile(self, *groups: Group, **fields: Any) -> Profile:
        """A small profile; one worker unless groups are given."""
        price = Price(cpu_hour=3600.0, source="the test's price", date="2026-01-01")  # 1 for a CPU's second
        options = {"name": "small", "place": self.place, "groups": list(groups) or [self.group()], "price": price}
        return Profile(**{**options, **fields})

    def spec(self, *groups: Group, name: str | None = None, **fields: Any) -> ClusterSpec:
        """A spec of such a profile."""
        return new_spec(self.profile(*groups, **fields), name)

    def impossible(self) -> tuple[Profile, str]:
        """What can't be made here, and a word of the refusal."""
        return self.profile(self.group(memory=10**16)), "memory"

    async def close(self) -> None:
        """End whatever a test left."""
        states = await self.backend.clusters()
        await asyncio.gather(*(self.backend.stop(state.name, force=True) for state in states))


#: Where the package is that adds the place "shed", with its dist-info.
SHED = Path(__file__).parent / "shed"


class ShedPlace(LocalPlace):
    """Clusters of a place that another package adds, in the same home folder."""

    place = "shed"

    def group(self, **fields: Any) -> Group:
        """As above, with an option of its own."""
        return super().group(**{"options": {"drawer": 3}, **fields})

    def impossible(self) -> tuple[Profile, str]:
        """As above."""
        return self.profile(self.group(options={"drawer": "none"})), r"groups\.0\.options\.drawer"


class KubernetesPlace(LocalPlace):
    """Clusters of pods, in a namespace of the test's own."""

    place = "kubernetes"

    def __init__(self, namespace: Namespace) -> None:
        super().__init__()
        options = namespace.options()
        #: No pod on a fake node, and the same record whatever else there is in the Kubernetes cluster.
        self._options = {**options, "pod": options["scheduler"], "record": "deployment"}

    def group(self, **fields: Any) -> Group:
        """As above; its pods ask for less than they are shown with, so that some fit on a small node."""
        requests = {"cpu": "50m", "memory": "100Mi"}
        pod = {"spec": {"containers": [{"resources": {"requests": requests}}]}}
        return super().group(options={"pod": pod}, **fields)

    def profile(self, *groups: Group, **fields: Any) -> Profile:
        """As above, with the image that has what workers need."""
        return super().profile(*groups, **{"options": self._options, **fields})

    def impossible(self) -> tuple[Profile, str]:
        """As above."""
        options = {"pod": {"spec": {"containers": "two"}}}
        return self.profile(self.group().model_copy(update={"options": options})), "pod template"


@contextmanager
def opened(place: LocalPlace, home: Path, patch: pytest.MonkeyPatch) -> Iterator[LocalPlace]:
    """The place with a home folder, emptied in the end."""
    patch.setenv("JUPYTER_MLOPS_HOME", str(home))
    place.home = home
    yield place
    asyncio.run(place.close())


async def ended(backend: Backend, name: str) -> ClusterState:
    """The cluster's state, once it has ended."""
    return await until(lambda: backend.get(name), lambda state: state.phase == "ended", f"{name} ended")


async def workers_up(backend: Backend, name: str, count: int) -> ClusterView:
    """The view of a cluster, once it has that many workers that work."""
    link = await linked(backend, name)
    try:
        return await until(link.view, lambda view: up(view) == count, f"{count} workers up in {name}")
    finally:
        await link.close()


async def call(backend: Backend, name: str, function: Callable[..., T], *args: Any, **options: Any) -> T:
    """Run a function on the cluster; one of the tests' travels by value."""
    function = by_value(function) if function.__module__.startswith("tests.") else function
    address = await backend.address(name, PATIENCE)
    async with Client(address.url, security=address.security, asynchronous=True, set_as_default=False) as client:
        result: T = await client.submit(function, *args, pure=False, **options)
        return result

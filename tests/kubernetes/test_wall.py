"""The wall on a real Kubernetes: who changes her own account is ended by it, and a restart of it loses nothing."""

from __future__ import annotations

import base64
import gzip
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from jupyter_mlops.core.account import AccountBook, AccountStore
from jupyter_mlops.core.base import read_record
from jupyter_mlops.core.wall import WallBooks, space_of
from jupyter_mlops.home.owner import me
from jupyter_mlops.places.kubernetes import names
from jupyter_mlops.places.kubernetes.check import report
from jupyter_mlops.places.kubernetes.wall.probe import SAID

from .clusters import Namespace, in_thread, small, until

ACCOUNT = f"everybody of {me()}"
#: What an hour of a worker costs, as its profile has it; the wall has prices of its own.
RATE = 0.05 * 3600.0


async def test_who_raises_her_own_account_is_ended_by_the_wall_and_a_restart_of_it_loses_nothing(
    namespace: Namespace,
) -> None:
    backend, spec = namespace.backend, namespace.spec(small(1))
    spec = spec.model_copy(update={"accounts": [ACCOUNT], "rates": {"default": RATE}})
    store = await backend.accounts(spec.profile)
    assert store is not None
    await store.change(ACCOUNT, lambda _: AccountBook(name=ACCOUNT, limit=1e9, rule="everybody"))  # hers, raised
    assert "a fence here" in (await report(namespace=namespace.name)).guard
    async with _emptied(store), namespace.cluster(spec, workers=1) as (name, _):
        await in_thread(lambda: namespace.kube.apply(_bare_pod(namespace, "before")))
        async with _wall(namespace) as wall:
            await _count_on_after_a_restart(wall, f"{namespace.name}/{names.label(me())}/cluster {name}")
            await until(lambda: report(namespace=namespace.name), lambda told: told.guard.startswith(SAID), "a wall")

            books = await wall.books(lambda books: books.accounts[ACCOUNT].spent > 0)
            await wall.restart(month=books.accounts[ACCOUNT].spent)
            receipt = await until(lambda: backend.receipt(name), bool, "ended")
            assert receipt is not None and receipt.cause == "budget"
            assert f"Account {ACCOUNT!r}" in receipt.why and "as the wall" in receipt.why
            await until(lambda: wall.pods(), lambda pods: not pods, "ended, though it was no cluster's")
            with pytest.raises(AssertionError, match=f"the account of {names.label(me())} is empty: ask ops@lab.org"):
                await in_thread(lambda: namespace.kube.apply(_bare_pod(namespace, "after")))


async def _count_on_after_a_restart(wall: _Wall, cluster: str) -> None:
    """What runs is counted without a gap, and nothing of it twice."""
    space = space_of(cluster)
    first = await wall.books(lambda books: len(books.tabs) == 2 and books.tabs[cluster].total > 0)
    await wall.restart(month=1000.0)
    began = time.time()
    again = await wall.books(lambda books: books.looked[space] > began)
    hours = (again.looked[space] - first.looked[space]) / 3600
    for name, before in first.tabs.items():
        tab = again.tabs[name]
        rates = before.per_hour, tab.per_hour  # where Kubernetes was slow to tell the price, it was assumed before
        added = tab.total - before.total
        assert min(rates) * hours * (1 - 1e-6) <= added <= max(rates) * hours * (1 + 1e-6), "none lost or twice"


class _Wall:
    """A wall in a namespace of its own, around the test's."""

    def __init__(self, namespace: Namespace) -> None:
        self._behind, self._kube = namespace, namespace.kube
        self.name = f"{namespace.name}-wall"

    def manifests(self, month: float) -> str:
        from jupyter_mlops.places.kubernetes.records.manifests import as_yaml
        from jupyter_mlops.places.kubernetes.wall.manifests import wall_manifests

        rules = {"contact": "ops@lab.org", "rules": [{"name": "everybody", "month": month, "each": True}]}
        given = wall_manifests(self._behind.name, json.dumps(rules), image=self._kube.image, wall=self.name)
        (deployment,) = [each for each in given if each["kind"] == "Deployment"]
        node = {"kubernetes.io/hostname": self._kube.node}  # no fake one
        deployment["spec"]["template"]["spec"] |= {"nodeSelector": node}
        return as_yaml(given)

    async def apply(self, month: float) -> None:
        given = self.manifests(month)
        await in_thread(lambda: self._kube.kubectl("apply", "--server-side", "-f", "-", stdin=given))

    async def restart(self, month: float) -> None:
        """As another one, with these rules."""
        await self.apply(month)
        pods = ("delete", "pods", "-n", self.name, "-l", f"{names.PART}=wall", "--grace-period=1")
        await in_thread(lambda: self._kube.kubectl(*pods))

    async def books(self, are_so: Any) -> WallBooks:
        """What it has written down, when that is so."""

        async def read() -> WallBooks:
            kept = await in_thread(lambda: self._kube.get("secrets", self.name))
            found = [item for item in kept if item["metadata"]["name"] == "wall-books"]
            packed = base64.b64decode(found[0]["data"]["books.json.gz"]) if found else gzip.compress(b"{}")
            return read_record(WallBooks, gzip.decompress(packed))

        return await until(read, lambda books: books.tabs and are_so(books), "in the books")

    async def pods(self) -> list[Any]:
        """What runs behind it."""
        return await in_thread(lambda: self._kube.get("pods", self._behind.name))


@asynccontextmanager
async def _emptied(store: AccountStore) -> AsyncIterator[None]:
    """Her account is gone in the end."""
    try:
        yield
    finally:
        await store.change(ACCOUNT, lambda _: None)


@asynccontextmanager
async def _wall(namespace: Namespace) -> AsyncIterator[_Wall]:
    wall = _Wall(namespace)
    await wall.apply(month=1000.0)
    try:
        yield wall
    finally:
        cluster_wide = ("validatingadmissionpolicies", "validatingadmissionpolicybindings", "clusterroles")
        kube = namespace.kube
        for kind in (*cluster_wide, "clusterrolebindings", "namespaces"):
            await in_thread(lambda kind=kind: kube.kubectl("delete", kind, wall.name, "--wait=false"))  # type: ignore[misc]
        for kind in ("roles", "rolebindings"):
            await in_thread(lambda kind=kind: kube.kubectl("delete", kind, wall.name, "-n", namespace.name))  # type: ignore[misc]


def _bare_pod(namespace: Namespace, name: str) -> dict[str, Any]:
    """A pod of hers that nobody of ours made."""
    container = {
        "name": "own",
        "image": namespace.kube.image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["sleep", "100000"],
        "resources": {"requests": {"cpu": "10m", "memory": "10Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace.name, "labels": {names.OWNER_IN_FULL: names.label(me())}},
        "spec": {
            "securityContext": security,
            "containers": [container],
            "nodeSelector": {"kubernetes.io/hostname": namespace.kube.node},
            "automountServiceAccountToken": False,
        },
    }

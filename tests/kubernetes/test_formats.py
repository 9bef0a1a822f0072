"""A live cluster whose stored spec is written by another version, or is damaged, on a real Kubernetes."""

from __future__ import annotations

import json
from typing import Any

import pytest

import jupyter_mlops as mlops
from jupyter_mlops.client.clusters.kernel import kernel
from jupyter_mlops.core.cluster import ClusterState
from jupyter_mlops.core.errors import ClusterUnreachable, NameTaken

from .clusters import Namespace, by_value, in_thread, small, until
from .running import call

SPEC = "jupyter-mlops/spec"


@by_value
def square(x: int) -> int:
    return x * x


async def test_a_live_cluster_outlives_what_happens_to_its_stored_spec(namespace: Namespace) -> None:
    backend = namespace.backend
    one, two = namespace.spec(small(1)), namespace.spec(small(0))
    async with namespace.cluster(one, 1) as (name, link), namespace.cluster(two) as (other, _):
        whole = stored(namespace, name)
        newer = json.loads(whole)
        newer["format"], newer["profile"]["limits"]["thresholds"] = 2, [0.5]
        await in_thread(lambda: store(namespace, name, json.dumps(newer)))
        await until(  # each tells a moment later that it runs
            lambda: listed(namespace), lambda seen: seen[name].phase == seen[other].phase == "running", "both are seen"
        )
        assert await in_thread(lambda: mlops.map(square, range(4), cluster=name).result()) == [0, 1, 4, 9]
        await until(lambda: listed(namespace), lambda seen: seen[name].cost.amount, "its cost is stored")
        await until(lambda: backend.runs(name), lambda runs: runs and runs[0].phase == "done", "its run is stored")

        await in_thread(lambda: store(namespace, name, whole[: len(whole) // 2]))
        seen = await listed(namespace)
        assert (seen[other].phase, seen[other].problem) == ("running", None)
        broken = seen[name]
        assert broken.phase == "unreachable" and broken.problem is not None and broken.cost.amount
        assert f"{namespace.name}/{name}-receipt" in broken.problem.why
        assert len(await backend.runs(name)) == 1 and await backend.events(name)
        with pytest.raises(ClusterUnreachable, match="can't be read"):
            await backend.link(name)
        with pytest.raises(NameTaken):
            await backend.start(namespace.spec().model_copy(update={"name": name}))
        view = await link.view()  # who is connected stays so
        assert view.state.phase == "running" and view.state.counts.idle == 1

        await in_thread(lambda: store(namespace, name, whole))
        assert (await listed(namespace))[name].phase == "running"
        assert await in_thread(lambda: mlops.map(square, range(2), cluster=name).result()) == [0, 1]

        await in_thread(lambda: store(namespace, name, whole[: len(whole) // 2]))
        await in_thread(lambda: call(kernel().sessions.close(name)))
        await backend.stop(name)
        await until(lambda: in_thread(namespace.workers), lambda pods: not pods, "its worker is gone")
        seen = await listed(namespace)
        assert (seen[name].phase, seen[other].phase) == ("ended", "running")
        assert seen[name].cost.amount


async def listed(namespace: Namespace) -> dict[str, ClusterState]:
    return {state.name: state for state in await namespace.backend.clusters()}


def stored(namespace: Namespace, name: str) -> str:
    """The spec, as it is stored."""
    (record,) = [each for each in namespace.kube.get("deployments", namespace.name) if name in each["metadata"]["name"]]
    return str(record["metadata"]["annotations"][SPEC])


def store(namespace: Namespace, name: str, spec: str) -> None:
    """Store another spec in both places that have it."""
    (receipt,) = [
        each["metadata"]["name"]
        for each in namespace.kube.get("secrets", namespace.name, "jupyter-mlops/part=receipt")
        if each["metadata"]["name"].startswith(f"{name}-receipt")
    ]
    _patch(namespace, "deployment", f"{name}-scheduler", {"metadata": {"annotations": {SPEC: spec}}})
    _patch(namespace, "secret", receipt, {"stringData": {"spec.json": spec}})


def _patch(namespace: Namespace, kind: str, name: str, body: dict[str, Any]) -> None:
    namespace.kube.kubectl("patch", kind, name, "-n", namespace.name, "--type=merge", "-p", json.dumps(body))

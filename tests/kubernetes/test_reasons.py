"""It says why: pods that don't come and pods that die, on a real control plane."""

from __future__ import annotations

import re

from distributed import Client

from jupyter_mlops.controller.link import ClusterView
from jupyter_mlops.core.cluster import ClusterState, Problem
from jupyter_mlops.core.errors import StartFailed

from .clusters import FAKE, Namespace, by_value, in_thread, small, until, up

#: Pods placed on a fake node count as starting for good: no container connects.
FAKES = {"cpus": 1, "memory": "1 GiB", "pod": FAKE}

OUT_OF_MEMORY = r"The worker ran out of memory: its limit is 315 MB and it had (?P<peak>\d+) MB when last measured"


def reasons(view: ClusterView) -> dict[str, Problem]:
    """Why each group's workers don't come."""
    return {group.name: group.problem for group in view.state.groups if group.problem}


async def test_why_workers_do_not_come(namespace: Namespace) -> None:
    """Too big, no such image, no such label, a missing secret: each group says its own."""
    missing = {
        "spec": {
            "containers": [{"env": [{"name": "T", "valueFrom": {"secretKeyRef": {"name": "no-such", "key": "k"}}}]}]
        }
    }
    groups = [
        small(1, "ok"),
        small(1, "huge", cpus=900, pod={}),  # no node has room, also no fake node of another test
        small(1, "image", pod={"spec": {"containers": [{"image": "docker.io/library/no-such-image:1"}]}}),
        small(1, "label", pod={"spec": {"nodeSelector": {"disk": "golden"}}}),
        small(1, "secret", pod=missing),
    ]

    expected = {
        "huge": "No node has 900 CPUs free",
        "image": "The image 'docker.io/library/no-such-image:1'",
        "label": "No node has the labels",
        "secret": "The secret 'no-such' does not exist in this namespace",
    }

    def said(view: ClusterView) -> bool:
        """A node that others fill is a reason, too, for as long as they do."""
        told = reasons(view)
        return all(name in told and told[name].what.startswith(what) for name, what in expected.items())

    async with namespace.cluster(namespace.spec(*groups), workers=1) as (_, link):
        view = await until(link.view, said, "four reasons")
        told = reasons(view)
        assert told["huge"].todo and told["image"].todo
        assert "disk=golden" in told["label"].why
        assert all(worker.problem for worker in view.workers if worker.group in told)


async def test_a_full_quota_is_shown_and_work_goes_on_when_it_grows(namespace: Namespace) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "ten", "namespace": namespace.name},
        "spec": {"hard": {"pods": "10"}},
    }
    namespace.kube.apply(quota)

    with namespace.kube.fake_nodes(20):
        spec = namespace.spec(small(50, **FAKES))
        async with namespace.cluster(spec) as (_, link):

            def is_full(view: ClusterView) -> bool:
                """Each pod is asked for, and refused, by itself."""
                counts, told = view.state.counts, reasons(view).get("default")
                full = told is not None and told.what == "The namespace's quota 'ten' is used up"
                return full and (counts.starting, counts.pending) == (9, 41)

            view = await until(link.view, is_full, "nine workers")
            assert "used pods=10 of pods=10" in reasons(view)["default"].why
            quota["spec"] = {"hard": {"pods": "100"}}
            await in_thread(lambda: namespace.kube.apply(quota))
            view = await until(link.view, lambda view: view.state.counts.starting == 50, "fifty pods")
            assert not reasons(view)


async def test_spot_workers_fall_back_to_nodes_on_demand(namespace: Namespace) -> None:
    with namespace.kube.fake_nodes(4):
        spec = namespace.spec(small(2, spot=True, **FAKES), kubernetes={"spot_fallback": 20})
        async with namespace.cluster(spec) as (_, link):
            no_spot = "No spot node takes the pod"  # said for the seconds until the group falls back
            await until(link.view, lambda view: no_spot in [each.what for each in reasons(view).values()], "a reason")
            view = await until(link.view, lambda view: view.state.counts.starting == 2, "two on demand")
            names = {worker.name for worker in view.workers if worker.phase == "starting"}
            assert not names & {"default-1", "default-2"}, "others are made in their places"
            assert any(event.text.startswith("No spot node came for group default in 20 s") for event in view.events)
            [group] = view.state.groups
            assert group.spot_break is not None and group.spot_break.why == "none came"


async def test_a_scheduler_without_an_image_says_so(namespace: Namespace) -> None:
    spec = namespace.spec(kubernetes={"image": "docker.io/library/no-such-image:1"})
    await namespace.backend.start(spec)
    try:

        def said(state: ClusterState) -> bool:
            """A node that others fill is a reason, too, for as long as they do."""
            return state.problem is not None and "no-such-image" in state.problem.what

        await until(lambda: namespace.backend.get(spec.name), said, "a reason")
        try:
            await namespace.backend.address(spec.name, timeout=1)
        except StartFailed as error:
            assert "no-such-image" in str(error)
        else:
            raise AssertionError("it can't have started")
    finally:
        await namespace.backend.stop(spec.name)
    receipt = await namespace.backend.receipt(spec.name)
    assert receipt is not None and receipt.cause == "user" and receipt.cost.amount == 0


async def test_a_worker_out_of_memory_says_limit_and_keeps_its_log(namespace: Namespace) -> None:
    async with namespace.cluster(namespace.spec(small(1), limits={"restarts": 0}), workers=1) as (name, link):
        address = await namespace.backend.address(name)
        async with Client(address.url, security=address.security, asynchronous=True) as client:
            future = client.submit(_eat, retries=0)
            view = await until(link.view, lambda view: any(w.problem for w in view.workers), "a death")
            dead = next(worker for worker in view.workers if worker.problem)
            view = await until(link.view, lambda view: "memory" in _problem(view, dead.name), "its cause")
            said = re.fullmatch(OUT_OF_MEMORY, _problem(view, dead.name))
            assert said is not None and 0 < int(said["peak"]) <= 315, _problem(view, dead.name)
            assert any("eating" in line for line in await link.logs(dead.name))
            await future.cancel()
        assert up(await link.view()) == 0


@by_value
def _eat() -> int:
    print("eating", flush=True)
    return sum(len(bytearray(b"x" * 50_000_000)) for _ in [bytearray(b"x" * 500_000_000)])


def _problem(view: ClusterView, worker: str) -> str:
    problem = next(each.problem for each in view.workers if each.name == worker)
    return f"{problem.what}: {problem.why}" if problem else ""

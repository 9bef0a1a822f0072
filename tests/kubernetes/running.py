"""A cluster that several tests hurt, as its user sees it: through the functions of a notebook."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest

import jupyter_mlops as mlops
from jupyter_mlops.client.clusters.kernel import kernel, loop_thread
from jupyter_mlops.core.cluster import Event, Receipt
from jupyter_mlops.core.errors import Unavailable, UnknownCluster
from jupyter_mlops.places.kubernetes.why.facts import moment

from ..runs.cluster import until
from .clusters import PATIENCE, REAL, Namespace, by_value, small, up
from .fixtures import free_namespace
from .kube import Kube

T = TypeVar("T")


def is_death(event: Event) -> bool:
    """Whether a worker died."""
    return event.text.startswith("Worker ") and event.text.endswith(" died")


def call(work: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns that belongs to the loop of runs."""
    return loop_thread().call(work)


@by_value
def slowly(item: int) -> int:
    import time

    time.sleep(0.4)
    return 2 * item


@by_value
def endless() -> None:
    """Never over, and no burden on who shares the CPU."""
    import time

    while True:
        time.sleep(0.1)


class Running:
    """A cluster with its namespace."""

    def __init__(self, namespace: Namespace, name: str) -> None:
        self.namespace, self.kube, self.name = namespace, namespace.kube, name
        self.cluster = mlops.Cluster(name)
        #: The folder of this machine that all its workers see, where they have one.
        self.volume = Path()

    def ready(self, workers: int) -> None:
        """Wait until so many workers work, no more and no fewer, and each has its pod."""
        self.until(lambda: up_in(self) == workers and len(self.pods()) == workers)

    def until(self, look: Callable[[], T]) -> T:
        """Look again and again until it is so; an API or a scheduler that is away for a moment is asked again."""
        seen: list[Any] = [None]

        def is_so() -> Any:
            seen[0] = patiently(look)
            return seen[0]

        until(is_so, PATIENCE)
        return seen[0]  # type: ignore[no-any-return]  # what `look` saw last

    def pods(self, part: str = "worker") -> list[dict[str, Any]]:
        """The pods of the workers, or of the scheduler, that are not about to end."""
        found = self.kube.get("pods", self.namespace.name, f"jupyter-mlops/part={part}")
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def phase(self) -> str:
        """As the list of clusters has it; empty while it isn't in there, since Kubernetes took too long to answer."""
        states = call(self.namespace.backend.clusters())
        return next((state.phase for state in states if state.name == self.name), "")

    def worker_seconds_kept(self) -> float:
        """What the list of clusters has, which is seconds older."""
        states = call(self.namespace.backend.clusters())
        return next((state.cost.usage.worker_hours * 3600 for state in states if state.name == self.name), 0.0)

    def worker_seconds(self) -> float:
        """What the ledger has."""
        return self.cluster.state().cost.usage.worker_hours * 3600

    def stop(self) -> Receipt:
        """End it; its receipt."""
        self.cluster.stop()
        call(kernel().sessions.close(self.name))
        self.until(lambda: self.cluster.state().phase == "ended")
        receipt = self.cluster.receipt()
        assert receipt is not None
        return receipt

    def problem(self) -> str:
        """What is wrong with it; empty when nothing is."""
        problem = self.cluster.state().problem
        return problem.what if problem is not None else ""

    def missing(self) -> str:
        """Why workers don't come; empty where nothing keeps them. With the rights that pods are made by goes that to
        watch them, of which the cluster speaks first as soon as a watch is over."""
        return next((group.problem.what for group in self.cluster.state().groups if group.problem is not None), "")

    def check_receipt(self) -> None:
        """End it; its receipt agrees with what Kubernetes tells of its pods."""
        receipt = self.stop()
        seconds, pods = self.held(receipt.ended)
        assert receipt.cost.usage.worker_hours * 3600 == pytest.approx(seconds, abs=2 + pods)

    def placed(self) -> list[str]:
        """The names of its workers' pods that had a node, each as often as there was one of that name."""
        return [event["involvedObject"]["name"] for event in self._of_pods() if event["reason"] == "Scheduled"]

    def held(self, until_when: float) -> tuple[float, int]:
        """Seconds that its workers' pods had nodes until then, as Kubernetes' own events tell, and how many pods. Of a
        pod that died before its container ran they tell no end; the cluster does."""
        placed: dict[str, float] = {}
        ended: dict[str, float] = {}
        died = {event.worker.rpartition("-")[2]: event.time for event in self.cluster.events() if is_death(event)}
        for event in self._of_pods():
            about = event["involvedObject"]
            if event["reason"] == "Scheduled":
                placed[about["uid"]] = moment(event["eventTime"] or event["firstTimestamp"])
                if (number := about["name"].rpartition("-")[2]) in died:
                    ended.setdefault(about["uid"], died[number])
            elif event["reason"] == "Killing":
                ended[about["uid"]] = moment(event["lastTimestamp"] or event["eventTime"])
        return sum(min(ended.get(pod, until_when), until_when) - at for pod, at in placed.items()), len(placed)

    def _of_pods(self) -> list[dict[str, Any]]:
        """What Kubernetes tells of its workers' pods."""
        told: list[dict[str, Any]] = self.kube.get("events", self.namespace.name)
        about = [(event, event["involvedObject"]) for event in told]
        prefix = f"{self.name}-default-"
        return [event for event, pod in about if pod["kind"] == "Pod" and pod["name"].startswith(prefix)]


@contextmanager
def running(
    kube: Kube,
    workers: int = 2,
    before: Callable[[str], object] = str,
    pod: dict[str, Any] | None = None,
    **fields: Any,
) -> Iterator[Running]:
    """A cluster in a namespace of its own, for which `before` makes what is needed; `pod` is of its workers."""
    namespace = Namespace(kube, free_namespace(kube))
    before(namespace.name)
    template = {"spec": {**REAL["spec"], **(pod or {})}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", kube.kubeconfig)
        spec = namespace.spec(small(workers, pod=template), **fields)
        call(namespace.backend.start(spec))
        made = Running(namespace, spec.name)
        try:
            made.cluster.wait(workers, PATIENCE)
            yield made
        finally:
            call(kernel().sessions.close(spec.name))
            with suppress(UnknownCluster):  # a test may have forgotten it
                call(namespace.backend.stop(spec.name, force=True))


def up_in(running: Running) -> int:
    """Workers that work."""
    return up(call(_view(running.name)))


async def _view(name: str) -> Any:
    return await (await kernel().sessions.open(name, 10.0)).link.view()


def patiently(look: Callable[[], T]) -> T | None:
    """What `look` says; None while the cluster can't be reached."""
    try:
        return look()
    except Unavailable:
        time.sleep(0.3)
        return None

"""The sentences that say why a pod waits, died or was refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.core.cluster import ClusterSpec
from jupyter_mlops.core.profile import Group, Profile
from jupyter_mlops.places.kubernetes import names
from jupyter_mlops.places.kubernetes.api.client import Answer
from jupyter_mlops.places.kubernetes.names import ObjectNames
from jupyter_mlops.places.kubernetes.pods.context import PodContext
from jupyter_mlops.places.kubernetes.pods.template import worker_pod
from jupyter_mlops.places.kubernetes.why import SPOT_TAKEN, Facts, death, pending, refusal

from .pods import disrupted, event, pod, terminated, unschedulable, waiting

NO_CPU = (
    "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu. no new claims to deallocate, "
    "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
)
FREE = {"a": {"cpu": 1.5, "memory": 2.0**33}, "b": {"cpu": 0.25, "memory": 2.0**30}, "c": {"cpu": 0.5}}


def test_no_node_has_the_cpus_free_and_how_much_there_is() -> None:
    problem = pending(pod(unschedulable(NO_CPU)), Facts(free=FREE))
    assert problem is not None
    assert problem.what == "No node has 4 CPUs free"
    assert "the roomiest of 3 has 1.5 CPUs free" in problem.why
    assert "of 3 nodes, 1 node: tainted; 2 nodes: too little CPU" in problem.why
    assert "smaller" in problem.todo
    alone = pending(pod(unschedulable("0/1 nodes are available: 1 Insufficient cpu.")), Facts(free={"a": {"cpu": 1.5}}))
    assert alone is not None and alone.why == "the only node has 1.5 CPUs free"


def test_without_the_right_to_read_nodes_the_schedulers_counts_remain() -> None:
    problem = pending(pod(unschedulable(NO_CPU)))
    assert problem is not None and problem.why == "of 3 nodes, 1 node: tainted; 2 nodes: too little CPU"


def test_nodes_that_are_coming_need_no_remedy() -> None:
    facts = Facts(events=[event("TriggeredScaleUp", "pod triggered scale-up: [{group 1->3 (max: 10)}]")])
    problem = pending(pod(unschedulable(NO_CPU)), facts)
    assert problem is not None and "more nodes are coming" in problem.why and problem.todo.startswith("Nothing to do")


def test_nodes_that_never_come() -> None:
    facts = Facts(events=[event("NotTriggerScaleUp", "pod didn't trigger scale-up: 1 max node group size reached")])
    problem = pending(pod(unschedulable(NO_CPU)), facts)
    assert problem is not None and "no node will be added" in problem.why


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("0/2 nodes are available: 2 Insufficient memory. preemption: no.", "No node has 8.6 GB of memory free"),
        ("0/2 nodes are available: 2 Insufficient nvidia.com/gpu.", "No node has enough nvidia.com/gpu"),
        ("0/1 nodes are available: 1 node(s) had untolerated taint {gpu: only}.", "(taint gpu: only)"),
        ("0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.", "No node has the labels"),
        ("0/1 nodes are available: 1 Too many pods.", "as many pods as they take"),
        ("0/1 nodes are available: 1 node(s) were unschedulable.", "closed for new pods"),
        ("0/1 nodes are available: 1 node(s) had volume node affinity conflict.", "volume can't be used"),
        ("0/0 nodes are available", "has no nodes"),
        ("no nodes available to schedule pods", "can't be placed"),
        ('0/1 nodes are available: persistentvolumeclaim "data" not found.', "volume claim 'data' does not exist"),
        ("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.", "claim has no volume yet"),
    ],
)
def test_the_schedulers_words(message: str, words: str) -> None:
    problem = pending(pod(unschedulable(message)))
    assert problem is not None
    assert words in f"{problem.what} {problem.why}"


def test_nodes_that_are_not_spot_are_called_so() -> None:
    """Kubernetes says "didn't match", and not what the pod asks for."""
    group = Group(spot=True, workers=1)
    profile = Profile(name="p", place="kubernetes", groups=[group])
    spec = ClusterSpec(name="c", owner="ann", profile=profile, created=0)
    asked = worker_pod(spec, group, "default-1", ObjectNames("c", "ml"), {})
    message = "0/39 nodes are available: 37 node(s) didn't match Pod's node affinity/selector, 2 Insufficient cpu."
    waits = {**asked, "status": unschedulable(message)}
    problem = pending(waits, Facts(details={"on demand after": "5 min"}))
    assert problem is not None and problem.what == "No spot node takes the pod"
    assert problem.why == "of 39 nodes, 37 nodes: not spot; 2 nodes: too little CPU"
    assert "in 5 min" in problem.todo and "on demand" in problem.todo
    forever = pending(waits)
    assert forever is not None and "Wait for one" in forever.todo
    waits["metadata"]["annotations"][names.ON_DEMAND] = "true"
    waits["spec"] = worker_pod(spec, Group(spot=False), "default-1", ObjectNames("c", "ml"), {})["spec"]
    problem = pending(waits)
    assert problem is not None and problem.what == "No node on demand takes the pod"
    assert problem.why == "of 39 nodes, 37 nodes: spot; 2 nodes: too little CPU"


def test_a_scheduling_gate() -> None:
    problem = pending(pod(unschedulable("gated", "SchedulingGated")))
    assert problem is not None and "held back" in problem.what


@pytest.mark.parametrize(
    ("reason", "message", "words"),
    [
        ("ErrImagePull", 'rpc error: "docker.io/acme/work:1": not found', "The image 'acme/work:1' does not exist"),
        ("ErrImagePull", "pull access denied, authorization failed", "may not pull the image"),
        ("ErrImagePull", "toomanyrequests: Too Many Requests", "limits pulls"),
        ("ErrImagePull", "dial tcp: lookup registry.acme: no such host", "don't reach the registry"),
        ("InvalidImageName", "couldn't parse image reference", "is not an image's name"),
        ("ErrImageNeverPull", "", "is not on the node"),
        ("CreateContainerConfigError", 'secret "token" not found', "The secret 'token' does not exist"),
        ("CreateContainerConfigError", 'configmap "set" not found', "The config map 'set' does not exist"),
        ("CreateContainerConfigError", "container has runAsNonRoot and image will run as root", "runs as root"),
        ("RunContainerError", 'exec: "dask": executable file not found in $PATH', "lacks the program"),
        ("SomethingNew", "for which we have no words", "for which we have no words"),
    ],
)
def test_containers_that_do_not_start(reason: str, message: str, words: str) -> None:
    problem = pending(pod(waiting(reason, message), node="a"))
    assert problem is not None
    assert words in f"{problem.what} {problem.why} {problem.todo}"


def test_a_back_off_says_what_it_backs_off_from() -> None:
    facts = Facts(events=[event("Failed", "Failed to pull image: manifest unknown"), event("Failed", "Error: X")])
    problem = pending(pod(waiting("ImagePullBackOff", "Back-off pulling image"), node="a"), facts)
    assert problem is not None and "does not exist" in problem.what and "manifest unknown" in problem.why


def test_a_crash_loop_shows_the_last_lines() -> None:
    last = {"terminated": {"exitCode": 1, "reason": "Error"}}
    status = waiting("CrashLoopBackOff", "back-off", restartCount=4, lastState=last)
    problem = pending(pod(status, node="a"), Facts(logs=["ImportError: no pandas"]))
    assert problem is not None
    assert "4 times" in problem.what and "exit code 1" in problem.why and "no pandas" in problem.why


def test_a_volume_that_cannot_be_mounted_until_the_container_starts() -> None:
    failed = event("FailedMount", 'MountVolume.SetUp failed: secret "keys" not found')
    creating = pod(waiting("ContainerCreating"), node="a")
    problem = pending(creating, Facts(events=[failed]))
    assert problem is not None and "The secret 'keys' does not exist" in problem.what
    assert pending(creating, Facts(events=[failed, event("Pulled")])) is None


def test_nothing_is_wrong_with_a_pod_on_its_way() -> None:
    assert pending(pod()) is None
    assert pending(pod(node="a")) is None
    assert pending(pod(waiting("ContainerCreating"), node="a")) is None


def test_out_of_memory_names_limit_and_peak() -> None:
    problem = death(pod(terminated(137, "OOMKilled"), node="a"), Facts(peak=7.9 * 2**30))
    assert problem.what == "The worker ran out of memory"
    assert problem.why == "its limit is 8.6 GB and it had 8.5 GB when last measured"


SPOT = {"metadata": {"labels": {"eks.amazonaws.com/capacityType": "SPOT"}}, "spec": {}}


@pytest.mark.parametrize(
    ("status", "facts", "words"),
    [
        (terminated(1), Facts(logs=["ValueError: no"]), "ended with exit code 1: its last lines:\nValueError: no"),
        (terminated(139), Facts(), "was killed by SIGSEGV"),
        (terminated(137), Facts(), "was killed by SIGKILL"),
        (terminated(0, "Completed"), Facts(), "ended with exit code 0"),
        (terminated(128, "StartError", message="no python"), Facts(), "can't be started: no python"),
        (
            {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."},
            Facts(),
            "node ran out of memory",
        ),
        (
            {"phase": "Failed", "reason": "Evicted", "message": "ephemeral-storage usage exceeds"},
            Facts(),
            "out of disk space",
        ),
        ({"phase": "Failed", "reason": "Preempting"}, Facts(), "one of higher priority"),
        (
            {"phase": "Failed", "reason": "OutOfcpu", "message": "Node didn't have enough resource: cpu"},
            Facts(),
            "node refused",
        ),
        (
            {"phase": "Failed", "reason": "Terminated", "message": "in response to imminent node shutdown"},
            Facts(),
            "shut down",
        ),
        ({"phase": "Failed", "reason": "DeadlineExceeded"}, Facts(), "deadline"),
        (
            disrupted("PreemptionByScheduler", "by a pod of priority 9"),
            Facts(),
            "one of higher priority: by a pod of priority 9",
        ),
        (disrupted("EvictionByEvictionAPI"), Facts(), "evicted: its node is being drained"),
        (disrupted("EvictionByEvictionAPI"), Facts(spot=True), "evicted: its node is being drained"),
        (disrupted("EvictionByEvictionAPI"), Facts(spot=True, details={"node": "gone"}), "took the spot node back"),
        (disrupted("DeletionByTaintManager"), Facts(), "node doesn't answer"),
        (disrupted("DeletionByTaintManager"), Facts(spot=True), "took the spot node back"),
        (disrupted("DeletionByPodGC"), Facts(), "node is gone"),
        ({"phase": "Running"}, Facts(details={"node": "gone"}), "node is gone"),
        ({"phase": "Running"}, Facts(details={"node": "gone"}, spot=True), "took the spot node back"),
        ({"phase": "Running"}, Facts(details={"node": "unknown"}, spot=True), "took the spot node back"),
        ({"phase": "Running"}, Facts(details={"node": "unknown"}), "pod was deleted"),
        (
            {"phase": "Running"},
            Facts(node={"spec": {"taints": [{"key": "karpenter.sh/disrupted"}]}}),
            "taking the worker's node away",
        ),
        ({"phase": "Running"}, Facts(events=[event("SpotInterruption")], spot=True), "took the spot node back"),
        ({"phase": "Running"}, Facts(), "pod was deleted"),
    ],
)
def test_deaths(status: dict[str, Any], facts: Facts, words: str) -> None:
    problem = death(pod(status, node="a"), facts, deleted=status["phase"] == "Running")
    assert words in (f"{problem.what}: {problem.why}" if problem.why else problem.what)


@pytest.mark.parametrize(("status", "node"), [(404, "gone"), (403, "unknown")])
async def test_a_spot_node_is_known_as_one_when_it_is_gone(status: int, node: str) -> None:
    class Api:
        def path(self, *_: str, **__: str) -> str:
            return ""

        async def request(self, *_: object, **__: object) -> dict[str, Any]:
            raise Answer(status, {})

    def of(spot: bool) -> PodContext:
        profile = Profile(name="p", place="kubernetes", groups=[Group(spot=spot)])
        return PodContext(Api(), ClusterSpec(name="c", owner="ann", profile=profile, created=0))  # type: ignore[arg-type]

    lost = pod({"phase": "Running"}, node="a")
    facts = await of(True).of_dead(lost, [], None)
    assert facts.spot and facts.details["node"] == node
    assert death(lost, facts, deleted=True).what == SPOT_TAKEN
    assert not (await of(False).of_dead(lost, [], None)).spot
    lost["metadata"]["annotations"] = {names.ON_DEMAND: "true"}
    assert not (await of(True).of_dead(lost, [], None)).spot, "it was on demand"


def test_a_deleted_pod_that_ended_in_good_order_was_deleted() -> None:
    for code in (0, 143):
        assert death(pod(terminated(code), node="a"), deleted=True).what == "The worker's pod was deleted"


QUOTA = (
    'pods "c-default-worker-9" is forbidden: exceeded quota: ten, requested: pods=1, used: pods=10, limited: pods=10'
)
RBAC = (
    'pods is forbidden: User "system:serviceaccount:ml:hub" cannot create resource "pods" in API group "" '
    'in the namespace "ml"'
)


@pytest.mark.parametrize(
    ("status", "message", "what", "why"),
    [
        (403, QUOTA, "The namespace's quota 'ten' is used up", "requested pods=1, used pods=10 of pods=10"),
        (403, "x is forbidden: failed quota: q: must specify limits.cpu", "wants every pod to name limits.cpu", ""),
        (403, RBAC, "The service account 'hub' may not create pods in the namespace 'ml'", "cannot create"),
        (400, 'admission webhook "v.acme" denied the request: no root', "The cluster's rule 'v.acme'", "no root"),
        (
            403,
            'pods "x" is forbidden: violates PodSecurity "restricted:latest": privileged',
            "Pod Security",
            "privileged",
        ),
        (403, "x is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi", "limit range", "1Gi"),
        (422, 'Invalid value: "3": must be less than or equal to cpu limit of 2', "more CPU", "limit of 2"),
        (403, "unable to create: namespace ml is being terminated because it", "namespace is being deleted", ""),
        (403, "x is forbidden: no PriorityClass with name high was found", "priority class", "high"),
        (401, "Unauthorized", "doesn't accept your login", "Unauthorized"),
        (422, 'Pod "x" is invalid: spec.containers[0].image: Required', "finds the pod invalid", "Required"),
        (429, "too many requests", "too busy", ""),
        (500, "etcdserver: leader changed", "too busy", "leader changed"),
    ],
)
def test_refusals_keep_the_apis_words(status: int, message: str, what: str, why: str) -> None:
    problem = refusal(status, {"message": message})
    assert what in problem.what
    assert why in problem.why


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@given(st.text(max_size=300), st.text(max_size=300), st.sampled_from([True, False]))
def test_any_words_make_a_sentence(message: str, reason: str, deleted: bool) -> None:
    assert json.dumps(pod(unschedulable(message)))
    told = pending(pod(unschedulable(message)))
    assert told is not None and told.what
    assert pending(pod(waiting(reason, message), node="a")) is None or reason
    assert death(pod({"phase": "Failed", "reason": reason, "message": message}), deleted=deleted).what
    assert refusal(403, {"message": message, "reason": reason}).what

"""Worker and scheduler pods: what they ask for, and how a user's template changes them."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlops.core.cluster import ClusterSpec
from jupyter_mlops.core.errors import InvalidSpec
from jupyter_mlops.core.profile import Group, Profile
from jupyter_mlops.places.kubernetes import names
from jupyter_mlops.places.kubernetes.pods.merge import merge
from jupyter_mlops.places.kubernetes.pods.template import scheduler_pod, scheduler_size, worker_pod

OWNER = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "c-scheduler", "uid": "u"}
IDS = names.ObjectNames("c", "ml", 1.0)


def spec(*groups: Group, **options: Any) -> ClusterSpec:
    profile = Profile(
        name="p", place="kubernetes", groups=list(groups) or [Group()], options={"image": "i:1", **options}
    )
    return ClusterSpec(name="c", owner="Ann Ö. <ann@acme.org>", profile=profile, created=1)


def made(group: Group, **options: Any) -> dict[str, Any]:
    return worker_pod(spec(group, **options), group, f"{group.name}-1", IDS, OWNER)


def container(pod: dict[str, Any]) -> dict[str, Any]:
    return next(each for each in pod["spec"]["containers"] if each["name"] in ("worker", "scheduler"))


@pytest.mark.parametrize("which", ["worker", "scheduler"])
def test_passes_pod_security_restricted(which: str) -> None:
    pod = made(Group()) if which == "worker" else scheduler_pod(spec(), IDS)
    security, inside = pod["spec"]["securityContext"], container(pod)["securityContext"]
    assert security["runAsNonRoot"] and security["runAsUser"] != 0
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert inside == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    kinds = {next(key for key in volume if key != "name") for volume in pod["spec"]["volumes"]}
    assert kinds <= {"configMap", "secret", "emptyDir"}


def test_a_worker_has_shared_memory_of_half_its_own() -> None:
    pod = made(Group(memory="3 GiB"))
    volume = {"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": str(3 * 2**29)}}
    assert volume in pod["spec"]["volumes"]
    assert {"name": "shared-memory", "mountPath": "/dev/shm"} in container(pod)["volumeMounts"]
    assert "shared-memory" not in str(scheduler_pod(spec(), IDS))


def test_a_template_may_bring_its_own_shared_memory() -> None:
    theirs = {"name": "dshm", "emptyDir": {"medium": "Memory"}}
    mount = {"name": "dshm", "mountPath": "/dev/shm/"}
    pod = made(Group(), pod={"spec": {"volumes": [theirs], "containers": [{"volumeMounts": [mount]}]}})
    mounts = [each["name"] for each in container(pod)["volumeMounts"] if each["mountPath"].startswith("/dev/shm")]
    assert mounts == ["dshm"] and "shared-memory" not in str(pod)


def test_a_workers_pod_carries_its_shape_owner_and_labels() -> None:
    pod = made(Group(name="big", cpus=2.5, memory="3 GiB", gpus=2))
    assert container(pod)["resources"] == {
        "requests": {"cpu": "2500m", "memory": str(3 * 2**30)},
        "limits": {"memory": str(3 * 2**30), "nvidia.com/gpu": "2"},
    }
    assert pod["metadata"]["name"] == "c-big-worker-1"
    assert pod["metadata"]["ownerReferences"] == [OWNER]
    labels = pod["metadata"]["labels"]
    assert labels["owner"] == "Ann-.-ann-acme.org"
    assert labels["jupyter-mlops/group"] == "big" and labels["jupyter-mlops/worker"] == "big-1"
    assert labels["dask.org/cluster-name"] == "c" and labels["dask.org/component"] == "worker"
    assert pod["metadata"]["annotations"]["jupyter-mlops/owner"] == "Ann Ö. <ann@acme.org>"
    assert {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"} in pod["spec"]["tolerations"]
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert pod["spec"]["restartPolicy"] == "Never"


def test_spot_workers_go_to_spot_nodes_and_no_others_of_their_cluster_do() -> None:
    affinity = made(Group(spot=True))["spec"]["affinity"]["nodeAffinity"]
    terms = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    keys = {term["matchExpressions"][0]["key"] for term in terms}
    assert keys == {
        "eks.amazonaws.com/capacityType",
        "cloud.google.com/gke-spot",
        "cloud.google.com/gke-preemptible",
        "kubernetes.azure.com/scalesetpriority",
        "karpenter.sh/capacity-type",
    }
    tolerated = {each["key"] for each in made(Group(spot=True, gpus=1))["spec"]["tolerations"]}
    assert {"kubernetes.azure.com/scalesetpriority", "cloud.google.com/gke-spot", "nvidia.com/gpu"} <= tolerated
    cluster = spec(Group(spot=True))
    on_demand = worker_pod(cluster, Group(spot=False), "default-1", IDS, OWNER)
    for pod in (scheduler_pod(cluster, IDS), on_demand):
        affinity = pod["spec"]["affinity"]["nodeAffinity"]
        (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
        assert {each["key"] for each in term["matchExpressions"]} == keys
        assert {each["operator"] for each in term["matchExpressions"]} == {"NotIn"}
    assert "affinity" not in made(Group())["spec"], "of a group that isn't spot any node will do"


def test_a_full_template_is_merged_and_ours_stays() -> None:
    template = {
        "metadata": {"annotations": {"team": "ml"}, "labels": {"cost": "42"}},
        "spec": {
            "nodeSelector": {"disk": "fast"},
            "priorityClassName": "high",
            "tolerations": [{"key": "gpu", "operator": "Exists"}],
            "containers": [
                {
                    "image": "acme/work:2",
                    "env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
                    "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                    "resources": {"limits": {"ephemeral-storage": "10Gi"}},
                },
                {"name": "sidecar", "image": "proxy:1"},
            ],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
        },
    }
    pod = made(Group(gpus=1, options={"pod": template}))
    ours = container(pod)
    assert ours["image"] == "acme/work:2" and ours["args"][:2] == ["python", "/opt/jupyter-mlops/spec/start.py"]
    assert {each["name"] for each in ours["env"]} >= {"TOKEN", "OMP_NUM_THREADS"}
    assert {each["mountPath"] for each in ours["volumeMounts"]} >= {"/data", "/tmp", "/opt/jupyter-mlops/spec"}
    assert ours["resources"]["limits"]["ephemeral-storage"] == "10Gi" and "memory" in ours["resources"]["limits"]
    assert [each["name"] for each in pod["spec"]["containers"]] == ["worker", "sidecar"]
    assert {each["key"] for each in pod["spec"]["tolerations"]} == {"nvidia.com/gpu", "gpu"}
    assert pod["spec"]["nodeSelector"] == {"disk": "fast"} and pod["spec"]["priorityClassName"] == "high"
    assert pod["metadata"]["labels"]["cost"] == "42" and pod["metadata"]["labels"]["jupyter-mlops/cluster"] == "c"


def test_the_groups_template_comes_after_the_profiles() -> None:
    everywhere = {"spec": {"containers": [{"image": "a:1", "env": [{"name": "X", "value": "1"}]}]}}
    special = {"spec": {"containers": [{"env": [{"name": "X", "value": "2"}]}]}}
    ours = container(made(Group(options={"pod": special}), pod=everywhere))
    assert ours["image"] == "a:1"
    assert [each["value"] for each in ours["env"] if each["name"] == "X"] == ["2"]


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ({"containers": []}, "'containers'"),
        ({"spec": []}, "'spec' must be a mapping"),
        ({"spec": {"containers": "x"}}, "'containers' must be a list"),
    ],
)
def test_what_is_no_template_is_refused_in_words(template: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidSpec) as error:
        made(Group(options={"pod": template}))
    assert words in str(error.value)


def test_autoscalers_leave_pods_alone_unless_a_template_lets_them() -> None:
    stays = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false", "karpenter.sh/do-not-disrupt": "true"}
    for pod in (made(Group()), scheduler_pod(spec(), IDS)):
        assert pod["metadata"]["annotations"].items() >= stays.items()
    lets = {"metadata": {"annotations": {"karpenter.sh/do-not-disrupt": "false"}}}
    annotations = made(Group(options={"pod": lets}))["metadata"]["annotations"]
    assert annotations["karpenter.sh/do-not-disrupt"] == "false" and len(annotations) == 3


def test_a_workers_pod_has_a_controller_and_can_be_drained() -> None:
    record = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "one-scheduler", "uid": "u"}}
    pod = worker_pod(spec(), Group(), "default-1", IDS, names.owner_of(record))
    (owner,) = pod["metadata"]["ownerReferences"]
    assert owner["controller"] is True


def test_without_tls_no_key_is_mounted() -> None:
    assert "tls" in [volume["name"] for volume in made(Group())["spec"]["volumes"]]
    assert "tls" not in [volume["name"] for volume in made(Group(), tls=False)["spec"]["volumes"]]


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_a_scheduler_of_more_workers_is_no_smaller(a: int, b: int) -> None:
    small, big = scheduler_size(min(a, b)), scheduler_size(max(a, b))
    assert small[0] <= big[0] <= 1 and small[1] <= big[1]


JSON = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.dictionaries(st.sampled_from("abcd"), inner, max_size=4)
        | st.lists(inner, max_size=3)
        | st.lists(
            st.fixed_dictionaries({"name": st.sampled_from("xyz")}, optional={"v": inner}),
            max_size=3,
            unique_by=lambda e: e["name"],
        )
    ),
    max_leaves=12,
)
TREE = st.dictionaries(st.sampled_from(["a", "env", "volumes", "tolerations"]), JSON, max_size=4)


@given(TREE)
def test_merging_nothing_or_itself_changes_nothing(tree: dict[str, Any]) -> None:
    assert merge(tree, {}) == tree
    assert merge({}, tree) == tree
    lists = [value for value in tree.values() if isinstance(value, list)]
    if not lists:
        assert merge(tree, tree) == tree


@given(TREE, TREE)
def test_merging_leaves_its_arguments_alone_and_is_idempotent(base: dict[str, Any], patch: dict[str, Any]) -> None:
    before = copy.deepcopy((base, patch))
    once = merge(base, patch)
    assert (base, patch) == before
    assert merge(once, patch) == once


def test_removing_by_none_and_by_patch_delete() -> None:
    base = {"a": 1, "volumes": [{"name": "x"}, {"name": "y"}]}
    assert merge(base, {"a": None, "volumes": [{"name": "x", "$patch": "delete"}]}) == {"volumes": [{"name": "y"}]}

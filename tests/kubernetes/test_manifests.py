"""What an administrator applies, and what a controller may do."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_mlops.core.errors import InvalidInput, Refused
from jupyter_mlops.places.kubernetes.api import kubeconfig
from jupyter_mlops.places.kubernetes.api.client import Api
from jupyter_mlops.places.kubernetes.check import Report, Right
from jupyter_mlops.places.kubernetes.names import ObjectNames, label
from jupyter_mlops.places.kubernetes.records import manifests

yaml = pytest.importorskip("yaml")
IDS = ObjectNames("c", "ml", 1.0)


def test_nobody_can_give_a_controller_more_than_she_has() -> None:
    """RBAC refuses a role with rights that its maker lacks."""
    has = {
        (g, r, v)
        for rule in manifests.USER_RULES + manifests.OPERATOR_RULES
        for g in rule["apiGroups"]
        for r in rule["resources"]
        for v in rule["verbs"]
    }
    for rule in manifests.controller_rules(IDS, announced=True):
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                assert {(group, resource, verb) for verb in rule["verbs"]} <= has


def test_a_notebook_that_runs_by_itself_may_do_what_its_user_may_and_schedule_nothing() -> None:
    account, role, binding = manifests.driver_manifests("ml", "ready")
    assert role["rules"] == manifests.DRIVER_RULES and binding["subjects"][0]["name"] == "ready"
    assert all(rule in manifests.USER_RULES for rule in role["rules"])
    assert "batch" not in {group for rule in role["rules"] for group in rule["apiGroups"]}
    assert account["metadata"]["namespace"] == "ml"


def test_a_controller_may_touch_only_its_own_records() -> None:
    for rule in manifests.controller_rules(IDS, announced=True):
        if set(rule["resources"]) & {"configmaps", "deployments", "secrets"}:
            assert all(name.startswith("c-") for name in rule["resourceNames"])
        if "kubernetes.dask.org" in rule["apiGroups"]:
            assert rule["resourceNames"] == ["c"]
        assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]


def test_a_controller_reads_no_secret_but_its_own_records() -> None:
    """Not even its cluster's key: it is mounted into its pod. Nothing is in ConfigMaps."""
    rules = manifests.controller_rules(IDS)
    (secrets,) = [rule for rule in rules if "secrets" in rule["resources"]]
    assert secrets["resourceNames"] == [IDS.receipt, IDS.history] and secrets["verbs"] == ["get", "patch"]
    assert not [rule for rule in rules if "configmaps" in rule["resources"]]


def test_a_user_of_a_hub_gets_a_namespace_and_nothing_beside_the_hub() -> None:
    documents = manifests.hub_manifests("jhub", "ann")
    beside = [each for each in documents if each["metadata"].get("namespace") == "jhub"]
    assert [each["kind"] for each in beside] == ["ServiceAccount"]
    (space,) = [each for each in documents if each["kind"] == "Namespace"]
    assert space["metadata"]["name"] == "mlops-ann"
    assert space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    wide = [rule for each in documents if each["kind"] == "ClusterRole" for rule in each["rules"]]
    assert [rule["resources"] for rule in wide] == [["nodes"]]  # no pods: others' would be seen
    (policy,) = [each for each in documents if each["kind"] == "NetworkPolicy"]
    (own, hers) = policy["spec"]["ingress"][0]["from"]
    assert own == {"podSelector": {}}
    assert policy["spec"]["podSelector"]["matchLabels"]["jupyter-mlops/part"] == "scheduler", "no workers"
    assert hers["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "jhub"}
    assert hers["podSelector"]["matchLabels"] == {"jupyter-mlops/user": "ann"}


@pytest.mark.parametrize("user", ["", "Ann", "a_b", "-ann", "ann-", "a" * 58, "ann/x"])
def test_what_no_hub_calls_a_user_is_refused(user: str) -> None:
    with pytest.raises(InvalidInput, match="can't be how a hub writes a user's name"):
        manifests.hub_manifests("jhub", user)


def test_nobody_is_given_rights_unnamed() -> None:
    """All service accounts of a namespace are those of its clusters, too."""
    with pytest.raises(InvalidInput):
        manifests.manifests("ml")


async def test_in_a_hubs_pod_the_users_own_namespace_is_the_current_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = pytest.importorskip("kubernetes.aio.config")
    monkeypatch.setattr(config, "load_incluster_config", lambda **_: None)  # it wants a pod around it
    monkeypatch.setattr(kubeconfig, "IN_POD", tmp_path)
    (tmp_path / "token").write_text("t")
    for variable, value in (("HOST", "10.0.0.1"), ("PORT", "443")):
        monkeypatch.setenv(f"KUBERNETES_SERVICE_{variable}", value)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("JUPYTER_MLOPS_NAMESPACE", "mlops-ann")
    api = await Api.connect()
    await api.close()
    assert api.namespace == "mlops-ann"


def test_the_yaml_is_what_kubectl_takes() -> None:
    documents = list(yaml.safe_load_all(manifests.as_yaml(manifests.manifests("ml", user="ann"))))
    kinds = [document["kind"] for document in documents]
    assert kinds == ["Role", "RoleBinding", "NetworkPolicy", "ClusterRole", "ClusterRoleBinding"]
    assert documents[1]["subjects"] == [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "ann"}]
    assert documents[2]["spec"]["ingress"] == [{"from": [{"podSelector": {}}]}]


@pytest.mark.parametrize("operator", [False, True])
def test_rights_to_daskclusters_are_given_when_asked_for(operator: bool) -> None:
    role = manifests.manifests("ml", user="ann", operator=operator)[0]
    given = {resource for rule in role["rules"] for resource in rule["resources"]}
    assert ({"daskclusters", "daskworkergroups"} <= given) is operator


def test_a_report_prints_exactly_what_is_missing() -> None:
    missing = [
        Right("", "pods", "create"),
        Right("", "services", "create"),
        Right("", "services", "get"),
        Right("", "secrets", "get"),
        Right("", "secrets", "create"),
        Right("apps", "deployments", "create"),
    ]
    report = Report("https://k", "ml", "system:serviceaccount:ml:hub", missing)
    role, binding = yaml.safe_load_all(report.yaml)
    assert role["rules"] == [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["create"]},
        {"apiGroups": [""], "resources": ["services", "secrets"], "verbs": ["create", "get"]},
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["create"]},
    ]
    assert report.why.endswith("may not create pods; create, get services, secrets; create deployments.apps")
    assert not report.todo
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "hub", "namespace": "ml"}]
    assert Report("https://k", "ml", "ann").yaml == ""


def test_what_nobody_has_fits_on_a_screen() -> None:
    wanted = [
        Right(group, resource, verb)
        for rule in manifests.USER_RULES + manifests.OPERATOR_RULES
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]
    text = Report("https://k", "ml", "ann", wanted).yaml
    assert len(text.splitlines()) < 60 and "&id" not in text


def test_who_may_make_no_roles_reads_of_a_service_account_that_is_ready() -> None:
    missing = [Right("rbac.authorization.k8s.io", kind, "create") for kind in ("roles", "rolebindings")]
    with pytest.raises(Refused) as refused:
        Report("https://k", "ml", "ann", missing).raise_missing()
    assert "ann may not create roles.rbac.authorization.k8s.io, rolebindings" in refused.value.why
    assert "manifests --namespace ml --controller mlops-controller" in refused.value.todo
    lacking = Report("https://k", "ml", "ann", controller="mine", lacking="there is no service account 'mine'")
    with pytest.raises(Refused, match=r"there is no service account 'mine'.*--controller mine` prints"):
        lacking.raise_missing()


def test_a_service_account_that_is_ready_has_what_each_controller_has() -> None:
    account, role, binding = yaml.safe_load_all(manifests.as_yaml(manifests.controller_manifests("ml", "c")))
    assert (account["kind"], account["metadata"]["name"]) == ("ServiceAccount", "c")
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "c", "namespace": "ml"}]
    own = manifests.controller_rules(IDS)
    assert [{**mine, **shared} for mine, shared in zip(own, role["rules"], strict=True)] == own
    assert not any("resourceNames" in rule for rule in role["rules"]), "clusters that are to come have other names"


@pytest.mark.parametrize("text", ["ann@acme.org", "Ö", "-x-", "a" * 80, "", "a b/c"])
def test_labels_are_valid(text: str) -> None:
    value = label(text)
    assert len(value) <= 63
    assert not value or (value[0].isalnum() and value[-1].isalnum())

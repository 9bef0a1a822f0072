"""What an administrator applies, and what a controller may do."""

from __future__ import annotations

import pytest

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


def test_a_controller_may_touch_only_its_own_records() -> None:
    for rule in manifests.controller_rules(IDS, announced=True):
        if set(rule["resources"]) & {"configmaps", "deployments", "secrets"}:
            assert all(name.startswith("c-") for name in rule["resourceNames"])
        if "kubernetes.dask.org" in rule["apiGroups"]:
            assert rule["resourceNames"] == ["c"]
        assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]


def test_the_yaml_is_what_kubectl_takes() -> None:
    documents = list(yaml.safe_load_all(manifests.as_yaml(manifests.manifests("ml", user="ann"))))
    kinds = [document["kind"] for document in documents]
    assert kinds == ["Role", "RoleBinding", "NetworkPolicy", "ClusterRole", "ClusterRoleBinding"]
    assert documents[1]["subjects"] == [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "ann"}]
    assert documents[2]["spec"]["ingress"] == [{"from": [{"podSelector": {}}]}]


@pytest.mark.parametrize("operator", [False, True])
def test_rights_to_daskclusters_are_given_when_asked_for(operator: bool) -> None:
    role = manifests.manifests("ml", operator=operator)[0]
    given = {resource for rule in role["rules"] for resource in rule["resources"]}
    assert ({"daskclusters", "daskworkergroups"} <= given) is operator


def test_a_report_prints_exactly_what_is_missing() -> None:
    missing = [Right("", "pods", "create"), Right("apps", "deployments", "create")]
    report = Report("https://k", "ml", "system:serviceaccount:ml:hub", missing)
    role, binding = yaml.safe_load_all(report.yaml)
    assert role["rules"] == [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["create"]},
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["create"]},
    ]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "hub", "namespace": "ml"}]
    assert Report("https://k", "ml", "ann").yaml == ""


@pytest.mark.parametrize("text", ["ann@acme.org", "Ö", "-x-", "a" * 80, "", "a b/c"])
def test_labels_are_valid(text: str) -> None:
    value = label(text)
    assert len(value) <= 63
    assert not value or (value[0].isalnum() and value[-1].isalnum())
